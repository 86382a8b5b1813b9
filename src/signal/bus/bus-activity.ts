/** Counts the work under way and tells when there is none. */
export class Activity {
  #underWay = 0
  #waiters: (() => void)[] = []

  begin(): void {
    this.#underWay++
  }

  end(): void {
    if (--this.#underWay > 0) return
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }

  /** Counts a promise until it settles; whether it rejects is somebody else's business. */
  during(work: PromiseLike<unknown>): void {
    this.begin()
    const end = () => this.end()
    work.then(end, end)
  }

  /** Resolves as soon as nothing is under way. */
  async whenIdle(): Promise<void> {
    while (this.#underWay > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve))
  }
}
