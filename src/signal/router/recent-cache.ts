/**
 * Keeps what was used of late, within a limit. Two generations stand in for a full order of
 * use: what is read moves to the young one, and when that is full, the old one is dropped for it.
 */
export class RecentCache<Value> {
  readonly #generationSize: number
  readonly #sizeOf: (value: Value) => number
  #young = new Map<string, Value>()
  #old: ReadonlyMap<string, Value> = new Map()
  #youngSize = 0

  /**
   * @param limit most there may be in all; 0 keeps nothing
   * @param sizeOf what a value counts, at least 1
   */
  constructor(limit: number, sizeOf: (value: Value) => number) {
    this.#generationSize = limit / 2
    this.#sizeOf = sizeOf
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  /** What counts more than half of the limit is not kept. */
  set(key: string, value: Value): void {
    const size = this.#sizeOf(value)
    if (size > this.#generationSize) return
    if (this.#youngSize + size > this.#generationSize) this.#age()
    this.#young.set(key, value)
    this.#youngSize += size
  }

  clear(): void {
    this.#age()
    this.#old = new Map()
  }

  #age(): void {
    this.#old = this.#young
    this.#young = new Map()
    this.#youngSize = 0
  }
}
