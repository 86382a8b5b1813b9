import { FleetPromptError } from "../../errors.ts"
import { andThen, eachInOrder } from "./bus-in-order.ts"
import type { BusLog } from "./bus-log.ts"
import type { NamedTargets } from "./bus-targets.ts"
import type { Clock } from "../clock.ts"
import type { Halt, PublishContext, PublishOutcome } from "../middleware/middleware.ts"
import type { HookChain, Passage } from "../middleware/middleware-chain.ts"
import type { Router } from "../router/router.ts"
import type { Signal } from "../signal.ts"
import { type Subscriber, Tally } from "./subscription.ts"

/** What became of a signal that is in the log. */
export interface Published {
  readonly kind: "published"
  /** As it was logged, after middleware. */
  readonly signal: Signal
  /** Its number in the log, from 0. */
  readonly sequence: number
  /** How many subscribers it was for; the four below add up to it. */
  readonly matched: number
  /** Those that have it, done. */
  readonly delivered: number
  /** Those that are at it or have it in their queue. */
  readonly queued: number
  /** Those that threw. `onError` has the errors. */
  readonly failed: number
  /** Those that middleware passed by. */
  readonly skipped: number
}

/** A signal that middleware left out: it is not in the log, and no subscriber has it. */
export interface PublishSkipped {
  readonly kind: "skipped"
  readonly signal: Signal
  readonly reason: string
}

/** What became of a signal that was published. */
export type PublishResult = Published | PublishSkipped

/** What came of several signals, and what of the `after` hooks is still under way. */
export interface PublishedAll {
  /** One for each signal, unless there is an error. */
  readonly results: readonly PublishResult[]
  /** Why the publish rejects. */
  readonly error: Error | undefined
  readonly told: void | Promise<void>
}

/** What the fan-out works with. */
export interface FanOutDeps {
  readonly hooks: HookChain<PublishContext, PublishOutcome>
  readonly router: Pick<Router<Subscriber>, "route">
  readonly targets: NamedTargets
  readonly log: BusLog
  readonly clock: Clock
  /** Longest wait for room, milliseconds. */
  readonly waitTimeoutMs: number
}

/** A signal on its way through a publish. */
interface Step {
  readonly passage: Passage
  result: PublishResult | undefined
}

/**
 * Takes signals through middleware, into the log and to their subscribers. From the moment a signal is
 * routed for the last time until its subscribers have accepted it, nothing is waited for: whoever
 * subscribes from within is either among them or finds the signal in the log, never both or neither.
 */
export class FanOut {
  readonly #deps: FanOutDeps
  #isRouting = false
  #stopWaiting: ((error: Error) => void) | undefined

  constructor(deps: FanOutDeps) {
    this.#deps = deps
  }

  /** Whether guards are being asked; at that moment subscriptions must not begin. */
  get isRouting(): boolean {
    return this.#isRouting
  }

  /** Ends the wait for room that is under way. */
  close(error: Error): void {
    this.#stopWaiting?.(error)
  }

  /** Publishes a signal when there is no middleware. */
  publishOne(signal: Signal, index?: number): Published | Promise<Published> {
    const targets = this.#targetsOf(signal)
    const blocked = findBlocked(targets)
    if (!blocked) return this.#spread(signal, targets)
    if (blocked.whenFull === "refuse") throw full(blocked, "refuses what does not fit", index)
    return this.#roomOf(blocked, index).then(() => this.publishOne(signal, index))
  }

  /** Publishes several signals when there is no middleware. */
  publishSome(signals: readonly Signal[]): readonly Published[] | Promise<readonly Published[]> {
    this.#checkTargets(signals)
    const results: Published[] = []
    const publish = (signal: Signal, index: number) =>
      andThen(this.publishOne(signal, index), (result) => void results.push(result))
    return andThen(eachInOrder(signals, publish), () => results)
  }

