/** How long to wait between attempts. */
export interface Backoff {
  /** First wait, milliseconds. Default 1,000. */
  readonly firstMs?: number
  /** Longest wait, milliseconds. Default 600,000. */
  readonly longestMs?: number
  /** By how much each wait is longer than the one before. Default 2. */
  readonly factor?: number
}

const FIRST_MS = 1_000
const LONGEST_MS = 10 * 60_000
const FACTOR = 2

/**
 * How long to wait before the next attempt: by default 1 s, 2 s, 4 s and so on up to 10 minutes, of which a
 * random half is taken off, so that deliveries that failed together do not come back together.
 *
 * @param attempt the attempt that failed, from 1.
 * @param random a number from 0 to 1.
 */
export function backoffMs(attempt: number, backoff: Backoff = {}, random: () => number = Math.random): number {
  const { firstMs = FIRST_MS, longestMs = LONGEST_MS, factor = FACTOR } = backoff
  // Without a first wait there is none, however large the factor has become.
  const full = firstMs === 0 ? 0 : Math.min(longestMs, firstMs * factor ** (attempt - 1))
  return Math.round(full / 2 + (full / 2) * random())
}
