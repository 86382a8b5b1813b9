import type { Clock } from "../clock.ts"
import { deadline, waitUnlessAborted } from "./deadline.ts"

/** How often and how long to try. */
export interface RetryPolicy {
  /** Tries in all, the first included. Default 4. */
  readonly maxAttempts: number
  /** Wait after the first failure, milliseconds; it doubles with each further one. Default 500. */
  readonly baseDelayMs: number
  /** Longest such wait. Default 10,000. */
  readonly maxDelayMs: number
  /** Time for everything, tries and waits; a wait that does not fit is not begun. Default 60,000. */
  readonly totalMs: number
}

/** The defaults of `RetryPolicy`. */
export const DEFAULT_RETRY: RetryPolicy = {
  maxAttempts: 4,
  baseDelayMs: 500,
  maxDelayMs: 10_000,
  totalMs: 60_000,
}

/** What follows from a failure: nothing, or another try, no sooner than after `atLeastMs`. */
export type RetryVerdict = { readonly kind: "stop" } | { readonly kind: "again"; readonly atLeastMs?: number }

/** What `retry` needs besides the work. */
export interface RetryOptions {
  readonly policy: RetryPolicy
  /** Ends it all. */
  readonly abort: AbortSignal
  readonly clock: Clock
  /** 0 up to 1. */
  readonly random: () => number
  /** Whether a failure may pass. */
  readonly verdict: (error: unknown) => RetryVerdict
  /** Makes the error when `totalMs` are over. */
  readonly expired: () => Error
}

/**
 * The one retry loop: tries until it works, the verdict is to stop, the tries are used up, or the
 * next wait would not fit into the time. Rejects with the last failure. An attempt must heed the
 * signal it gets, which fires with `abort` and when the total time is over.
 *
 * @example
 * await retry((abort) => send(signal, abort), {
 *   policy: DEFAULT_RETRY,
 *   abort: context.abort,
 *   clock: systemClock,
 *   random: Math.random,
 *   verdict: (error) => ({ kind: isTransient(error) ? "again" : "stop" }),
 *   expired: () => new Error("took too long"),
 * })
 */
export async function retry<Result>(
  attempt: (abort: AbortSignal) => Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const { abort: outer, clock, expired, policy } = options
  const total = deadline({ outer, ms: policy.totalMs, clock, expired })
  try {
    return await tryUntilItEnds(attempt, total.abort, options)
  } finally {
    total.end()
  }
}

async function tryUntilItEnds<Result>(
  attempt: (abort: AbortSignal) => Promise<Result>,
  abort: AbortSignal,
  options: RetryOptions,
): Promise<Result> {
  const { clock, policy } = options
  const startedAt = clock.now()
  abort.throwIfAborted()
  for (let made = 1; ; made++) {
    try {
      return await attempt(abort)
    } catch (error) {
      const verdict = options.verdict(error)
      if (verdict.kind === "stop" || made >= policy.maxAttempts) throw error
      const delayMs = delayAfter(made, verdict.atLeastMs ?? 0, options)
      if (clock.now() - startedAt + delayMs >= policy.totalMs) throw error
      if (!(await waitUnlessAborted(delayMs, abort, clock))) throw error
    }
  }
}

/** What was asked for is never shortened; chance lengthens it, to spread those who were all told the same. */
function delayAfter(made: number, atLeastMs: number, { policy, random }: RetryOptions): number {
  const backoff = backoffMs(made, policy, random)
  return atLeastMs < backoff ? backoff : atLeastMs + random() * policy.baseDelayMs
}

/**
 * The wait after the nth failure: doubling from `baseDelayMs` to `maxDelayMs`, and shortened by up to
 * half at random, so that those who failed together do not come back together.
 *
 * @example
 * backoffMs(3, { baseDelayMs: 500, maxDelayMs: 10_000 }, () => 0) // 2000
 */
export function backoffMs(
  failures: number,
  policy: Pick<RetryPolicy, "baseDelayMs" | "maxDelayMs">,
  random: () => number,
): number {
  const full = Math.min(policy.baseDelayMs * 2 ** (failures - 1), policy.maxDelayMs)
  return full * (1 - random() / 2)
}
