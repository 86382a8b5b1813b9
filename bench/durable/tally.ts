import { type EventData, now } from "./station.ts"

/** What became of a run's events. */
export interface Faults {
  /** Jobs that no handler ran. */
  readonly missing: number
  /** Jobs that ran more than once. */
  readonly repeated: number
}

/** Counts what the handlers of a process have done. It lives as long as its database. */
export class Tally {
  readonly #handlers: number
  /** How often each job ran, by event and handler. */
  #runs = new Uint8Array(1 << 16)
  #handled = 0
  #firstAt = 0
  #latenciesMs: number[] = []
  #awaited: { readonly count: number; readonly resolve: () => void } | undefined

  constructor(handlers: number) {
    this.#handlers = handlers
  }

  /** Jobs that ran so far. */
  get handled(): number {
    return this.#handled
  }

  /** When the first one ran, by `now()`. */
  get firstAt(): number {
    return this.#firstAt
  }

  readonly add = (handler: number, { n, at }: EventData): void => {
    if (this.#handled === 0) this.#firstAt = now()
    if (at !== undefined) this.#latenciesMs.push(now() - at)
    const job = n * this.#handlers + handler
    if (job >= this.#runs.length) this.#grow(job)
    this.#runs[job] = (this.#runs[job] ?? 0) + 1
    this.#handled++
    if (this.#awaited && this.#handled >= this.#awaited.count) this.#awaited.resolve()
  }

  /** Resolves when so many jobs ran in all. */
  async reached(count: number): Promise<void> {
    if (this.#handled >= count) return
    await new Promise<void>((resolve) => {
      this.#awaited = { count, resolve }
    })
    this.#awaited = undefined
  }

  /** The latencies since the last call, milliseconds, in no order. */
  takeLatenciesMs(): readonly number[] {
    const taken = this.#latenciesMs
    this.#latenciesMs = []
    return taken
  }

  /** What is wrong, when all jobs of the first so many events should have run once. */
  faults(events: number): Faults {
    let missing = 0
    let repeated = 0
    for (let job = 0; job < events * this.#handlers; job++) {
      const runs = this.#runs[job] ?? 0
      if (runs === 0) missing++
      if (runs > 1) repeated++
    }
    return { missing, repeated }
  }

  #grow(job: number): void {
    const larger = new Uint8Array(2 ** Math.ceil(Math.log2(job + 2)))
    larger.set(this.#runs)
    this.#runs = larger
  }
}
