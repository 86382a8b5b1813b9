import { FleetPromptError } from "../../errors.ts"
import type { Bus, PublishOptions } from "./bus.ts"
import { Activity } from "./bus-activity.ts"
import { FanOut, type PublishedAll, type PublishResult } from "./bus-fan-out.ts"
import { acceptSignal } from "./bus-input.ts"
import { BusLog } from "./bus-log.ts"
import { type BusOptions, type BusSettings, readBusOptions } from "./bus-options.ts"
import { PublishLine } from "./bus-publish-line.ts"
import { Reader, type Replay, type ReplayOptions, type Snapshot, type SnapshotOptions } from "./bus-reader.ts"
import { Registry } from "./bus-registry.ts"
import { NamedTargets } from "./bus-targets.ts"
import type { Dispatch } from "../dispatch/dispatcher.ts"
import { dispatchChain, publishChain } from "../middleware/middleware-chain.ts"
import type { Signal } from "../signal.ts"
import {
  type Delivery,
  invalidOption,
  type NackOptions,
  type PersistentOptions,
  type SubscribeOptions,
  type Subscription,
  type SubscriptionDeps,
  type SubscriptionInfo,
} from "./subscription.ts"
import type { DeadLetter } from "./subscription-checkpoint.ts"
import { EphemeralSubscription } from "./subscription-ephemeral.ts"
import { PersistentSubscription } from "./subscription-persistent.ts"

/**
 * Makes a bus. It lives in this process: what must survive it belongs in a store.
 *
 * @throws FleetPromptError `config_invalid`, `dispatch_invalid` for a target in `dispatches`
 * @example
 * const bus = createBus()
 * bus.subscribe("lead.**", (signal) => console.log(signal.type))
 * await bus.publish(createSignal({ type: "lead.received", source: "/crm", data: { leadId: "123" } }))
 */
export function createBus(options: BusOptions = {}): Bus {
  return new InProcessBus(readBusOptions(options))
}

/** Holds the parts of a bus, and hands each call to the one that does it. */
class InProcessBus implements Bus {
  readonly #settings: BusSettings
  readonly #activity = new Activity()
  readonly #line: PublishLine
  readonly #registry: Registry
  readonly #targets = new NamedTargets()
  readonly #fanOut: FanOut
  readonly #reader: Reader
  readonly #hasPublishHooks: boolean
  #closing: Promise<void> | undefined

