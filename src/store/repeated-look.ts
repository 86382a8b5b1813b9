/** What is looked for, and how often. */
export interface RepeatedLookDeps {
  readonly look: () => Promise<void>
  /** Is told when a look failed; the next one comes by itself. */
  readonly onError: (error: unknown) => void
  /** How long to rest after a look, milliseconds; undefined: until somebody asks. */
  readonly restMs: () => number | undefined
}

/**
 * Looks at the database now and then, and whenever it is asked to. There is one look at a time: asked while one is under
 * way, which may have begun too early to see what is meant, it looks once more after it.
 */
export class RepeatedLook {
  readonly #deps: RepeatedLookDeps
  #looking: Promise<void> | undefined
  #isAskedAgain = false
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(deps: RepeatedLookDeps) {
    this.#deps = deps
  }

  /** Looks at once. */
  now(): void {
    if (this.#isStopped) return
    if (this.#looking) this.#isAskedAgain = true
    else this.#begin()
  }

  /** Looks after a rest, unless it will anyway. */
  later(): void {
    if (this.#timer || this.#looking || this.#isStopped) return
    const restMs = this.#deps.restMs()
    if (restMs !== undefined) this.#timer = setTimeout(() => this.now(), restMs).unref()
  }

  /** Resolves when the look under way has ended; there is none after it. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#looking
  }

  #begin(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#looking = this.#deps
      .look()
      .catch(this.#deps.onError)
      .finally(() => this.#ended())
  }

  #ended(): void {
    this.#looking = undefined
    const isAskedAgain = this.#isAskedAgain
    this.#isAskedAgain = false
    if (isAskedAgain) this.now()
    else this.later()
  }
}
