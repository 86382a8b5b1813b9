import type { SignalPage, SignalRow } from "../../dashboard/api.ts"

/** Signal number so-and-so: a higher number is a later one. */
export function row(number: number, status: "waiting" | "done" = "waiting"): SignalRow {
  return {
    id: `id-${String(number).padStart(6, "0")}`,
    type: "order.placed",
    source: "/shop",
    subject: null,
    time: "2026-01-31T12:00:00.000Z",
    correlationId: "c",
    causationId: null,
    redacted: false,
    deliveries: [{ handler: "ship", status, attempts: 0, nextAttemptAt: null, error: null }],
  }
}

/** Signals in order. */
export function rows(from: number, to: number): readonly SignalRow[] {
  return Array.from({ length: to - from + 1 }, (_, index) => row(from + index))
}

/** A page as the server answers it, of signals 1 to `count`, before number `before`. */
export function page(count: number, before = count + 1, limit = 100): SignalPage {
  const signals = rows(Math.max(1, before - limit), before - 1).toReversed()
  return { signals, next: before - limit > 1 ? (signals.at(-1)?.id ?? null) : null }
}

/** The numbers of signals. */
export function numbers(list: readonly SignalRow[]): readonly number[] {
  return list.map(({ id }) => Number(id.slice(3)))
}
