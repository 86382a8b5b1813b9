/**
 * Rests between tries of what failed: each twice as long as the one before. A random half is taken off, so that
 * processes that failed together do not come back together.
 */
export class GrowingPause {
  readonly #longestMs: number
  #ms: number

  /** @param firstMs the first rest at most; @param longestMs any at most, milliseconds. */
  constructor(firstMs: number, longestMs: number) {
    this.#ms = firstMs
    this.#longestMs = longestMs
  }

  /** How long the next rest is at most, milliseconds. */
  get ms(): number {
    return this.#ms
  }

  /** Rests, and makes the next rest longer. */
  async rest(): Promise<void> {
    const ms = this.#ms
    this.#ms = Math.min(ms * 2, this.#longestMs)
    await new Promise((resolve) => setTimeout(resolve, ms * (0.5 + Math.random() / 2)))
  }
}
