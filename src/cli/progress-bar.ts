const WIDTH = 28

/** How far something got. */
export interface Progress {
  readonly done: number
  readonly total: number
  /** How long it has been going on, milliseconds. */
  readonly elapsedMs: number
}

/**
 * One line: a bar, the share, the rate and how long it will take at that rate.
 *
 * @example
 * progressBar({ done: 250, total: 1_000, elapsedMs: 10_000 }) // "[=======                     ] 250 of 1,000, 25 %, 25.0/s, 30 s left"
 */
export function progressBar({ done, total, elapsedMs }: Progress): string {
  const share = total === 0 ? 1 : Math.min(1, done / total)
  const bar = "=".repeat(Math.floor(share * WIDTH)).padEnd(WIDTH)
  const counts = `${formatCount(done)} of ${formatCount(total)}`
  return [`[${bar}] ${counts}`, `${Math.floor(share * 100)} %`, ...pace(done, total, elapsedMs)].join(", ")
}

function pace(done: number, total: number, elapsedMs: number): readonly string[] {
  if (done === 0 || done >= total || elapsedMs <= 0) return []
  const perMs = done / elapsedMs
  return [`${(perMs * 1_000).toFixed(1)}/s`, `${formatDuration((total - done) / perMs)} left`]
}

/** A whole number with a comma between thousands. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US")
}

/** Milliseconds as people say it: `40 ms`, `12 s`, `3 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`
}
