import { FleetPromptError } from "../../errors.ts"
import type { BusLog } from "./bus-log.ts"
import type { Dispatch, Dispatcher } from "../dispatch/dispatcher.ts"
import { newId } from "../id.ts"
import { createRouter, type Route, type Router, type RouterOptions } from "../router/router.ts"
import type { Signal } from "../signal.ts"
import {
  type Delivery,
  invalidOption,
  type PersistentOptions,
  type SubscribeOptions,
  type Subscriber,
  type Subscription,
  type SubscriptionDeps,
} from "./subscription.ts"
import type { CheckpointStore } from "./subscription-checkpoint.ts"
import { EphemeralSubscription } from "./subscription-ephemeral.ts"
import { PersistentSubscription } from "./subscription-persistent.ts"

/** What the registry works with. */
export interface RegistryDeps {
  readonly subscriptions: SubscriptionDeps
  readonly dispatcher: Dispatcher
  readonly log: BusLog
  readonly checkpoints: CheckpointStore | undefined
  readonly routerOptions: RouterOptions<Subscriber>
}

interface Entry {
  readonly subscriber: Subscriber
  readonly route: Route<Subscriber>
}

type Options = SubscribeOptions | PersistentOptions

/** The subscriptions of a bus by id, and by pattern. */
export class Registry {
  readonly router: Router<Subscriber>
  readonly #deps: RegistryDeps
  readonly #entries = new Map<string, Entry>()

  constructor(deps: RegistryDeps) {
    this.#deps = deps
    this.router = createRouter(deps.routerOptions)
  }

  subscribe(pattern: string, dispatch: Dispatch | Dispatch<Delivery>, options: Options): Subscription {
    const id = checkId(options.id ?? newId())
    if (this.#entries.has(id)) throw exists(id)
    const prepared = this.#deps.dispatcher.prepare<Delivery>(dispatch)
    const parts = { id, pattern, prepared, deps: this.#deps.subscriptions }
    if (!options.persistent) {
      this.#add(new EphemeralSubscription({ ...parts, options }), options)
      return Object.freeze({ id, pattern, ready: Promise.resolve({ truncated: false }) })
    }
    const subscription = new PersistentSubscription({ ...parts, options }, this.#deps.checkpoints)
    return Object.freeze({ id, pattern, ready: this.#join(subscription, options) })
  }

  unsubscribe(id: string): boolean {
    const entry = this.#remove(id)
    if (!entry) return false
    const { subscriber } = entry
    subscriber.end(new FleetPromptError("subscription_ended", `subscription ${id} was ended by unsubscribe`))
    if (subscriber instanceof PersistentSubscription) this.#forget(subscriber)
    return true
  }

  /** @throws FleetPromptError `subscription_unknown` */
  persistent(id: string): PersistentSubscription {
    const subscriber = this.#entries.get(id)?.subscriber
    if (subscriber instanceof PersistentSubscription) return subscriber
    throw new FleetPromptError(
      "subscription_unknown",
      `expected the id of a persistent subscription, got ${JSON.stringify(id.slice(0, 60))}`,
    )
  }

  list(): readonly Subscriber[] {
    return [...this.#entries.values()].map(({ subscriber }) => subscriber)
  }

  #add(subscriber: Subscriber, { priority, when }: Options): void {
    const routeOptions = { ...(priority !== undefined && { priority }), ...(when !== undefined && { when }) }
    const route = this.router.add(subscriber.pattern, subscriber, routeOptions)
    this.#entries.set(subscriber.id, { subscriber, route })
  }

  #remove(id: string): Entry | undefined {
    const entry = this.#entries.get(id)
    if (!entry) return undefined
    this.#entries.delete(id)
    this.router.remove(entry.route)
    return entry
  }

  /** From here to the end of the call nothing is published, so the log and the live signals meet without a gap. */
  #join(subscription: PersistentSubscription, options: PersistentOptions): Promise<{ readonly truncated: boolean }> {
    const { log } = this.#deps
    const { sequence: start, truncated } = log.position(options.startFrom ?? "current")
    const needsAll = this.#deps.checkpoints !== undefined
    const wants = this.#guardOf(subscription, options)
    this.#add(subscription, options)
    const joined = subscription.join({ log: [...log.from(needsAll ? 0 : start)], start, truncated, wants })
    const ready = Promise.resolve(joined).then(
      (isTruncated) => ({ truncated: this.#told(subscription, isTruncated) }),
      (error: unknown) => this.#fail(subscription, error),
    )
    // Whoever does not look at it has heard of it through onError.
    ready.catch(() => {})
    return ready
  }

  /** Whether a signal of the log is for the subscription, by the same rules as one that is published. */
  #guardOf({ pattern }: Subscriber, { when }: Options): (signal: Signal) => boolean {
    const router = createRouter<true>({
      onGuardError: (error, _route, signal) => this.#deps.subscriptions.report(error, { kind: "guard", signal }),
    })
    router.add(pattern, true, when && { when })
    return (signal) => router.route(signal).length > 0
  }

  #told({ id }: Subscriber, truncated: boolean): boolean {
    if (truncated) this.#deps.subscriptions.report(lost(id), { kind: "log", subscription: id })
    return truncated
  }

  #fail(subscription: PersistentSubscription, error: unknown): never {
    const { id } = subscription
    this.#remove(id)
    subscription.end(new FleetPromptError("subscription_ended", `the checkpoint of subscription ${id} cannot be read`))
    this.#deps.subscriptions.report(error, { kind: "checkpoint", subscription: id })
    throw error
  }

  #forget(subscription: PersistentSubscription): void {
    const { activity, report } = this.#deps.subscriptions
    const forgotten = subscription.forget()
    activity.during(forgotten)
    forgotten.catch((error: unknown) => report(error, { kind: "checkpoint", subscription: subscription.id }))
  }
}

/** An id is shown in messages and metrics, and is a key in stores. */
const MAX_ID = 200

function checkId(id: string): string {
  if (typeof id === "string" && id !== "" && id.length <= MAX_ID) return id
  throw invalidOption("id", `a text of 1 to ${MAX_ID} characters`, id)
}

function exists(id: string): FleetPromptError {
  return new FleetPromptError(
    "subscription_exists",
    `expected an id that no subscription has, got ${JSON.stringify(id)}; use reconnect to go on with a persistent one`,
  )
}

function lost(id: string): FleetPromptError {
  return new FleetPromptError(
    "signal_not_held",
    `expected the log to hold all that subscription ${id} has yet to get, but the oldest of it is gone; raise log.maxSignals, or fill the log when the bus is made`,
  )
}
