import type { Queryable } from "../store/database.ts"
import { type Along, completeDeliveries } from "../store/completions.ts"
import type { ClaimedDelivery } from "../store/deliveries.ts"
import { selectBooked, type Settlement, settleDeliveries } from "../store/settlements.ts"
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
  readonly key: string
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
  readonly #unbooked = new Set<ClaimedDelivery>()
  /** Groups of results whose statement is under way. */
  #underWay = 0
  #isGivenUp = false
  #onIdle: (() => void) | undefined

  constructor(deps: SettlerDeps) {
    this.#deps = deps
  }

  /** A result is to be booked. */
  add(result: AttemptResult): void {
    this.#unbooked.add(result.delivery)
    const book = result.outcome === "done" && result.error === null ? completeDeliveries : settleDeliveries
    const key = lineKey(book, result.schema)
    const known = this.#lines.get(key)
    if (known) return void known.results.push(result)
    const line = { key, schema: result.schema, book, results: [result] }
    this.#lines.set(key, line)
    void this.#work(line)
  }

  /** Gives results of a schema that succeeded and wait to whoever is about to send a statement there. */
  along(schema: string): Along | undefined {
    const line = this.#lines.get(lineKey(completeDeliveries, schema))
    if (!line || line.results.length === 0 || this.#isGivenUp) return undefined
    const settlements = line.results.splice(0, MAX_BATCH)
    // Those that come from now on have a turn of their own to wait for.
    if (line.results.length === 0) this.#lines.delete(line.key)
    this.#begin()
    return {
      completions: { worker: this.#deps.worker, settlements },
      booked: (unbooked) => {
        this.#tell(settlements, unbooked)
        this.#end()
      },
      failed: () => void this.#book(line, settlements, true).then(() => this.#end()),
    }
  }

  /** Whether an attempt at it has ended of which nobody knows yet that it was booked. */
  isUnbooked(delivery: ClaimedDelivery): boolean {
    return this.#unbooked.has(delivery)
  }

  #begin(): void {
    this.#underWay += 1
  }

  #end(): void {
    this.#underWay -= 1
    this.#checkIdle()
  }

  /** Resolves when everything is booked. */
  idle(): Promise<void> {
    if (this.#lines.size === 0 && this.#underWay === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#onIdle = resolve))
  }

  /** Sends nothing again. */
  giveUp(): void {
    this.#isGivenUp = true
  }

  async #work(line: Line): Promise<void> {
    for (;;) {
      await othersFirst()
      if (line.results.length === 0 || this.#isGivenUp) break
      this.#begin()
      await this.#book(line, line.results.splice(0, MAX_BATCH))
      this.#end()
    }
    if (this.#lines.get(line.key) === line) this.#lines.delete(line.key)
    this.#checkIdle()
  }

  #checkIdle(): void {
    if (this.#lines.size === 0 && this.#underWay === 0) this.#onIdle?.()
  }

  /** @param isRepeated whether a try before may have been carried out unheard. */
  async #book(line: Line, results: readonly AttemptResult[], isRepeated = false): Promise<void> {
    const { hot, worker, telemetry } = this.#deps
    const fields = { schema: line.schema, settlements: results.length }
    let mayBeBooked = isRepeated
    const pause = new GrowingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
    while (!this.#isGivenUp) {
      try {
        const unbooked = await telemetry.span("settle", fields, () => line.book(hot, line.schema, worker, results))
        if (!mayBeBooked || unbooked.size === 0) return this.#tell(results, unbooked)
        const before = await selectBooked(hot, line.schema, worker, results)
        return this.#tell(results, new Set([...unbooked].filter((at) => !before.has(at))))
      } catch (error) {
        telemetry.tell("background.failed", { step: "settle", error })
        if (!isTransient(error)) return this.#bookEach(line, results)
        mayBeBooked = true
        await pause.rest()
      }
    }
  }

  #tell(results: readonly AttemptResult[], unbooked: ReadonlySet<number>): void {
    results.forEach((result, at) => this.#over(result, !unbooked.has(at)))
  }

  async #bookEach(line: Line, results: readonly AttemptResult[]): Promise<void> {
    const [only, ...others] = results
    if (only && others.length === 0) this.#over(only, false)
    else for (const result of results) await this.#book(line, [result])
  }

  #over(result: AttemptResult, isBooked: boolean): void {
    this.#unbooked.delete(result.delivery)
    this.#deps.onBooked(result, isBooked)
  }
}

/** Resolves after the handlers that end in the same turn, and after the emits, which may take results along. */
function othersFirst(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}

function lineKey(book: Book, schema: string): string {
  return `${book.name} ${schema}`
}
