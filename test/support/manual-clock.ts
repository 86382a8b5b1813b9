import type { Clock } from "../../src/signal/clock.ts"

interface Timer {
  readonly dueMs: number
  readonly delayMs: number
  readonly run: () => void
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #nowMs: number
  readonly #timers = new Set<Timer>()
  readonly #watchers = new Set<() => void>()

  constructor(nowMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs
  }

  readonly now = (): number => this.#nowMs

  readonly after = (delayMs: number, run: () => void): (() => void) => {
    const timer = { dueMs: this.#nowMs + delayMs, delayMs, run }
    this.#timers.add(timer)
    for (const watch of this.#watchers) watch()
    return () => void this.#timers.delete(timer)
  }

  /** The delays that are being waited for, shortest first. */
  get delays(): readonly number[] {
    return [...this.#timers].map(({ delayMs }) => delayMs).toSorted((a, b) => a - b)
  }

  /** Moves the time and runs what comes due, in order. */
  advance(ms: number): void {
    const end = this.#nowMs + ms
    for (let next = this.#nextUntil(end); next; next = this.#nextUntil(end)) {
      this.#timers.delete(next)
      this.#nowMs = next.dueMs
      next.run()
    }
    this.#nowMs = end
  }

  /** Sets the time without running anything, as an administrator does. */
  set(nowMs: number): void {
    this.#nowMs = nowMs
  }

  /** Resolves as soon as somebody waits for so long. */
  async waitedFor(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const watch = () => {
        if (!this.delays.includes(delayMs)) return
        this.#watchers.delete(watch)
        resolve()
      }
      this.#watchers.add(watch)
      watch()
    })
  }

  #nextUntil(endMs: number): Timer | undefined {
    return [...this.#timers].filter(({ dueMs }) => dueMs <= endMs).toSorted((a, b) => a.dueMs - b.dueMs)[0]
  }
}
