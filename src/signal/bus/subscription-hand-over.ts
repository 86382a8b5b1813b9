import { FleetPromptError } from "../../errors.ts"
import { type PreparedDispatch, runAttempt } from "./bus-attempt.ts"
import { isPromiseLike } from "./bus-in-order.ts"
import type { DispatchOutcome } from "../middleware/middleware.ts"
import type { Passage } from "../middleware/middleware-chain.ts"
import type { Signal } from "../signal.ts"
import type { SubscriptionDeps } from "./subscription.ts"
import { type DeliveryOwner, MessageDelivery } from "./subscription-delivery.ts"
import type { Message } from "./subscription-window.ts"

/** Whose signals are handed over, and who hears what came of it. Each delivery is heard of until it is finished. */
export interface HandOverOwner extends DeliveryOwner {
  readonly pattern: string
  readonly principal: unknown
  /** The dispatch succeeded. Heard also after the delivery was finished. */
  readonly returned: (delivery: MessageDelivery) => void
  readonly failed: (delivery: MessageDelivery, kind: "failed" | "halted", error: Error) => void
  readonly skipped: (delivery: MessageDelivery, reason: string) => void
  /** Its deadline passed. */
  readonly expired: (delivery: MessageDelivery, error: Error) => void
  /** A signal is through the `before` hooks, so the next one may go in. */
  readonly entered: () => void
}

/** A dispatch, and how it settles what it takes. */
export interface Connection {
  readonly prepared: PreparedDispatch
  /** Whether a signal is settled when the dispatch succeeded. */
  readonly settlesOnReturn: boolean
  readonly deadlineMs: number
}

/** What became of a delivery, but for its duration. */
export type Ending = WithoutDuration<DispatchOutcome>
type WithoutDuration<Outcome> = Outcome extends unknown ? Omit<Outcome, "durationMs"> : never

/** Hands messages over: through the `before` hooks, to the subscriber, and back through the `after` hooks. */
export class HandOver {
  readonly #owner: HandOverOwner
  readonly #deps: SubscriptionDeps
  #isEntering = false

  constructor(owner: HandOverOwner, deps: SubscriptionDeps) {
    this.#owner = owner
    this.#deps = deps
  }

  /** Whether a signal is with the `before` hooks; until it is through, none may pass it. */
  get isEntering(): boolean {
    return this.#isEntering
  }

  /** Begins to hand a message over. The owner may hear of its end before this returns. */
  begin(message: Message, connection: Connection, remember: (delivery: MessageDelivery) => void): void {
    const { hooks, clock } = this.#deps
    const { prepared, deadlineMs } = connection
    const delivery = this.#newDelivery(message, connection)
    remember(delivery)
    delivery.cancelDeadline = clock.after(deadlineMs, () =>
      this.#owner.expired(delivery, tooLate(delivery, deadlineMs)),
    )
    if (hooks.isEmpty) return this.#deliver(delivery, message.signal, prepared)
    const passage = hooks.before(message.signal, delivery.context)
    if (passage instanceof Promise) this.#enterLater(delivery, passage, prepared)
    else this.#goOn(delivery, passage, prepared)
  }

  /** Ends a delivery once: its deadline, its part in the activity, and the `after` hooks hear of it. */
  finish(delivery: MessageDelivery, ending: Ending): void {
    delivery.isOver = true
    delivery.cancelDeadline?.()
    this.#leave(delivery)
    if (this.#deps.hooks.isEmpty) return
    delivery.outcome = { ...ending, durationMs: this.#deps.clock.now() - delivery.startedAt }
    if (delivery.passage) this.#tell(delivery, delivery.passage, delivery.outcome)
  }

  #newDelivery(message: Message, { settlesOnReturn }: Connection): MessageDelivery {
    const { id, pattern, principal } = this.#owner
    const path = message.isRedriven ? "redrive" : "persistent"
    const context = { path, subscription: id, pattern, principal, attempt: message.attempts } as const
    return new MessageDelivery(this.#owner, { message, context, settlesOnReturn, startedAt: this.#deps.clock.now() })
  }

  #enterLater(delivery: MessageDelivery, passage: Promise<Passage>, prepared: PreparedDispatch): void {
    this.#isEntering = true
    const entered = passage.then((through) => {
      this.#isEntering = false
      this.#goOn(delivery, through, prepared)
      this.#owner.entered()
    })
    this.#deps.activity.during(entered)
  }

  #goOn(delivery: MessageDelivery, passage: Passage, prepared: PreparedDispatch): void {
    delivery.passage = passage
    // It may have ended while it was with the hooks.
    if (delivery.outcome) return this.#tell(delivery, passage, delivery.outcome)
    const { stop, signal } = passage
    if (!stop) return this.#deliver(delivery, signal, prepared)
    if (stop.kind === "skip") this.#owner.skipped(delivery, stop.reason)
    else this.#owner.failed(delivery, "halted", stop.error)
  }

  #deliver(delivery: MessageDelivery, signal: Signal, prepared: PreparedDispatch): void {
    try {
      const result = this.#call(delivery, signal, prepared)
      if (isPromiseLike(result)) this.#wait(delivery, result)
      else this.#owner.returned(delivery)
    } catch (error) {
      this.#owner.failed(delivery, "failed", asError(error))
    }
  }

  /** A function has until the deadline; adapters and lists have their own limits too. */
  #call(delivery: MessageDelivery, signal: Signal, prepared: PreparedDispatch): unknown {
    if (prepared.kind === "function") return prepared.deliver(signal, delivery)
    return runAttempt(prepared, signal, delivery, this.#deps.clock)
  }

  #wait(delivery: MessageDelivery, result: PromiseLike<unknown>): void {
    if (!delivery.isOver) {
      delivery.isUnderWay = true
      this.#deps.activity.begin()
    }
    Promise.resolve(result).then(
      () => {
        this.#leave(delivery)
        this.#owner.returned(delivery)
      },
      (error: unknown) => this.#owner.failed(delivery, "failed", asError(error)),
    )
  }

  #leave(delivery: MessageDelivery): void {
    if (!delivery.isUnderWay) return
    delivery.isUnderWay = false
    this.#deps.activity.end()
  }

  #tell({ context }: MessageDelivery, passage: Passage, outcome: DispatchOutcome): void {
    const told = this.#deps.hooks.after(passage, outcome, context)
    if (told) this.#deps.activity.during(told)
  }
}

function tooLate({ message, subscription }: MessageDelivery, deadlineMs: number): FleetPromptError {
  return new FleetPromptError(
    "ack_timeout",
    `expected ${subscription} to settle signal ${message.signal.id} within ${deadlineMs} ms, but it did not; it comes again, or becomes a dead letter after the last try`,
  )
}

/** What was thrown, as an error whose cause it is. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  return new FleetPromptError("dispatch_failed", "expected the subscriber to take the signal, but it refused", {
    cause: thrown,
  })
}
