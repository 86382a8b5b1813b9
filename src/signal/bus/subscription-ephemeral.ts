import { Attempt, type PreparedDispatch, waitForAttempt } from "./bus-attempt.ts"
import { describeFailure } from "./bus-failure.ts"
import { Fifo } from "./bus-fifo.ts"
import { andThen, isPromiseLike } from "./bus-in-order.ts"
import type { DispatchHookContext, DispatchOutcome } from "../middleware/middleware.ts"
import type { Passage } from "../middleware/middleware-chain.ts"
import type { Signal } from "../signal.ts"
import {
  checkLimit,
  checkMs,
  checkWhenFull,
  type SubscribeOptions,
  type Subscriber,
  type SubscriptionDeps,
  type SubscriptionInfo,
  type SubscriptionParts,
  type Tally,
  type WhenFull,
} from "./subscription.ts"

/** The defaults of `SubscribeOptions`. */
const DEFAULT_MAX_IN_FLIGHT = 1
const DEFAULT_MAX_PENDING = 1_000

/** A signal that waits. */
interface Waiting {
  readonly signal: Signal
  readonly tally: Tally
}

/**
 * Hands each signal over once, in order. A function that returns at once has it within `publish`; one
 * that returns a promise is under way until that settles or its time is over, and signals wait in the
 * queue meanwhile. Whatever it does, the next one comes.
 */
export class EphemeralSubscription implements Subscriber {
  readonly id: string
  readonly pattern: string
  readonly whenFull: WhenFull
  readonly principal: unknown
  readonly maxPending: number
  readonly #prepared: PreparedDispatch
  /** `deliver` of the same, at hand. */
  readonly #target: PreparedDispatch["deliver"]
  readonly #deps: SubscriptionDeps
  readonly #maxInFlight: number
  readonly #queue = new Fifo<Waiting>()
  readonly #attempts = new Set<Attempt>()
  /** While it is 0, nothing waits either. */
  #inFlight = 0
  /** Whether nothing but room decides about a signal: there are no hooks, and it has not ended. */
  #isPlain: boolean
  /** Whether a signal is still with the `before` hooks; until it is through, none may pass it. */
  #isEntering = false
  #hasEnded = false
  #wake: (() => void) | undefined
  #delivered = 0
  readonly #others = { failed: 0, skipped: 0, dropped: 0 }

  constructor({ id, pattern, prepared, options, deps }: SubscriptionParts<SubscribeOptions>) {
    this.id = id
    this.pattern = pattern
    this.whenFull = checkWhenFull(options.whenFull)
    this.principal = options.principal
    this.maxPending = checkLimit("maxPending", options.maxPending ?? DEFAULT_MAX_PENDING)
    this.#maxInFlight = checkLimit("maxInFlight", options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT)
    const { timeoutMs } = options
    this.#prepared = timeoutMs === undefined ? prepared : { ...prepared, timeoutMs: checkMs("timeoutMs", timeoutMs) }
    this.#target = prepared.deliver
    this.#deps = deps
    this.#isPlain = deps.hooks.isEmpty
  }

  get room(): number {
    return this.maxPending - this.#queue.length
  }

  onRoom(wake: () => void): void {
    this.#wake = wake
  }

  accept(signal: Signal, _sequence: number, tally: Tally): void {
    if (this.#isPlain && this.#inFlight === 0) {
      this.#acceptAtOnce(signal, tally)
    } else if (this.#hasEnded) {
      tally.skipped++
    } else if (this.#canStart && this.#queue.length === 0) {
      this.#start(signal, tally, tally)
    } else {
      if (this.room <= 0 && this.whenFull === "drop-oldest") this.#dropOldest()
      this.#queue.push({ signal, tally })
      tally.queued++
    }
  }

  info(): SubscriptionInfo {
    return {
      id: this.id,
      pattern: this.pattern,
      persistent: false,
      connected: !this.#hasEnded,
      pending: this.#queue.length,
      inFlight: this.#inFlight,
      deadLetters: 0,
      delivered: this.#delivered,
      ...this.#others,
    }
  }

  end(reason: Error): readonly Signal[] {
    this.#hasEnded = true
    this.#isPlain = false
    const left: Signal[] = []
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) left.push(next.signal)
    for (const attempt of this.#attempts) attempt.end(reason)
    this.#tellRoom()
    return left
  }

