/** First wait, milliseconds. */
const BASE_MS = 1_000
/** Longest wait, milliseconds. */
const CAP_MS = 10 * 60_000

/**
 * How long to wait before the next attempt: 1 s, 2 s, 4 s and so on up to 10 minutes, of which a
 * random half is taken off, so that deliveries that failed together do not come back together.
 *
 * @param attempt the attempt that failed, from 1.
 * @param random a number from 0 to 1.
 */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(CAP_MS, BASE_MS * 2 ** (attempt - 1))
  return Math.round(full / 2 + (full / 2) * random())
}
