import { Fifo } from "./bus-fifo.ts"
import type { Signal } from "../signal.ts"

/*
 * Which signals a persistent subscription holds, and in which state each is:
 *
 *   pending ──take──▶ in flight ──settle──▶ settled
 *                      │   ▲  ▲
 *            wait      │   │  └──take── ready ◀──────────┐
 *              ┌───────┘   │                │            │
 *              ▼           │          (also from in flight, at once)
 *           waiting ──(its time has come)──▶ ready
 *
 * The state of a message is the authority; the lists below hold each message that is not settled once,
 * under its state. Whatever was handed over before goes out before what was not, oldest first: all
 * of it is older.
 */

/** A signal of a persistent subscription. */
export interface Message {
  /** Its number in the log. */
  readonly sequence: number
  readonly signal: Signal
  /** Tries begun. */
  attempts: number
  state: MessageState
  /** How it was settled. */
  settledAs: "delivered" | "skipped" | "failed" | "dropped" | undefined
  /** Whether it is held besides what `maxPending` allows: from the log when the subscription began, or redriven. */
  isExtra: boolean
  /** Whether it was a dead letter. */
  isRedriven: boolean
}

/** See above. */
export type MessageState = "pending" | "ready" | "in_flight" | "waiting" | "settled"

/** The signals of a persistent subscription that are not settled. */
export class MessageWindow {
  readonly #pending = new Fifo<Message>()
  /** Handed over before and due again, oldest first. */
  #ready: Message[] = []
  readonly #inFlight = new Map<number, Message>()
  readonly #waiting = new Map<number, Message>()
  /** How many of those that are not in flight are held besides the limit. */
  #heldExtras = 0

  get inFlight(): number {
    return this.#inFlight.size
  }

  /** How many wait to be handed over, for the first time or again. */
  get held(): number {
    return this.#pending.length + this.#ready.length + this.#waiting.size
  }

  /** The same without those held besides. */
  get heldWithinLimit(): number {
    return this.held - this.#heldExtras
  }

  /** Adds a new message behind all others. */
  add(message: Message): void {
    this.#hold(message, "pending")
    this.#pending.push(message)
  }

  /** Adds a message that was settled, to go out again. */
  addAgain(message: Message): void {
    this.#setReady(message)
  }

  /** Takes out the message that is next, and counts a try. */
  take(): Message | undefined {
    const message = this.#ready.shift() ?? this.#pending.shift()
    if (!message) return undefined
    if (message.isExtra) this.#heldExtras--
    message.state = "in_flight"
    message.attempts++
    this.#inFlight.set(message.sequence, message)
    return message
  }

  /** A message in flight, or one that waits, is due. */
  makeReady(message: Message): void {
    this.#remove(message)
    this.#setReady(message)
  }

  /** A message in flight has to wait. */
  makeWait(message: Message): void {
    this.#remove(message)
    this.#hold(message, "waiting")
    this.#waiting.set(message.sequence, message)
  }

  settle(message: Message): void {
    this.#remove(message)
    message.state = "settled"
  }

  /** The oldest one that is not in flight. */
  oldestHeld(): Message | undefined {
    const candidates = [this.#ready[0], this.#pending.peek(), ...this.#waiting.values()]
    return candidates.reduce((oldest, each) => (isOlder(each, oldest) ? each : oldest), undefined)
  }

  /** The messages in flight, the one handed over first at the front. */
  listInFlight(): readonly Message[] {
    return [...this.#inFlight.values()]
  }

  /** The messages that wait. */
  listWaiting(): readonly Message[] {
    return [...this.#waiting.values()]
  }

  /** The messages that were handed over once or more, oldest first. */
  listHandedOver(): Message[] {
    return [...this.#ready, ...this.#inFlight.values(), ...this.#waiting.values()].toSorted(bySequence)
  }

  /** The messages up to this number in the log, oldest first. */
  listUpTo(sequence: number): readonly Message[] {
    const listed = this.listHandedOver().filter((message) => message.sequence <= sequence)
    for (const message of this.#pending) {
      if (message.sequence > sequence) break
      listed.push(message)
    }
    return listed.toSorted(bySequence)
  }

  /** A message that was handed over, by its signal's id: the oldest, when there are several. */
  findHandedOver(id: string): Message | undefined {
    for (const list of [this.#inFlight.values(), this.#waiting.values(), this.#ready]) {
      for (const message of list) if (message.signal.id === id) return message
    }
    return undefined
  }

  /** Takes out everything. */
  clear(): readonly Message[] {
    const left = this.listHandedOver()
    for (let next = this.#pending.shift(); next; next = this.#pending.shift()) left.push(next)
    for (const message of left) message.state = "settled"
    this.#ready = []
    this.#inFlight.clear()
    this.#waiting.clear()
    this.#heldExtras = 0
    return left
  }

  #hold(message: Message, state: "pending" | "ready" | "waiting"): void {
    message.state = state
    if (message.isExtra) this.#heldExtras++
  }

  #setReady(message: Message): void {
    this.#hold(message, "ready")
    this.#ready.splice(this.#placeOf(message), 0, message)
  }

  #remove(message: Message): void {
    const isHeld = message.state !== "in_flight" && message.state !== "settled"
    if (isHeld && message.isExtra) this.#heldExtras--
    switch (message.state) {
      case "in_flight":
        this.#inFlight.delete(message.sequence)
        return
      case "waiting":
        this.#waiting.delete(message.sequence)
        return
      case "ready":
        this.#ready.splice(this.#placeOf(message), 1)
        return
      case "pending":
        // Only the oldest is ever taken out without being handed over.
        this.#pending.shift()
        return
      case "settled":
        return
    }
  }

  /** Where it stands, or belongs, among those that are ready. */
  #placeOf({ sequence }: Message): number {
    let low = 0
    let high = this.#ready.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ready[middle]?.sequence ?? Infinity) < sequence) low = middle + 1
      else high = middle
    }
    return low
  }
}

function bySequence(a: Message, b: Message): number {
  return a.sequence - b.sequence
}

function isOlder(a: Message | undefined, b: Message | undefined): boolean {
  return a !== undefined && (b === undefined || a.sequence < b.sequence)
}
