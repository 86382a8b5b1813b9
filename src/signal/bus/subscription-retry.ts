import { isFinalFailure, retryAtOf } from "./bus-failure.ts"
import type { Clock } from "../clock.ts"
import { MAX_TIMER_MS } from "../clock.ts"
import { backoffMs } from "../dispatch/retry.ts"
import { checkLimit, checkMs, type RetryOptions } from "./subscription.ts"

/** The defaults of `RetryOptions`. */
const DEFAULT_MAX_ATTEMPTS = 5
const DEFAULT_BACKOFF = { baseDelayMs: 200, maxDelayMs: 30_000 }

/** Says after a failed try when the next one is. */
export type RetryPlan = (attempts: number, error: unknown) => { readonly afterMs: number } | "give-up"

/**
 * Reads how to try again. Errors that say another try is of no use end it; those that say when to try
 * are heeded, as far as a timer reaches.
 */
export function retryPlan(options: RetryOptions, clock: Clock, random: () => number): RetryPlan {
  const maxAttempts = checkLimit("retry.maxAttempts", options.maxAttempts ?? DEFAULT_MAX_ATTEMPTS)
  const backoff = backoffOf(options.backoff, random)
  return (attempts, error) => {
    if (attempts >= maxAttempts || isFinalFailure(error)) return "give-up"
    const asked = (retryAtOf(error) ?? 0) - clock.now()
    return { afterMs: clampMs(Math.max(backoff(attempts), asked)) }
  }
}

/** Milliseconds that a timer can wait; what is no number waits not at all. */
export function clampMs(ms: number): number {
  return ms > 0 ? Math.min(ms, MAX_TIMER_MS) : 0
}

function backoffOf(backoff: RetryOptions["backoff"], random: () => number): (attempt: number) => number {
  const usual = (attempt: number) => backoffMs(attempt, DEFAULT_BACKOFF, random)
  if (backoff === undefined) return usual
  if (typeof backoff === "function") return (attempt) => safely(backoff, attempt) ?? usual(attempt)
  const ms = backoff === 0 ? 0 : checkMs("retry.backoff", backoff)
  return () => ms
}

/** A backoff that throws must not keep the signal from being tried again. */
function safely(backoff: (attempt: number) => number, attempt: number): number | undefined {
  try {
    const ms = backoff(attempt)
    return Number.isNaN(ms) ? undefined : ms
  } catch {
    return undefined
  }
}
