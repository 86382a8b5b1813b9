const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 2_000

/**
 * How long to wait before connecting again after so many failures in a row. Full jitter: many processes
 * that lose one server at once do not all come back at once.
 */
export function pauseMs(failures: number): number {
  return Math.random() * Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures)
}
