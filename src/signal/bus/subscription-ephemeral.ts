import { Attempt, type PreparedDispatch, runAttempt } from "./bus-attempt.ts"
import { describeFailure } from "./bus-failure.ts"
import { Fifo } from "./bus-fifo.ts"
import { andThen } from "./bus-in-order.ts"
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
  readonly #deps: SubscriptionDeps
  readonly #maxInFlight: number
  readonly #queue = new Fifo<Waiting>()
  readonly #attempts = new Set<Attempt>()
  #inFlight = 0
  /** Whether a signal is still with the `before` hooks; until it is through, none may pass it. */
  #isEntering = false
  #hasEnded = false
  #wake: (() => void) | undefined
  #delivered = 0
  #failed = 0
  #skipped = 0
  #dropped = 0

  constructor({ id, pattern, prepared, options, deps }: SubscriptionParts<SubscribeOptions>) {
    this.id = id
    this.pattern = pattern
    this.whenFull = checkWhenFull(options.whenFull)
    this.principal = options.principal
    this.maxPending = checkLimit("maxPending", options.maxPending ?? DEFAULT_MAX_PENDING)
    this.#maxInFlight = checkLimit("maxInFlight", options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT)
    const { timeoutMs } = options
    this.#prepared = timeoutMs === undefined ? prepared : { ...prepared, timeoutMs: checkMs("timeoutMs", timeoutMs) }
    this.#deps = deps
  }

  get room(): number {
    return this.maxPending - this.#queue.length
  }

  onRoom(wake: () => void): void {
    this.#wake = wake
  }

  accept(signal: Signal, _sequence: number, tally: Tally): void {
    if (this.#hasEnded) {
      tally.skipped++
    } else if (this.#canStart && this.#queue.length === 0) {
      this.#start(signal, tally, true)
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
      failed: this.#failed,
      skipped: this.#skipped,
      dropped: this.#dropped,
    }
  }

  end(reason: Error): readonly Signal[] {
    this.#hasEnded = true
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
      this.#start(next.signal, next.tally, false)
    }
    if (this.room > 0) this.#tellRoom()
  }

  /** @param isFirst whether the publish is still counting what comes of it */
  #start(signal: Signal, tally: Tally, isFirst: boolean): void {
    this.#inFlight++
    const pending = this.#deps.hooks.isEmpty ? this.#deliver(signal) : this.#deliverThroughHooks(signal, tally)
    if (pending instanceof Promise) {
      if (isFirst) tally.queued++
      this.#deps.activity.during(pending.then((outcome) => this.#finish(outcome)).then(() => this.#pump()))
      return
    }
    if (isFirst) tally[pending.kind === "halted" ? "failed" : pending.kind]++
    this.#finish(pending)
  }

  #finish(outcome: Result): void {
    this.#inFlight--
    if (outcome.kind === "delivered") this.#delivered++
    else if (outcome.kind === "skipped") this.#skipped++
    else this.#failed++
  }

  /** Never rejects. */
  #deliver(signal: Signal): Result | Promise<Result> {
    const attempt = new Attempt(1)
    try {
      const pending = runAttempt(this.#prepared, signal, attempt, this.#deps.clock)
      if (!pending) return DELIVERED
      this.#attempts.add(attempt)
      return pending
        .then(
          () => DELIVERED,
          (error: unknown) => this.#fail(error, signal),
        )
        .finally(() => this.#attempts.delete(attempt))
    } catch (error) {
      return this.#fail(error, signal)
    }
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
    this.#dropped++
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
