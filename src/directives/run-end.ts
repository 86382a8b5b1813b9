/**
 * How a run is told that it is to end. It may be told (to be cancelled, a step beside failed), which it hears by its
 * signal, and is waited for; or cut (its time is over, it was taken over, the worker stops): then nobody waits any more.
 */
export class RunEnd {
  readonly #told = new AbortController()
  readonly #cut = new AbortController()

  /** What the run listens to. */
  get signal(): AbortSignal {
    return this.#told.signal
  }

  /** Tells the run; only the first time counts. */
  tell(reason: unknown): void {
    this.#told.abort(reason)
  }

  /** Tells the run, and waits for it no longer. */
  cut(reason: unknown): void {
    this.#told.abort(reason)
    this.#cut.abort(reason)
  }

  /** Waits for work until the run is cut. @throws the reason of the cut; what the work throws */
  async untilCut<Result>(work: Promise<Result>): Promise<Result> {
    // Nobody may wait for it any more when it fails.
    work.catch(() => undefined)
    const { signal } = this.#cut
    let onCut = (): void => {}
    const cut = new Promise<never>((_, reject) => {
      onCut = () => reject(signal.reason)
      signal.addEventListener("abort", onCut)
      if (signal.aborted) onCut()
    })
    try {
      return await Promise.race([work, cut])
    } finally {
      signal.removeEventListener("abort", onCut)
    }
  }
}
