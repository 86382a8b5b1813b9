import { FleetPromptError } from "../../errors.ts"
import { instantOf, isEarlier } from "../instant.ts"
import type { Signal } from "../signal.ts"
import { isTime } from "../time.ts"

/** Where to start reading the log. */
export type StartFrom =
  /** At the oldest signal that is held. */
  | "origin"
  /** After the newest: only what is published from now on. */
  | "current"
  /** At the first signal held whose own `time` is this or later; all behind it follow, in log order. RFC 3339 text or a date. */
  | { readonly time: string | Date }
  /** At the signal with this id. */
  | { readonly id: string }
  /** After the signal with this id. */
  | { readonly after: string }

/** A place in the log. */
export interface LogPosition {
  /** The number of the signal to start at. */
  readonly sequence: number
  /** Whether signals that were asked for are no longer held. */
  readonly truncated: boolean
}

/** A signal and its number in the log. */
export interface LoggedSignal {
  readonly sequence: number
  readonly signal: Signal
}

/**
 * The newest signals in the order of publishing. Each has a number, from 0; when the log is full, a new
 * signal takes the place of the oldest. Adding costs the same however many there are.
 */
export class BusLog {
  readonly #max: number
  readonly #ring: Signal[] = []
  #next = 0
  /** The latest time of a signal that is gone. */
  #latestGone: string | undefined

  constructor(maxSignals: number) {
    this.#max = maxSignals
  }

  /** The number that the next signal will have. */
  get next(): number {
    return this.#next
  }

  /** The number of the oldest signal held; `next` when there is none. */
  get oldest(): number {
    return this.#next - this.#ring.length
  }

  /** Adds a signal and returns its number. */
  append(signal: Signal): number {
    const sequence = this.#next++
    if (this.#ring.length < this.#max) this.#ring.push(signal)
    else this.#replaceOldest(sequence, signal)
    return sequence
  }

  /** The signal with this number, if it is held. */
  at(sequence: number): Signal | undefined {
    return sequence >= this.oldest && sequence < this.#next ? this.#ring[sequence % this.#max] : undefined
  }

  /** What is held from this number on, oldest first. */
  *from(sequence: number): Generator<LoggedSignal> {
    const end = this.#next
    for (let number = Math.max(sequence, this.oldest); number < end; number++) {
      const signal = this.at(number)
      if (signal) yield { sequence: number, signal }
    }
  }

  /** The number of the oldest signal held with this id. */
  find(id: string): number | undefined {
    for (const { sequence, signal } of this.from(0)) if (signal.id === id) return sequence
    return undefined
  }

  /**
   * Finds where to start.
   *
   * @throws FleetPromptError `signal_not_held` when there is no signal of that id, `query_invalid`
   */
  position(from: StartFrom): LogPosition {
    if (from === "origin") return { sequence: this.oldest, truncated: this.oldest > 0 }
    if (from === "current") return { sequence: this.#next, truncated: false }
    if (typeof from !== "object" || from === null) throw invalidStart(from)
    if ("time" in from) return this.#positionAt(timeOf(from.time))
    if ("id" in from) return { sequence: this.#known(from.id), truncated: false }
    if ("after" in from) return { sequence: this.#known(from.after) + 1, truncated: false }
    throw invalidStart(from)
  }

  #positionAt(time: string): LogPosition {
    const wanted = instantOf(time)
    const isGone = this.#latestGone !== undefined && !isEarlier(instantOf(this.#latestGone), wanted)
    for (const { sequence, signal } of this.from(0)) {
      if (!isEarlier(instantOf(signal.time), wanted)) return { sequence, truncated: isGone }
    }
    return { sequence: this.#next, truncated: isGone }
  }

  #known(id: string): number {
    const sequence = this.find(id)
    if (sequence !== undefined) return sequence
    throw new FleetPromptError(
      "signal_not_held",
      `expected a signal that the log holds to start from, got ${JSON.stringify(id.slice(0, 60))}; it was overwritten or never published: start from "origin" or a time`,
    )
  }

  #replaceOldest(sequence: number, signal: Signal): void {
    if (this.#max === 0) return this.#forget(signal)
    const slot = sequence % this.#max
    const gone = this.#ring[slot]
    this.#ring[slot] = signal
    if (gone) this.#forget(gone)
  }

  #forget({ time }: Signal): void {
    if (this.#latestGone === undefined || isLater(time, this.#latestGone)) this.#latestGone = time
  }
}

/** `2026-01-31T12:00:00.000Z`, as nearly all times look; two of these compare as texts. */
const USUAL_LENGTH = 24

/** Runs with each publish once the log is full, so that dates are parsed only where they must be. */
function isLater(time: string, than: string): boolean {
  if (isUsual(time) && isUsual(than)) return time > than
  return isEarlier(instantOf(than), instantOf(time))
}

function isUsual(time: string): boolean {
  return time.length === USUAL_LENGTH && time[10] === "T" && time.endsWith("Z")
}

function timeOf(time: string | Date): string {
  if (time instanceof Date ? !Number.isNaN(time.getTime()) : typeof time === "string" && isTime(time))
    return typeof time === "string" ? time : time.toISOString()
  throw new FleetPromptError(
    "query_invalid",
    `expected an RFC 3339 time such as "2026-01-31T12:00:00Z", or a date, as from.time, got ${String(time)}`,
    { path: "from.time" },
  )
}

function invalidStart(from: unknown): FleetPromptError {
  return new FleetPromptError(
    "query_invalid",
    `expected "origin", "current", { time }, { id } or { after } as the start, got ${JSON.stringify(from) ?? typeof from}`,
    { path: "from" },
  )
}
