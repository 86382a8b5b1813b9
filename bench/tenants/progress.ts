import { progressBar } from "../../src/cli/progress-bar.ts"

/** How often a line is printed where lines cannot be replaced, milliseconds. */
const PLAIN_EVERY_MS = 5_000

const startedAt = performance.now()
let plainAt = Number.NEGATIVE_INFINITY

/** A line to stderr. */
export function tell(text: string): void {
  if (process.stderr.isTTY) process.stderr.write("\r\u001B[K")
  process.stderr.write(`${Math.round((performance.now() - startedAt) / 1_000)} s: ${text}\n`)
}

/** How far a step is, replaced by the next. */
export function tellProgress(what: string, done: number, total: number, elapsedMs: number): void {
  const line = `${what} ${progressBar({ done, total, elapsedMs })}`
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${line}`)
  else if (performance.now() - plainAt > PLAIN_EVERY_MS) {
    plainAt = performance.now()
    process.stderr.write(`${line}\n`)
  }
}