  /**
   * Publishes signals through middleware: all pass the `before` hooks first, and when one is refused,
   * none is published.
   */
  publishThroughHooks(signals: readonly Signal[], context: PublishContext): PublishedAll | Promise<PublishedAll> {
    const { hooks, clock } = this.#deps
    const startedAt = clock.now()
    const steps: Step[] = []
    const end = (error?: Error): PublishedAll => {
      const tell = (step: Step) => hooks.after(step.passage, outcomeOf(step, error, clock.now() - startedAt), context)
      return { results: resultsOf(steps), error, told: eachInOrder(steps, tell) }
    }
    return andThen(this.#admitAll(signals, context, steps), (refusal) => {
      if (refusal) return end(refusal.error)
      return orElse(() => andThen(this.#publishSteps(steps), () => end()), end)
    })
  }

  /** Takes signals through the `before` hooks, up to the first that is refused. */
  #admitAll(
    signals: readonly Signal[],
    context: PublishContext,
    steps: Step[],
  ): Halt | undefined | Promise<Halt | undefined> {
    let refusal: Halt | undefined
    const admit = (signal: Signal) => {
      if (refusal) return
      return andThen(this.#deps.hooks.before(signal, context), (passage) => {
        steps.push({ passage, result: undefined })
        if (passage.stop?.kind === "halt") refusal = passage.stop
      })
    }
    return andThen(eachInOrder(signals, admit), () => refusal)
  }

  #publishSteps(steps: readonly Step[]): void | Promise<void> {
    this.#checkTargets(steps.filter(({ passage }) => !passage.stop).map(({ passage }) => passage.signal))
    return eachInOrder(steps, (step, index) => {
      const { signal, stop } = step.passage
      if (stop?.kind === "skip") {
        step.result = { kind: "skipped", signal, reason: stop.reason }
        return
      }
      return andThen(this.publishOne(signal, index), (result) => {
        step.result = result
      })
    })
  }

  /** Finds a target that is not there before the first signal is published. */
  #checkTargets(signals: readonly Signal[]): void {
    for (const signal of signals) this.#deps.targets.of(signal)
  }

  #targetsOf(signal: Signal): readonly Subscriber[] {
    const { router, targets } = this.#deps
    this.#isRouting = true
    try {
      const routed = router.route(signal)
      return targets.isEmpty ? routed : [...routed, ...targets.of(signal)]
    } finally {
      this.#isRouting = false
    }
  }

  #spread(signal: Signal, targets: readonly Subscriber[]): Published {
    const sequence = this.#deps.log.append(signal)
    const tally = new Tally()
    for (const target of targets) target.accept(signal, sequence, tally)
    return {
      kind: "published",
      signal,
      sequence,
      matched: targets.length,
      delivered: tally.delivered,
      queued: tally.queued,
      failed: tally.failed,
      skipped: tally.skipped,
    }
  }

  #roomOf(blocked: Subscriber, index: number | undefined): Promise<void> {
    const { clock, waitTimeoutMs } = this.#deps
    let cancel = () => {}
    const room = new Promise<void>((resolve, reject) => {
      cancel = clock.after(waitTimeoutMs, () => reject(full(blocked, `made no room within ${waitTimeoutMs} ms`, index)))
      this.#stopWaiting = reject
      blocked.onRoom(resolve)
    })
    return room.finally(() => {
      cancel()
      this.#stopWaiting = undefined
    })
  }
}

/** A subscriber that has no room and drops nothing; one that refuses before one that is waited for. */
function findBlocked(targets: readonly Subscriber[]): Subscriber | undefined {
  let blocked: Subscriber | undefined
  for (const target of targets) {
    if (target.room > 0 || target.whenFull === "drop-oldest") continue
    if (target.whenFull === "refuse") return target
    blocked ??= target
  }
  return blocked
}

/** The result of a step that may throw at once or later, else what is made of the error. */
function orElse<Value>(step: () => Value | Promise<Value>, otherwise: (error: Error) => Value): Value | Promise<Value> {
  try {
    const value = step()
    return value instanceof Promise ? value.catch(otherwise) : value
  } catch (error) {
    // What throws here are our own errors, of targets and full queues.
    return otherwise(error as Error)
  }
}

function resultsOf(steps: readonly Step[]): readonly PublishResult[] {
  return steps.map(({ result }) => result).filter((result) => result !== undefined)
}

function outcomeOf({ passage, result }: Step, error: Error | undefined, durationMs: number): PublishOutcome {
  const { stop } = passage
  if (stop?.kind === "skip") return { kind: "skipped", reason: stop.reason, durationMs }
  if (result?.kind !== "published") return { kind: "halted", error: error ?? new Error("not published"), durationMs }
  const { matched, delivered, queued, failed, skipped } = result
  return { kind: "published", matched, delivered, queued, failed, skipped, durationMs }
}

/** The place in a list of signals; the first `index` of them are published. */
function full(subscriber: Subscriber, what: string, index: number | undefined): FleetPromptError {
  const { id, maxPending } = subscriber
  return new FleetPromptError(
    "bus_full",
    `expected room for a signal, but subscription ${id} has ${maxPending} waiting and ${what}; publish more slowly, or raise its maxPending`,
    index === undefined ? {} : { path: `signals[${index}]` },
  )
}
