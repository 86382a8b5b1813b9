import { FleetPromptError } from "../../errors.ts"
import { describeFailure } from "./bus-failure.ts"
import type { LoggedSignal } from "./bus-log.ts"
import type { Signal } from "../signal.ts"
import type { NackOptions, SubscriptionDeps, SubscriptionInfo } from "./subscription.ts"
import type { DeadLetter } from "./subscription-checkpoint.ts"
import { DeadLetters } from "./subscription-dead-letters.ts"
import type { MessageDelivery } from "./subscription-delivery.ts"
import { asError, type Connection, type Ending, HandOver, type HandOverOwner } from "./subscription-hand-over.ts"
import { clampMs, type RetryPlan } from "./subscription-retry.ts"
import { type Message, MessageWindow } from "./subscription-window.ts"

/** How a flow stands. */
type FlowState = Omit<SubscriptionInfo, "id" | "pattern" | "persistent">

/** What a flow is made of. */
export interface MessageFlowOptions {
  readonly id: string
  readonly pattern: string
  readonly principal: unknown
  readonly maxInFlight: number
  readonly maxDeadLetters: number
  readonly plan: RetryPlan
  readonly deps: SubscriptionDeps
  /** Called when what a checkpoint holds has changed. */
  readonly onProgress: () => void
  /** Called when there may be room for more. */
  readonly onRoom: () => void
}

/**
 * Moves the messages of a persistent subscription until each is settled. The window is the authority on
 * the state of each; deliveries come and go around it. A message is settled once, whichever of its tries
 * says so first: a try that is over can still acknowledge, since what it did is done, but no longer refuse.
 */
export class MessageFlow {
  readonly #options: MessageFlowOptions
  readonly #deps: SubscriptionDeps
  readonly #window = new MessageWindow()
  readonly #letters: DeadLetters
  readonly #handOver: HandOver
  /** The delivery of each message in flight. */
  readonly #deliveries = new Map<Message, MessageDelivery>()
  /** What ends the wait of each message that waits. */
  readonly #waits = new Map<Message, () => void>()
  readonly #counts = { delivered: 0, failed: 0, skipped: 0, dropped: 0 }
  /** The newest message that is settled, or the place before the first. */
  #place: LogPlace = { sequence: -1, id: null }
  #connection: Connection | undefined
  #isPumping = false

  constructor(options: MessageFlowOptions) {
    this.#options = options
    this.#deps = options.deps
    this.#letters = new DeadLetters(options.maxDeadLetters)
    this.#handOver = new HandOver(this.#owner(), options.deps)
  }

  /** How it stands. */
  get state(): FlowState {
    return {
      connected: this.#connection !== undefined,
      pending: this.#window.held,
      inFlight: this.#window.inFlight,
      deadLetters: this.#letters.size,
      ...this.#counts,
    }
  }

  /** How many wait to be handed over, without those that are held besides the limit. */
  get heldWithinLimit(): number {
    return this.#window.heldWithinLimit
  }

  get letters(): readonly DeadLetter[] {
    return this.#letters.list()
  }

  /** The newest message that is settled, or the place before the first. */
  get place(): LogPlace {
    return this.#place
  }

  /** Ids of the messages up to the place that are not settled, oldest first. */
  listOpen(): readonly string[] {
    return this.#window.listUpTo(this.#place.sequence).map(({ signal }) => signal.id)
  }

  /** Begins at a place of the log, with the dead letters of before. */
  begin(place: LogPlace, letters: readonly DeadLetter[], log: readonly LoggedSignal[]): void {
    this.#place = place
    const rankOf = new Map(log.map(({ signal, sequence }) => [signal.id, sequence]))
    const ranked = letters.toSorted((a, b) => (rankOf.get(a.signal.id) ?? -1) - (rankOf.get(b.signal.id) ?? -1))
    for (const letter of letters) {
      // Numbers below those of the log, in its order, so that they go first when they are redriven.
      const sequence = ranked.indexOf(letter) - letters.length
      this.#bury(newMessage(letter.signal, sequence, letter.attempts), letter)
    }
  }

  /** Adds a signal behind all others. Nothing is handed over before `pump`. */
  add({ signal, sequence }: LoggedSignal, isExtra: boolean): Message {
    const message = newMessage(signal, sequence, 0)
    message.isExtra = isExtra
    this.#window.add(message)
    return message
  }

