import { FleetPromptError } from "../errors.ts"

/** How many emits one process may have under way. */
export interface EmitQueueSettings {
  /** Emits under way at most. Default 10,000. */
  readonly limit: number
  /** What a call does when so many are: wait for room, the default, or be refused at once. */
  readonly whenFull: "wait" | "refuse"
  /** How long it waits, milliseconds, before it is refused after all. Default 10,000. */
  readonly waitMs: number
}

/** The defaults of `EmitQueueSettings`. */
export const DEFAULT_EMIT_QUEUE: EmitQueueSettings = { limit: 10_000, whenFull: "wait", waitMs: 10_000 }

/** Callers that may wait, for each that may be under way: beyond them even a call that would wait is refused. */
const WAITING_PER_PLACE = 10

interface Waiting {
  readonly places: number
  readonly admit: () => void
}

/**
 * Bounds the memory of emit: so many signals are under way, so many callers wait in line, and the rest is
 * told to come back. Whoever waits has not been copied or checked yet, so the line itself is cheap.
 */
export class Admission {
  readonly #settings: EmitQueueSettings
  readonly #line = new Set<Waiting>()
  #taken = 0

  constructor(settings: EmitQueueSettings) {
    this.#settings = settings
  }

  /** Emits under way, and callers in line. */
  get load(): { readonly underWay: number; readonly waiting: number } {
    return { underWay: this.#taken, waiting: this.#line.size }
  }

  /** Takes places when they are free; false when the caller has to `wait`. */
  tryEnter(places: number): boolean {
    if (this.#line.size > 0 || (this.#taken > 0 && this.#taken + places > this.#settings.limit)) return false
    this.#taken += places
    return true
  }

  /** Takes places whether they are free or not: for a caller whose transaction others may be waiting for. */
  enter(places: number): void {
    this.#taken += places
  }

  /**
   * Resolves when places were free and are taken.
   *
   * @throws FleetPromptError `emit_queue_full`
   */
  wait(places: number): Promise<void> {
    const { limit, whenFull, waitMs } = this.#settings
    if (whenFull === "refuse" || this.#line.size >= limit * WAITING_PER_PLACE) return Promise.reject(queueFull(limit))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#line.delete(waiting)
        reject(queueFull(limit))
        this.#admit()
      }, waitMs)
      const waiting: Waiting = {
        places,
        admit: () => {
          clearTimeout(timer)
          resolve()
        },
      }
      this.#line.add(waiting)
    })
  }

  /** Gives places back. */
  leave(places: number): void {
    this.#taken -= places
    this.#admit()
  }

  #admit(): void {
    for (const waiting of this.#line) {
      if (this.#taken > 0 && this.#taken + waiting.places > this.#settings.limit) return
      this.#line.delete(waiting)
      this.#taken += waiting.places
      waiting.admit()
    }
  }
}

function queueFull(limit: number): FleetPromptError {
  return new FleetPromptError(
    "emit_queue_full",
    `expected at most ${limit} emits under way in this process, there are more than the database takes up; emit slower, use emitMany, or try again in a second`,
  )
}
