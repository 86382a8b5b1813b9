/** A point in time as RFC 3339 text has it, with all its digits: JavaScript's own dates stop at milliseconds. */
export interface Instant {
  /** Milliseconds since 1970, rounded down. */
  readonly ms: number
  /** The decimal digits after the milliseconds, without zeros at the end. */
  readonly rest: string
}

/** Reads RFC 3339 text that is known to be valid. */
export function instantOf(time: string): Instant {
  const digits = /\.(\d+)/.exec(time)?.[1] ?? ""
  return { ms: Date.parse(time.toUpperCase()), rest: digits.slice(3).replace(/0+$/, "") }
}

/** Whether `a` comes before `b`. */
export function isEarlier(a: Instant, b: Instant): boolean {
  return a.ms === b.ms ? a.rest < b.rest : a.ms < b.ms
}
