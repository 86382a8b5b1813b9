import { FleetPromptError } from "../../errors.ts"
import type { Activity } from "./bus-activity.ts"
import { Fifo } from "./bus-fifo.ts"
import type { Clock } from "../clock.ts"

/** How many publishes run in one turn before others get a turn: subscribers may publish without end. */
const TURN = 1_000

/** A publish that waits for the ones before it. */
interface Waiting {
  readonly size: number
  /** Returns a promise when it is not over yet. Never throws. */
  readonly run: () => Promise<void> | undefined
  readonly refuse: (error: Error) => void
}

/**
 * Runs publishes one after the other, in the order of the calls: one that is called from within another,
 * or while another waits, has its turn later.
 */
export class PublishLine {
  readonly #maxWaiting: number
  readonly #clock: Clock
  readonly #activity: Activity
  readonly #waiting = new Fifo<Waiting>()
  /** How many signals wait. */
  #size = 0
  #isBusy = false
  #closed: Error | undefined

  constructor(maxWaiting: number, clock: Clock, activity: Activity) {
    this.#maxWaiting = maxWaiting
    this.#clock = clock
    this.#activity = activity
  }

  /**
   * Runs a publish of so many signals, now when nothing is under way.
   *
   * @throws FleetPromptError as a rejection: `bus_closed`, `bus_full`, and what the publish throws
   */
  run<Result>(size: number, publish: () => Result | Promise<Result>): Promise<Result> {
    if (this.#closed) return Promise.reject(this.#closed)
    return this.#isBusy ? this.#enqueue(size, publish) : this.#runNow(publish)
  }

  /** Refuses those that wait, and all to come. */
  close(error: Error): void {
    this.#closed = error
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) next.refuse(error)
    this.#size = 0
  }

  #runNow<Result>(publish: () => Result | Promise<Result>): Promise<Result> {
    this.#isBusy = true
    try {
      const result = publish()
      if (!(result instanceof Promise)) {
        this.#advance()
        return Promise.resolve(result)
      }
      this.#advanceAfter(result)
      return result
    } catch (error) {
      this.#advance()
      return Promise.reject(error)
    }
  }

  #enqueue<Result>(size: number, publish: () => Result | Promise<Result>): Promise<Result> {
    if (this.#size + size > this.#maxWaiting) return Promise.reject(tooMany(this.#maxWaiting))
    this.#size += size
    return new Promise<Result>((resolve, reject) => {
      const run = () => {
        try {
          const result = publish()
          resolve(result)
          return result instanceof Promise ? result.then(ignore, ignore) : undefined
        } catch (error) {
          reject(error)
          return undefined
        }
      }
      this.#waiting.push({ size, run, refuse: reject })
    })
  }

  /** Runs what waits until one is not over at once. */
  #advance(): void {
    for (let ran = 0; this.#waiting.length > 0; ran++) {
      if (ran === TURN) return this.#advanceNextTurn()
      const next = this.#waiting.shift()
      this.#size -= next?.size ?? 0
      const pending = next?.run()
      if (pending) return this.#advanceAfter(pending)
    }
    this.#isBusy = false
  }

  #advanceAfter(pending: Promise<unknown>): void {
    this.#activity.during(pending)
    const advance = () => this.#advance()
    pending.then(advance, advance)
  }

  #advanceNextTurn(): void {
    this.#activity.begin()
    this.#clock.after(0, () => {
      this.#activity.end()
      this.#advance()
    })
  }
}

function ignore(): void {}

function tooMany(maxWaiting: number): FleetPromptError {
  return new FleetPromptError(
    "bus_full",
    `expected at most ${maxWaiting} signals to wait for publishes under way, got more; wait for publish before the next one`,
  )
}
