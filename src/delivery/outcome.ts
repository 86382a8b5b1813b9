import { FleetPromptError } from "../errors.ts"

/** Longest time that a delivery may be put off, milliseconds: a hundred years, a date that Postgres can hold. */
export const MAX_DELAY_MS = 100 * 366 * 86_400_000

/** Try again later; this attempt does not count. */
export interface Snooze {
  readonly kind: "snooze"
  readonly ms: number
}

/** Give up for good, without a dead letter. */
export interface Cancel {
  readonly kind: "cancel"
  readonly reason: string
}

/** What a handler may return instead of nothing. */
export type HandlerResult = Snooze | Cancel

/**
 * What a handler returns when it is too early: the delivery comes back after `ms` milliseconds, and the
 * attempt does not count.
 *
 * @throws FleetPromptError `handler_invalid` for a time that is none
 * @example
 * run: async ({ signal }) => ((await isReady(signal.data)) ? undefined : snooze(30_000))
 */
export function snooze(ms: number): Snooze {
  if (Number.isFinite(ms) && ms >= 0 && ms <= MAX_DELAY_MS) return { kind: "snooze", ms }
  throw new FleetPromptError(
    "handler_invalid",
    `expected milliseconds from 0 to ${MAX_DELAY_MS} for snooze, got ${String(ms)}`,
  )
}

/**
 * What a handler returns when there is nothing to be done any more: the delivery ends as cancelled.
 *
 * @param reason is kept with the attempt; no secrets.
 * @example
 * run: ({ signal }) => (signal.data.isTest ? cancel("a test lead") : undefined)
 */
export function cancel(reason: string): Cancel {
  return { kind: "cancel", reason }
}

/** Reads what a handler returned; anything but the two above means that it is done. */
export function resultOf(returned: unknown): HandlerResult | undefined {
  if (typeof returned !== "object" || returned === null || !("kind" in returned)) return undefined
  if (returned.kind === "snooze" && "ms" in returned && typeof returned.ms === "number") return snooze(returned.ms)
  if (returned.kind === "cancel" && "reason" in returned) return cancel(String(returned.reason))
  return undefined
}