  constructor(settings: BusSettings) {
    this.#settings = settings
    const { clock, report, drop, random, dispatcher, checkpoints, maxWaiting, waitTimeoutMs } = settings
    const log = new BusLog(settings.maxSignals)
    for (const signal of settings.signals) log.append(acceptSignal(signal))
    const onAfterError = (error: unknown, middleware: string) => report(error, { kind: "middleware", middleware })
    const chainDeps = { clock, timeoutMs: settings.middlewareTimeoutMs, onAfterError }
    const publishHooks = publishChain(settings.middleware, chainDeps)
    const hooks = dispatchChain(settings.middleware, chainDeps)
    const subscriptions = { hooks, clock, random, activity: this.#activity, report, drop }
    this.#hasPublishHooks = !publishHooks.isEmpty
    this.#line = new PublishLine(maxWaiting, clock, this.#activity)
    this.#registry = new Registry({
      subscriptions,
      dispatcher,
      log,
      checkpoints,
      routerOptions: {
        ...settings.routerOptions,
        onGuardError: (error, route, signal) => report(error, { kind: "guard", subscription: route.target.id, signal }),
      },
    })
    this.#addTargets(subscriptions)
    this.#fanOut = new FanOut({
      hooks: publishHooks,
      router: this.#registry.router,
      targets: this.#targets,
      log,
      clock,
      waitTimeoutMs,
    })
    this.#reader = new Reader({ log, hooks, clock })
  }

  publish(signal: Signal, options?: PublishOptions): Promise<PublishResult>
  publish(signals: readonly Signal[], options?: PublishOptions): Promise<readonly PublishResult[]>
  publish(
    input: Signal | readonly Signal[],
    options: PublishOptions = {},
  ): Promise<PublishResult | readonly PublishResult[]> {
    try {
      return isList(input) ? this.#publishSome(input.map(acceptSignal), options) : this.#publishOne(input, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  subscribe(
    pattern: string,
    dispatch: Dispatch | Dispatch<Delivery>,
    options: SubscribeOptions | PersistentOptions = {},
  ): Subscription {
    this.#checkOpen()
    if (this.#fanOut.isRouting) throw invalidOption("when", "a guard that does not subscribe", "one that does")
    return this.#registry.subscribe(pattern, dispatch, options)
  }

  unsubscribe(id: string): boolean {
    return this.#registry.unsubscribe(id)
  }

  subscriptions(): readonly SubscriptionInfo[] {
    return this.#registry.list().map((subscriber) => subscriber.info())
  }

  ack(subscription: string, signalId: string): boolean {
    return this.#registry.persistent(subscription).acknowledge(signalId)
  }

  nack(subscription: string, signalId: string, reason?: unknown, options: NackOptions = {}): boolean {
    return this.#registry.persistent(subscription).refuse(signalId, reason, options)
  }

  disconnect(subscription: string): void {
    this.#registry.persistent(subscription).disconnect()
  }

  reconnect(subscription: string, dispatch: Dispatch<Delivery>): void {
    this.#checkOpen()
    this.#registry.persistent(subscription).reconnect(this.#settings.dispatcher.prepare(dispatch))
  }

  deadLetters(subscription: string): readonly DeadLetter[] {
    return this.#registry.persistent(subscription).deadLetters()
  }

  redrive(subscription: string, signalIds?: readonly string[]): number {
    return this.#registry.persistent(subscription).redrive(signalIds)
  }

  discard(subscription: string, signalIds?: readonly string[]): number {
    return this.#registry.persistent(subscription).discard(signalIds)
  }

  replay(options: ReplayOptions = {}): Promise<Replay> {
    return this.#reader.replay(options)
  }

  snapshot(options: SnapshotOptions = {}): Promise<Snapshot> {
    return this.#reader.snapshot(options)
  }

  drain(): Promise<void> {
    return this.#activity.whenIdle()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #publishOne(input: Signal, options: PublishOptions): Promise<PublishResult> {
    const signal = acceptSignal(input)
    if (!this.#hasPublishHooks) return this.#line.run(1, () => this.#fanOut.publishOne(signal))
    return this.#publishThroughHooks([signal], options).then(([result]) => {
      // One signal went in, so one result came out.
      return result as PublishResult
    })
  }

  #publishSome(signals: readonly Signal[], options: PublishOptions): Promise<readonly PublishResult[]> {
    if (this.#hasPublishHooks) return this.#publishThroughHooks(signals, options)
    return this.#line.run(signals.length, () => this.#fanOut.publishSome(signals))
  }

  /** The next publish begins when the signals are with their subscribers; `after` hooks may take longer. */
  async #publishThroughHooks(
    signals: readonly Signal[],
    { principal }: PublishOptions,
  ): Promise<readonly PublishResult[]> {
    const run = (): PublishedAll | Promise<PublishedAll> => this.#fanOut.publishThroughHooks(signals, { principal })
    const { results, error, told } = await this.#line.run(signals.length, run)
    if (told) this.#activity.during(told)
    await told
    if (error) throw error
    return results
  }

  #addTargets(deps: SubscriptionDeps): void {
    for (const [name, dispatch] of Object.entries(this.#settings.dispatches)) {
      const prepared = this.#settings.dispatcher.prepare(dispatch)
      const target = new EphemeralSubscription({ id: `dispatch:${name}`, pattern: "**", prepared, options: {}, deps })
      this.#targets.add(name, target)
    }
  }

  #checkOpen(): void {
    if (this.#closing) throw closed()
  }

  async #close(): Promise<void> {
    const { closeTimeoutMs, drop } = this.#settings
    const reason = closed()
    this.#line.close(reason)
    this.#fanOut.close(reason)
    const subscribers = [...this.#registry.list(), ...this.#targets.list()]
    const persistent = subscribers.filter((each) => each instanceof PersistentSubscription)
    for (const each of persistent) each.pause()
    await this.#drainWithin(closeTimeoutMs)
    await Promise.all(persistent.map((each) => each.flush()))
    for (const each of subscribers) {
      const left = each.end(reason)
      if (each instanceof PersistentSubscription) continue
      for (const signal of left) drop({ signal, subscription: each.id, from: "pending" })
    }
  }

  async #drainWithin(ms: number): Promise<void> {
    let cancel = () => {}
    const timeUp = new Promise<void>((resolve) => {
      cancel = this.#settings.clock.after(ms, resolve)
    })
    await Promise.race([this.drain(), timeUp])
    cancel()
  }
}

function isList(input: Signal | readonly Signal[]): input is readonly Signal[] {
  return Array.isArray(input)
}

function closed(): FleetPromptError {
  return new FleetPromptError("bus_closed", "expected an open bus, but it was closed; make a new one")
}
