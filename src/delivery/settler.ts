import type { Queryable } from "../store/database.ts"
import { completeDeliveries, type Settlement, settleDeliveries } from "../store/deliveries.ts"
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

interface SchemaQueue {
  readonly done: AttemptResult[]
  readonly others: AttemptResult[]
  isUnderWay: boolean
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

/**
 * Books results. Those that come while a statement is under way gather for the next. One that fails is sent
 * again until it is booked or the worker was told to give up; meanwhile the leases protect the deliveries.
 */
export class Settler {
  readonly #deps: SettlerDeps
  readonly #queues = new Map<string, SchemaQueue>()
  #isGivenUp = false
  #onIdle: (() => void) | undefined

  constructor(deps: SettlerDeps) {
    this.#deps = deps
  }

  /** A result is to be booked. */
  add(result: AttemptResult): void {
    const { schema } = result
    const queue = this.#queues.get(schema) ?? { done: [], others: [], isUnderWay: false }
    this.#queues.set(schema, queue)
    const list = result.outcome === "done" && result.error === null ? queue.done : queue.others
    list.push(result)
    if (queue.isUnderWay) return
    queue.isUnderWay = true
    // After the handlers that end in the same turn.
    setImmediate(() => void this.#work(schema, queue))
  }

  /** Resolves when everything is booked. */
  idle(): Promise<void> {
    if (this.#queues.size === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#onIdle = resolve))
  }

  /** Sends nothing again. */
  giveUp(): void {
    this.#isGivenUp = true
  }

  async #work(schema: string, queue: SchemaQueue): Promise<void> {
    while (queue.done.length + queue.others.length > 0 && !this.#isGivenUp) {
      await Promise.all([
        this.#book(schema, queue.done.splice(0, MAX_BATCH), completeDeliveries),
        this.#book(schema, queue.others.splice(0, MAX_BATCH), settleDeliveries),
      ])
    }
    this.#queues.delete(schema)
    if (this.#queues.size === 0) this.#onIdle?.()
  }

  async #book(schema: string, results: readonly AttemptResult[], book: Book): Promise<void> {
    if (results.length === 0) return
    const { hot, worker, telemetry, onBooked } = this.#deps
    const fields = { schema, settlements: results.length }
    for (let pauseMs = FIRST_PAUSE_MS; !this.#isGivenUp; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const booked = await telemetry.span("settle", fields, () => book(hot, schema, worker, results))
        results.forEach((result, at) => onBooked(result, booked.has(at)))
        return
      } catch (error) {
        telemetry.tell("background.failed", { step: "settle", error })
        await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random() / 2)))
      }
    }
  }
}