  /** Hands over what may be handed over. */
  pump(): void {
    // Subscribers that settle at once come back here from within.
    if (this.#isPumping) return
    this.#isPumping = true
    while (this.#connection && this.#window.inFlight < this.#options.maxInFlight && !this.#handOver.isEntering) {
      const message = this.#window.take()
      if (!message) break
      this.#handOver.begin(message, this.#connection, (delivery) => this.#deliveries.set(message, delivery))
    }
    this.#isPumping = false
    this.#options.onRoom()
  }

  /** Sets the dispatch that messages are handed to; none hands over no more. What is in flight stays there. */
  connect(connection: Connection | undefined): void {
    this.#connection = connection
  }

  /** What is in flight or waits becomes due at once, in log order. Such a try does not count: it did not fail. */
  takeBack(reason: string): void {
    for (const message of this.#window.listWaiting()) {
      this.#endWait(message)
      this.#window.makeReady(message)
    }
    for (const message of this.#window.listInFlight()) {
      const delivery = this.#deliveries.get(message)
      message.attempts--
      this.#window.makeReady(message)
      this.#finish(message, { kind: "skipped", reason })
      delivery?.end(new FleetPromptError("subscription_ended", reason))
    }
  }

  /** Settles the signal of this id, when it was handed over and is not settled. */
  acknowledge(signalId: string): boolean {
    const message = this.#window.findHandedOver(signalId)
    return message !== undefined && this.#acknowledge(message)
  }

  /** Fails the try of the signal of this id that is under way. */
  refuse(signalId: string, reason: unknown, options: NackOptions): boolean {
    const message = this.#window.findHandedOver(signalId)
    const delivery = message && this.#deliveries.get(message)
    return delivery !== undefined && this.#refuse(delivery, reason, options)
  }

  /** Has dead letters handed over again, with all their tries, and returns how many. */
  redrive(ids?: readonly string[]): number {
    const messages = this.#letters.take(ids)
    for (const message of messages) {
      Object.assign(message, { attempts: 0, isExtra: true, isRedriven: true })
      this.#window.addAgain(message)
    }
    this.#options.onProgress()
    this.pump()
    return messages.length
  }

  /** Forgets dead letters, and returns how many. */
  discard(ids?: readonly string[]): number {
    const { length } = this.#letters.take(ids)
    this.#options.onProgress()
    return length
  }

  /** Drops the oldest message that waits, and says whether there was one. */
  dropOldest(): boolean {
    const message = this.#window.oldestHeld()
    if (!message) return false
    this.#retire(message, "dropped")
    this.drop(message.signal, "pending")
    return true
  }

  /** Counts and reports a signal that is dropped. */
  drop(signal: Signal, from: "pending" | "dead_letters"): void {
    this.#counts.dropped++
    this.#deps.drop({ signal, subscription: this.#options.id, from })
  }

  /** Takes out everything and returns it. */
  clear(): readonly Message[] {
    return this.#window.clear()
  }

  #owner(): HandOverOwner {
    const { id, pattern, principal } = this.#options
    return {
      id,
      pattern,
      principal,
      acknowledge: (delivery) => !delivery.isNacked && this.#acknowledge(delivery.message),
      refuse: (delivery, reason, options) => this.#refuse(delivery, reason, options),
      returned: (delivery) => {
        if (delivery.settlesOnReturn && !delivery.isNacked) this.#acknowledge(delivery.message)
      },
      failed: (delivery, kind, error) => void this.#fail(delivery, kind, error),
      skipped: (delivery, reason) => this.#settle(delivery.message, { kind: "skipped", reason }),
      expired: (delivery, error) => {
        delivery.end(error)
        this.#fail(delivery, "failed", error, 0)
      },
      entered: () => this.pump(),
    }
  }

  #acknowledge(message: Message): boolean {
    if (message.state === "settled") return false
    this.#settle(message, { kind: "delivered" })
    return true
  }

  #refuse(delivery: MessageDelivery, reason: unknown, { delayMs }: NackOptions): boolean {
    if (delivery.isOver) return false
    delivery.isNacked = true
    return this.#fail(delivery, "failed", asError(reason), delayMs === undefined ? undefined : clampMs(delayMs))
  }

  /** Here and below the state changes first and hooks hear of it afterwards, since they may use the bus. */
  #settle(message: Message, ending: Ending & { readonly kind: "delivered" | "skipped" }): void {
    this.#retire(message, ending.kind)
    this.#counts[ending.kind]++
    this.#finish(message, ending)
    this.pump()
  }

  #fail(delivery: MessageDelivery, kind: "failed" | "halted", error: Error, delayMs?: number): boolean {
    if (delivery.isOver) return false
    const { message } = delivery
    const next = this.#options.plan(message.attempts, error)
    if (next === "give-up") this.#giveUp(message, error)
    else this.#tryAgain(message, delayMs ?? next.afterMs)
    this.#finish(message, { kind, error, final: next === "give-up" })
    this.pump()
    return true
  }

  #finish(message: Message, ending: Ending): void {
    const delivery = this.#deliveries.get(message)
    this.#deliveries.delete(message)
    if (delivery) this.#handOver.finish(delivery, ending)
  }

  #tryAgain(message: Message, afterMs: number): void {
    if (afterMs === 0) return this.#window.makeReady(message)
    this.#window.makeWait(message)
    const cancel = this.#deps.clock.after(afterMs, () => {
      this.#waits.delete(message)
      this.#window.makeReady(message)
      this.pump()
    })
    this.#waits.set(message, cancel)
  }

  #endWait(message: Message): void {
    this.#waits.get(message)?.()
    this.#waits.delete(message)
  }

  #giveUp(message: Message, error: Error): void {
    const { signal, attempts } = message
    const time = new Date(this.#deps.clock.now()).toISOString()
    this.#counts.failed++
    this.#bury(message, { signal, attempts, reason: describeFailure(error), time })
    this.#retire(message, "failed")
    this.#deps.report(error, { kind: "dead_letter", subscription: this.#options.id, signal })
  }

  #bury(message: Message, letter: DeadLetter): void {
    const dropped = this.#letters.add(message, letter)
    if (dropped) this.drop(dropped.signal, "dead_letters")
  }

  /** Takes a message out for good. */
  #retire(message: Message, settledAs: Message["settledAs"]): void {
    this.#endWait(message)
    this.#window.settle(message)
    message.settledAs = settledAs
    if (message.sequence > this.#place.sequence) this.#place = { sequence: message.sequence, id: message.signal.id }
    this.#options.onProgress()
  }
}

/** A signal of the log after which to go on. */
export interface LogPlace {
  readonly sequence: number
  /** Null: before the oldest. */
  readonly id: string | null
}

function newMessage(signal: Signal, sequence: number, attempts: number): Message {
  return {
    sequence,
    signal,
    attempts,
    state: "settled",
    settledAs: undefined,
    isExtra: false,
    isRedriven: false,
  }
}
