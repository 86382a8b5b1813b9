import { FleetPromptError } from "../errors.ts"

interface Waiter {
  readonly admit: () => void
}

/** How many have a turn, and how many wait for one. */
export interface TurnsUse {
  readonly taken: number
  readonly waiting: number
}

/**
 * Lets as many pieces of work run at once as there are connections, the rest in order of arrival,
 * and none wait longer than a limit.
 */
export class Turns {
  readonly #limit: number
  readonly #waitMs: number
  readonly #busyAdvice: string
  readonly #waiting = new Set<Waiter>()
  #taken = 0
  #closed = false
  #onIdle: (() => void) | undefined
  #idle: Promise<void> | undefined

  /** @param busyAdvice what a caller reads who waited in vain: why that may be, and what to do. */
  constructor(limit: number, waitMs: number, busyAdvice: string) {
    this.#limit = limit
    this.#waitMs = waitMs
    this.#busyAdvice = busyAdvice
  }

  /**
   * @throws FleetPromptError `database_busy` when no turn came in time, `fleet_stopped` after `close`
   */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw databaseClosed()
    if (this.#taken < this.#limit) this.#taken += 1
    else await this.#wait()
    try {
      return await work()
    } finally {
      this.#pass()
    }
  }

  use(): TurnsUse {
    return { taken: this.#taken, waiting: this.#waiting.size }
  }

  /** Refuses new work; resolves when none is waiting or under way. */
  close(): Promise<void> {
    this.#closed = true
    this.#idle ??= new Promise((resolve) => {
      this.#onIdle = resolve
      if (this.#taken === 0) resolve()
    })
    return this.#idle
  }

  #wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter)
        reject(databaseBusy(this.#waitMs, this.#busyAdvice))
      }, this.#waitMs)
      const waiter: Waiter = {
        admit: () => {
          clearTimeout(timer)
          resolve()
        },
      }
      this.#waiting.add(waiter)
    })
  }

  /** Hands the turn to the first who waits, so that nobody who comes later gets in between. */
  #pass(): void {
    const [next] = this.#waiting
    if (next) {
      this.#waiting.delete(next)
      next.admit()
      return
    }
    this.#taken -= 1
    if (this.#taken === 0) this.#onIdle?.()
  }
}

/** What work is answered with that comes after the end. */
export function databaseClosed(): FleetPromptError {
  return new FleetPromptError("fleet_stopped", "the database is closed; open it again to use it")
}

/** What work is answered with that got no connection in time. */
export function databaseBusy(waitMs: number, advice: string): FleetPromptError {
  return new FleetPromptError("database_busy", `waited ${waitMs} ms in vain; ${advice}`)
}
