import type { PreparedDispatch } from "./bus-attempt.ts"
import { describeFailure } from "./bus-failure.ts"
import { andThen } from "./bus-in-order.ts"
import type { LoggedSignal } from "./bus-log.ts"
import type { Signal } from "../signal.ts"
import {
  checkLimit,
  checkMs,
  checkWhenFull,
  invalidOption,
  type NackOptions,
  type PersistentOptions,
  type Subscriber,
  type SubscriptionInfo,
  type SubscriptionParts,
  type Tally,
  type WhenFull,
} from "./subscription.ts"
import {
  type Checkpoint,
  CheckpointSaver,
  type CheckpointStore,
  type DeadLetter,
  remainderAfter,
} from "./subscription-checkpoint.ts"
import { type LogPlace, MessageFlow } from "./subscription-flow.ts"
import type { Connection } from "./subscription-hand-over.ts"
import { retryPlan } from "./subscription-retry.ts"

/** The defaults of `PersistentOptions`. */
const DEFAULT_MAX_IN_FLIGHT = 100
const DEFAULT_MAX_PENDING = 10_000
const DEFAULT_MAX_DEAD_LETTERS = 1_000
const DEFAULT_ACK_DEADLINE_MS = 30_000

/** Where a persistent subscription joins the log. */
export interface Joining {
  /** What the log holds: all of it when there is a checkpoint store, else from the start on. */
  readonly log: readonly LoggedSignal[]
  /** The number to start at when there is no checkpoint. */
  readonly start: number
  /** Whether what the start asks for is no longer held. */
  readonly truncated: boolean
  /** Whether a signal of the log is for this subscription. */
  readonly wants: (signal: Signal) => boolean
}

/** Has each signal handed over until it is settled: takes them from the bus, and keeps the checkpoint. */
export class PersistentSubscription implements Subscriber {
  readonly id: string
  readonly pattern: string
  readonly whenFull: WhenFull
  readonly principal: unknown
  readonly maxPending: number
  readonly #options: PersistentOptions
  readonly #flow: MessageFlow
  readonly #store: CheckpointStore | undefined
  readonly #saver: CheckpointSaver
  /** What is published while the checkpoint is being read; it comes behind what the log held before. */
  #early: LoggedSignal[] | undefined = []
  #hasEnded = false
  #wake: (() => void) | undefined

