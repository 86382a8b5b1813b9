/**
 * How the live feed is: opening for the first time, open, broken and being opened again, not to be had for a
 * while, or stopped because the server refuses what is asked.
 */
export type Connection = "connecting" | "live" | "reconnecting" | "offline" | "stopped"

/** After so many tries in a row the page says "offline". */
const OFFLINE_AFTER = 3
const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 30_000

/** The state after a failure. */
export function afterFailure(failures: number, everOpen: boolean): Connection {
  if (failures >= OFFLINE_AFTER) return "offline"
  return everOpen ? "reconnecting" : "connecting"
}

/** How long to wait before the next try, when the browser has given up: 1 s, doubled each time, at most 30 s. */
export function retryDelay(failures: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, failures - 1))
}
