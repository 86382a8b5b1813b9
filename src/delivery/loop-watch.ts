import type { LoopState, MarkedCall } from "./loop-mark.ts"

/** Looks within the length of a lease. */
export const LOOKS_PER_LEASE = 24
/** The loop counts as blocked after so many looks without a tick: a sixth of a lease. */
const BLOCKED_AFTER = 4
/**
 * A call is to blame when it was in its synchronous part for so many looks. By then the leases were kept once, its
 * own too: so a call may block the loop for a lease's length, and its delivery is let go after that.
 */
const BLAMED_AFTER = 8
/** Leases are kept every so many looks: a third of a lease. */
const KEPT_EVERY = 8

/** What is to be done about a loop that stands still. */
export interface Stall {
  /** How many looks ago it last went round. */
  readonly looks: number
  /** The call that holds it up, when that is known. */
  readonly blamed: MarkedCall | undefined
}

/**
 * Judges from look to look whether the loop stands still and whose doing it is. It counts looks and no time: a
 * process that was stopped, or a machine that slept, then looks like one on which nothing happened, and its leases
 * end as they should.
 */
export class LoopWatch {
  #tick: number | undefined
  #stillFor = 0
  #serial: number | undefined
  #sameFor = 0
  #keptAt: number | undefined

  /** Takes the next look. Answers when leases are to be kept now. */
  look({ tick, call }: LoopState): Stall | undefined {
    this.#stillFor = tick === this.#tick ? this.#stillFor + 1 : 0
    this.#sameFor = call !== undefined && call.serial === this.#serial ? this.#sameFor + 1 : 0
    this.#tick = tick
    this.#serial = call?.serial
    if (this.#stillFor < BLOCKED_AFTER) return void (this.#keptAt = undefined)
    if (this.#keptAt !== undefined && this.#stillFor - this.#keptAt < KEPT_EVERY) return undefined
    return { looks: this.#stillFor, blamed: this.#sameFor >= BLAMED_AFTER ? call : undefined }
  }

  /** The leases were kept just now, and need not be for a while. */
  kept(): void {
    this.#keptAt = this.#stillFor
  }
}