  constructor(parts: SubscriptionParts<PersistentOptions>, store?: CheckpointStore) {
    const { id, pattern, prepared, options, deps } = parts
    this.id = id
    this.pattern = pattern
    this.whenFull = checkWhenFull(options.whenFull)
    this.principal = options.principal
    this.maxPending = checkLimit("maxPending", options.maxPending ?? DEFAULT_MAX_PENDING)
    this.#options = options
    this.#flow = new MessageFlow({
      id,
      pattern,
      principal: options.principal,
      maxInFlight: checkLimit("maxInFlight", options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT),
      maxDeadLetters: checkLimit("maxDeadLetters", options.maxDeadLetters ?? DEFAULT_MAX_DEAD_LETTERS),
      plan: retryPlan(options.retry ?? {}, deps.clock, deps.random),
      deps,
      onProgress: () => this.#markProgress(),
      onRoom: () => this.#tellRoom(),
    })
    this.#flow.connect(connectionOf(prepared, options))
    this.#store = store
    this.#saver = new CheckpointSaver(
      () => this.#save(),
      (error) => deps.report(error, { kind: "checkpoint", subscription: id }),
    )
  }

  get room(): number {
    return this.maxPending - this.#flow.heldWithinLimit - (this.#early?.length ?? 0)
  }

  onRoom(wake: () => void): void {
    this.#wake = wake
  }

  accept(signal: Signal, sequence: number, tally: Tally): void {
    if (this.#hasEnded) return void tally.skipped++
    if (this.room <= 0 && this.whenFull === "drop-oldest") this.#dropOldest()
    if (this.#early) {
      this.#early.push({ signal, sequence })
      tally.queued++
      return
    }
    const message = this.#flow.add({ signal, sequence }, false)
    this.#flow.pump()
    if (message.settledAs === undefined || message.settledAs === "dropped") tally.queued++
    else tally[message.settledAs]++
  }

  /** Begins to work, at once or when the checkpoint has been read. Returns whether signals are lost to it. */
  join(joining: Joining): boolean | Promise<boolean> {
    try {
      return andThen(this.#store?.load(this.id), (checkpoint) => this.#joinAfter(checkpoint, joining))
    } catch (error) {
      // A store that throws at once is told of in the same way as one that rejects.
      return Promise.reject(error)
    }
  }

  /** Hands over no more, and takes back what is not settled. */
  disconnect(): void {
    this.#flow.connect(undefined)
    this.#flow.takeBack("the subscription was disconnected")
  }

  /** Goes on with another dispatch, after what was settled, in log order. */
  reconnect(prepared: PreparedDispatch): void {
    const connection = connectionOf(prepared, this.#options)
    this.disconnect()
    this.#flow.connect(connection)
    if (!this.#early) this.#flow.pump()
  }

  /** Hands over no more; what is with the subscriber may still be settled. */
  pause(): void {
    this.#flow.connect(undefined)
  }

  acknowledge(signalId: string): boolean {
    return this.#flow.acknowledge(signalId)
  }

  refuse(signalId: string, reason: unknown, options: NackOptions): boolean {
    return this.#flow.refuse(signalId, reason, options)
  }

  deadLetters(): readonly DeadLetter[] {
    return this.#flow.letters
  }

  redrive(ids?: readonly string[]): number {
    return this.#flow.redrive(ids)
  }

  discard(ids?: readonly string[]): number {
    return this.#flow.discard(ids)
  }

  info(): SubscriptionInfo {
    const { id, pattern } = this
    const state = this.#flow.state
    return { id, pattern, persistent: true, ...state, pending: state.pending + (this.#early?.length ?? 0) }
  }

  end(reason: Error): readonly Signal[] {
    this.#hasEnded = true
    this.#flow.connect(undefined)
    this.#flow.takeBack(describeFailure(reason))
    const left = [...this.#flow.clear(), ...(this.#early ?? [])]
    this.#tellRoom()
    return left.map(({ signal }) => signal)
  }

  /** Resolves when the store has all that was settled so far. */
  flush(): Promise<void> {
    return this.#saver.flush()
  }

  /** Takes its checkpoint out of the store. */
  async forget(): Promise<void> {
    await this.#saver.stop()
    await this.#store?.remove(this.id)
  }

  #joinAfter(checkpoint: Checkpoint | undefined, { log, start, truncated, wants }: Joining): boolean {
    const remainder = checkpoint
      ? remainderAfter(checkpoint, log)
      : { signals: log.filter(({ sequence }) => sequence >= start), truncated }
    if (this.#hasEnded) return remainder.truncated
    this.#flow.begin(placeOf(checkpoint, log, start), checkpoint?.deadLetters ?? [], log)
    for (const logged of remainder.signals) if (wants(logged.signal)) this.#flow.add(logged, true)
    for (const logged of this.#early ?? []) this.#flow.add(logged, false)
    this.#early = undefined
    this.#markProgress()
    this.#flow.pump()
    return remainder.truncated
  }

  #dropOldest(): void {
    if (this.#flow.dropOldest()) return
    const dropped = this.#early?.shift()
    if (dropped) this.#flow.drop(dropped.signal, "pending")
  }

  /** A subscription that has ended holds nothing, which must not become its checkpoint. */
  #save(): void | Promise<void> {
    if (this.#hasEnded) return
    const checkpoint = { after: this.#flow.place.id, open: this.#flow.listOpen(), deadLetters: this.#flow.letters }
    return this.#store?.save(this.id, checkpoint)
  }

  #markProgress(): void {
    if (this.#store) this.#saver.mark()
  }

  #tellRoom(): void {
    if (!this.#wake || (this.room <= 0 && !this.#hasEnded)) return
    const wake = this.#wake
    this.#wake = undefined
    wake()
  }
}

/** A dispatch with how it settles, checked. */
function connectionOf(prepared: PreparedDispatch, { ack, ackDeadlineMs }: PersistentOptions): Connection {
  if (ack !== undefined && ack !== "explicit" && ack !== "on-return")
    throw invalidOption("ack", `"explicit" or "on-return"`, ack)
  const settlesOnReturn = (ack ?? (prepared.kind === "function" ? "explicit" : "on-return")) === "on-return"
  const deadlineMs = ackDeadlineMs ?? (settlesOnReturn ? prepared.timeoutMs : DEFAULT_ACK_DEADLINE_MS)
  return { prepared, settlesOnReturn, deadlineMs: checkMs("ackDeadlineMs", deadlineMs) }
}

/** The place that a checkpoint names, or the one before the start; before the oldest when it is no longer held. */
function placeOf(checkpoint: Checkpoint | undefined, log: readonly LoggedSignal[], start: number): LogPlace {
  const place = checkpoint
    ? log.find(({ signal }) => signal.id === checkpoint.after)
    : log.findLast(({ sequence }) => sequence < start)
  return place ? { sequence: place.sequence, id: place.signal.id } : { sequence: -1, id: null }
}
