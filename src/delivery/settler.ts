import type { Queryable } from "../store/database.ts"
import { completeDeliveries, selectBooked, type Settlement, settleDeliveries } from "../store/settlements.ts"
import { GrowingPause } from "../store/growing-pause.ts"
import { isTransient } from "../store/transient.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { AttemptResult } from "./run-attempt.ts"

/** What the settler works with. */
export interface SettlerDeps {
  readonly hot: Queryable
  readonly worker: string
  readonly telemetry: Telemetry
  /** Is told of each result when it was booked, or not because another worker has the delivery. */
  readonly onBooked: (result: AttemptResult, isBooked: boolean) => void
}

/** Results in one statement. */
const MAX_BATCH = 500
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1_000

type Book = (
  tx: Queryable,
  schema: string,
  worker: string,
  results: readonly Settlement[],
) => Promise<ReadonlySet<number>>

/** Results of one kind for one schema. */
interface Line {
  readonly schema: string
  readonly book: Book
  readonly results: AttemptResult[]
}

/**
 * Books results. Those that come while a statement is under way gather for the next. When the database is away
 * it is sent again until it is booked or the worker was told to give up; meanwhile the leases protect the
 * deliveries. When the database refuses it, each result is sent by itself, and the one that is refused again is
 * left to the end of its lease.
 */
export class Settler {
  readonly #deps: SettlerDeps
  readonly #lines = new Map<string, Line>()
  #isGivenUp = false
  #onIdle: (() => void) | undefined

  constructor(deps: SettlerDeps) {
    this.#deps = deps
  }

  /** A result is to be booked. */
  add(result: AttemptResult): void {
    const book = result.outcome === "done" && result.error === null ? completeDeliveries : settleDeliveries
    const key = `${book.name} ${result.schema}`
    const line = this.#lines.get(key)
    if (line) return void line.results.push(result)
    this.#lines.set(key, { schema: result.schema, book, results: [result] })
    // After the handlers that end in the same turn.
    setImmediate(() => void this.#work(key))
  }

  /** Resolves when everything is booked. */
  idle(): Promise<void> {
    if (this.#lines.size === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#onIdle = resolve))
  }

  /** Sends nothing again. */
  giveUp(): void {
    this.#isGivenUp = true
  }

  async #work(key: string): Promise<void> {
    for (;;) {
      const line = this.#lines.get(key)
      if (!line || line.results.length === 0 || this.#isGivenUp) break
      await this.#book(line, line.results.splice(0, MAX_BATCH))
    }
    this.#lines.delete(key)
    if (this.#lines.size === 0) this.#onIdle?.()
  }

  async #book(line: Line, results: readonly AttemptResult[]): Promise<void> {
    const { hot, worker, telemetry, onBooked } = this.#deps
    const fields = { schema: line.schema, settlements: results.length }
    let isRepeated = false
    const pause = new GrowingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
    while (!this.#isGivenUp) {
      try {
        const booked = await telemetry.span("settle", fields, () => line.book(hot, line.schema, worker, results))
        // A try before may have been carried out unheard.
        const before = isRepeated ? await selectBooked(hot, line.schema, worker, results) : booked
        results.forEach((result, at) => onBooked(result, booked.has(at) || before.has(at)))
        return
      } catch (error) {
        telemetry.tell("background.failed", { step: "settle", error })
        if (!isTransient(error)) return this.#bookEach(line, results)
        isRepeated = true
        await pause.rest()
      }
    }
  }

  async #bookEach(line: Line, results: readonly AttemptResult[]): Promise<void> {
    const [only, ...others] = results
    if (only && others.length === 0) this.#deps.onBooked(only, false)
    else for (const result of results) await this.#book(line, [result])
  }
}