  get #canStart(): boolean {
    return this.#inFlight < this.#maxInFlight && !this.#isEntering
  }

  #pump(): void {
    while (this.#canStart) {
      const next = this.#queue.shift()
      if (!next) break
      this.#start(next.signal, next.tally, undefined)
    }
    if (this.room > 0) this.#tellRoom()
  }

  /** What `#start` does when nothing is in the way, in the fewest steps, since most signals come here. */
  #acceptAtOnce(signal: Signal, tally: Tally): void {
    this.#inFlight = 1
    const attempt = new Attempt(1)
    try {
      const result = this.#target(signal, attempt)
      if (isPromiseLike(result)) return this.#settleLater(this.#waitFor(result, attempt, signal), tally)
      this.#inFlight = 0
      this.#delivered++
      tally.delivered++
    } catch (error) {
      this.#settle(this.#fail(error, signal), tally)
    }
  }

  /** @param tally of the publish under way, which counts what comes of it; none for what has waited */
  #start(signal: Signal, round: Tally, tally: Tally | undefined): void {
    this.#inFlight++
    const pending = this.#isPlain ? this.#deliver(signal) : this.#deliverThroughHooks(signal, round)
    if (pending instanceof Promise) this.#settleLater(pending, tally)
    else this.#settle(pending, tally)
  }

  #settleLater(pending: Promise<Result>, tally: Tally | undefined): void {
    if (tally) tally.queued++
    const settled = pending.then((result) => {
      this.#settle(result, undefined)
      this.#pump()
    })
    this.#deps.activity.during(settled)
  }

  #settle({ kind }: Result, tally: Tally | undefined): void {
    this.#inFlight--
    const count = kind === "halted" ? "failed" : kind
    if (count === "delivered") this.#delivered++
    else this.#others[count]++
    if (tally) tally[count]++
  }

  /** Never rejects. */
  #deliver(signal: Signal): Result | Promise<Result> {
    const attempt = new Attempt(1)
    try {
      const result = this.#target(signal, attempt)
      return isPromiseLike(result) ? this.#waitFor(result, attempt, signal) : DELIVERED
    } catch (error) {
      return this.#fail(error, signal)
    }
  }

  #waitFor(result: PromiseLike<unknown>, attempt: Attempt, signal: Signal): Promise<Result> {
    this.#attempts.add(attempt)
    return waitForAttempt(result, this.#prepared, attempt, this.#deps.clock)
      .then(
        () => DELIVERED,
        (error: unknown) => this.#fail(error, signal),
      )
      .finally(() => this.#attempts.delete(attempt))
  }

  #fail(error: unknown, signal: Signal): Result {
    if (this.#hasEnded) return { kind: "skipped", reason: ENDED }
    this.#deps.report(error, { kind: "subscriber", subscription: this.id, signal })
    return { kind: "failed", error }
  }

  #deliverThroughHooks(signal: Signal, tally: Tally): Result | Promise<Result> {
    if (tally.halted !== undefined) return { kind: "skipped", reason: tally.halted }
    const { hooks, clock } = this.#deps
    const context = {
      path: "publish",
      subscription: this.id,
      pattern: this.pattern,
      principal: this.principal,
      attempt: 1,
    } as const
    const startedAt = clock.now()
    const goOn = (passage: Passage) => this.#deliverPassed(passage, context, startedAt, tally)
    const passage = hooks.before(signal, context)
    if (!(passage instanceof Promise)) return goOn(passage)
    this.#isEntering = true
    return passage.then((through) => {
      this.#isEntering = false
      const result = goOn(through)
      this.#pump()
      return result
    })
  }

  #deliverPassed(
    passage: Passage,
    context: DispatchHookContext,
    startedAt: number,
    tally: Tally,
  ): Result | Promise<Result> {
    const { hooks, clock, activity } = this.#deps
    return andThen(this.#deliverUnlessStopped(passage, tally), (result) => {
      const told = hooks.after(passage, outcomeOf(result, clock.now() - startedAt), context)
      if (told) activity.during(told)
      return result
    })
  }

  #deliverUnlessStopped({ signal, stop }: Passage, tally: Tally): Result | Promise<Result> {
    if (stop?.kind === "skip") return { kind: "skipped", reason: stop.reason }
    if (stop?.kind === "halt") {
      tally.halted = `halted for ${this.id}: ${describeFailure(stop.error)}`
      this.#deps.report(stop.error, { kind: "middleware", subscription: this.id, signal })
      return { kind: "halted", error: stop.error }
    }
    if (tally.halted !== undefined) return { kind: "skipped", reason: tally.halted }
    return this.#hasEnded ? { kind: "skipped", reason: ENDED } : this.#deliver(signal)
  }

  #dropOldest(): void {
    const oldest = this.#queue.shift()
    if (!oldest) return
    this.#others.dropped++
    this.#deps.drop({ signal: oldest.signal, subscription: this.id, from: "pending" })
  }

  #tellRoom(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

/** What became of a signal here. */
type Result =
  | { readonly kind: "delivered" }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "halted"; readonly error: Error }

const ENDED = "the subscription ended"
const DELIVERED: Result = Object.freeze({ kind: "delivered" })

function outcomeOf(result: Result, durationMs: number): DispatchOutcome {
  switch (result.kind) {
    case "delivered":
    case "skipped":
      return { ...result, durationMs }
    case "failed":
    case "halted":
      return { ...result, final: true, durationMs }
  }
}
