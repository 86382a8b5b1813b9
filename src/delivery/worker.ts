import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Along } from "../store/completions.ts"
import type { Database } from "../store/database.ts"
import { type ClaimedDelivery, type Lane, releaseDeliveries, type WakingLane } from "../store/deliveries.ts"
import { giveFlowKeys } from "../store/flow.ts"
import type { Placements } from "../store/placements.ts"
import type { Holder, NewDelivery } from "../store/insert-signals.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { Alarm } from "./alarm.ts"
import { type Claim, Claimer } from "./claimer.ts"
import { takenOver, workerLost, workerStops } from "./delivery-errors.ts"
import type { Handler } from "./handler-definition.ts"
import type { HandlerSet } from "./handler-set.ts"
import type { Held } from "./held.ts"
import { LaneRing } from "./lane-ring.ts"
import { Leases } from "./leases.ts"
import { LocalQueue } from "./local-queue.ts"
import { lateTeller, observedRun } from "./observed-run.ts"
import { Poller } from "./poller.ts"
import { type AttemptResult, failedAttempt } from "./run-attempt.ts"
import { type CredentialsForHandler, type EmitForHandler, LazyAbort } from "./run-context.ts"
import { Settler } from "./settler.ts"
import type { Claimed } from "./signal-loader.ts"
import { Suspects } from "./suspects.ts"
import { tellSettled } from "./tell-settled.ts"

/** How a worker works. */
export interface WorkerSettings {
  /** How many calls of handlers may be under way at once in this process. Default 100. */
  readonly concurrency: number
  /** How long a claim holds without a heartbeat, milliseconds. Default 12,000. */
  readonly leaseMs: number
  /** How often the queue is looked at for what nobody announced, milliseconds. Default 1,000. */
  readonly pollMs: number
}

/** The defaults of `WorkerSettings`: a lease and a poll together are less than 15 seconds. */
export const DEFAULT_WORKER_SETTINGS: WorkerSettings = { concurrency: 100, leaseMs: 12_000, pollMs: 1_000 }

/** What a worker works with. */
export interface WorkerDeps {
  readonly name: string
  readonly database: Database
  readonly placements: Placements
  readonly handlers: HandlerSet
  readonly emitFor: EmitForHandler
  readonly credentialsFor?: CredentialsForHandler
  readonly announcer: Announcer
  readonly telemetry: Telemetry
  readonly settings: WorkerSettings
}

/** How long a stop waits for what is being stored, whatever the grace: a statement or two, milliseconds. */
const STORING_MS = 2_000
const WEIGHTS = { standard: 1, premium: 2, enterprise: 4 } as const

/**
 * Claims deliveries, runs their handlers, books what came of it.
 *
 * The queue table is the authority. A delivery is waiting (run_at has come or will), held (a worker
 * claimed it and its lease has not ended) or gone (settled). A claim moves waiting to held and counts
 * an attempt; settling moves held to gone, or back to waiting; a lease that ends moves held to waiting
 * without anyone's doing, so a worker that is killed needs no undertaker. The lease token changes with
 * each of these moves, and whoever shows an old one books nothing.
 *
 * In memory: the ring has the lanes that are known to hold something due, the local queue what this process
 * holds and has not begun. What this process emits for its own handlers comes into the local queue with the
 * commit; everything else comes by a claim.
 */
export class Worker {
  readonly #deps: WorkerDeps
  readonly #handlers: HandlerSet
  readonly #ring = new LaneRing()
  readonly #local: LocalQueue
  readonly #claimer: Claimer
  readonly #settler: Settler
  readonly #leases: Leases
  readonly #suspects: Suspects
  readonly #poller: Poller
  readonly #alarm = new Alarm()
  readonly #onLate: ReturnType<typeof lateTeller>
  #loop: Promise<void> | undefined
  #isStarted = false
  #hasBegun = false
  #isStopping = false
  /** From here on nothing is kept that comes. */
  #isStopped = false
  /** Deliveries for which room is kept. */
  #coming = 0
  #onAllCame: (() => void) | undefined
  #onIdle: (() => void) | undefined

  constructor(deps: WorkerDeps) {
    this.#deps = deps
    this.#onLate = lateTeller(deps.telemetry)
    const { name, database, placements, telemetry, settings } = deps
    this.#handlers = deps.handlers
    const weight = (tenant: string): number => WEIGHTS[placements.known(tenant)?.class ?? "standard"]
    this.#local = new LocalQueue({ concurrency: settings.concurrency, weight })
    this.#poller = new Poller({
      worker: name,
      database,
      telemetry,
      handlers: () => this.#handlers.names(),
      pollMs: settings.pollMs,
      onLook: (look) => this.#ring.looked(look),
      onLane: (lane) => this.#addLane(lane),
      onPolled: () => this.#alarm.ring(),
    })
    const held = (): readonly Held[] => this.#leases.all()
    this.#suspects = new Suspects({ database, telemetry, handlers: this.#handlers, held })
    this.#claimer = new Claimer({
      suspects: this.#suspects,
      worker: name,
      database,
      placements,
      telemetry,
      ring: this.#ring,
      handlers: this.#handlers,
      leaseMs: settings.leaseMs,
      rules: {
        weight,
        roomFor: (handler) => this.#local.roomFor(handler),
        room: (handler, tenant) => (this.#mayRun(handler, tenant) ? this.#local.refill(handler, tenant) : 0),
        version: (handler, tenant) => this.#handlers.get(handler, tenant)?.version,
      },
      wakeIn: (ms) => this.#poller.within(ms),
    })
    const onBooked = (result: AttemptResult, isBooked: boolean): void => this.#booked(result, isBooked)
    this.#settler = new Settler({ hot: database.hot, worker: name, telemetry, onBooked })
    const onLost = (held: Held): void => this.#lost(held)
    this.#leases = new Leases({ database: database.hot, telemetry, leaseMs: settings.leaseMs, onLost })
  }

  /** Who holds what is handed over at once. */
  get holder(): Holder {
    return { worker: this.#deps.name, leaseMs: this.#deps.settings.leaseMs }
  }

  /** Begins to claim. Without handlers there is nothing to do until the first is brought. */
  async start(): Promise<void> {
    this.#isStarted = true
    await this.#begin()
  }

  async #begin(): Promise<void> {
    if (this.#hasBegun || this.#isStopping || this.#handlers.size === 0) return
    this.#hasBegun = true
    this.#leases.start()
    await this.#poller.start()
    this.#loop = this.#work()
    void this.#giveKeys()
  }

  /** A handler that had no key before this release may have deliveries without one, which no claim by key would find. */
  async #giveKeys(): Promise<void> {
    const keyed = this.#handlers.fixed.filter(({ flow }) => flow === "keyed").map(({ name }) => name)
    const { database, telemetry } = this.#deps
    try {
      while (keyed.length > 0 && !this.#isStopping && (await giveFlowKeys(database, keyed)));
    } catch (error) {
      telemetry.tell("background.failed", { step: "poll", error })
    }
    this.#poller.within(0)
  }

  /** Lanes that hold something due; undefined when any may. */
  wake(lanes?: readonly WakingLane[]): void {
    if (!lanes) return this.#poller.within(0)
    for (const lane of lanes) {
      if (lane.dueInMs) this.#poller.within(lane.dueInMs + 1)
      else this.#addLane(lane)
    }
    this.#alarm.ring()
  }

  /** Someone paused or resumed something. */
  readPauses(): void {
    this.#poller.readPauses()
  }

  /** Handlers were brought: what waits for them is looked for at once. */
  handlersChanged(): void {
    if (this.#hasBegun) this.#poller.within(0)
    else if (this.#isStarted) void this.#begin()
  }

  /** Whether the worker takes a new delivery at once, without a claim; it then keeps room for it. */
  reserve(tenant: string, { handler: name, priority, delayMs }: NewDelivery): boolean {
    const handler = this.#handlers.get(name, tenant)
    if (!handler || this.#isStopping || delayMs > 0 || handler.flow !== "plain" || handler.batchSize > 1) return false
    // What waits in the queue was there first.
    if (this.#ring.has({ handler: name, tenant, priority }) || this.#local.room(name, tenant) <= 0) return false
    if (this.#poller.isPaused(tenant, name)) return false
    this.#local.reserve(name, tenant)
    this.#coming += 1
    return true
  }

  /** A delivery for which room was kept is stored and held. */
  take(delivery: ClaimedDelivery, signal: StoredSignal, schema: string): void {
    this.#hold({ delivery, signal, schema })
    if (this.#isStopped) void this.#release(this.#local.clear())
    else this.#run()
    this.#came()
  }

  /** A delivery for which room was kept will not come. */
  cancel(tenant: string, { handler }: NewDelivery): void {
    this.#local.unreserve(handler, tenant)
    this.#came()
  }

  /** Attempts that succeeded and wait to be booked in a schema, for whoever is about to send a statement there. */
  along(schema: string): Along | undefined {
    return this.#settler.along(schema)
  }

  /** Something for which room was kept has come, or will not. */
  #came(): void {
    this.#coming -= 1
    if (this.#coming === 0) this.#onAllCame?.()
  }

  /** Resolves when nothing is being stored that this worker is to take. */
  #allCame(): Promise<void> {
    return this.#coming === 0 ? Promise.resolve() : new Promise((resolve) => (this.#onAllCame = resolve))
  }

  /**
   * Stops claiming, lets running handlers end within the grace, and gives the rest back at once
   * without counting the attempt. An attempt that has ended and could not be booked is left to the end of its lease: it
   * counts.
   *
   * @returns how many were given back.
   */
  async stop(graceMs: number): Promise<number> {
    this.#isStopping = true
    const over = performance.now() + graceMs
    this.#poller.stop()
    this.#claimer.stop()
    this.#alarm.ring()
    await this.#loop
    await within(Math.max(graceMs, STORING_MS), this.#allCame())
    const unbegun = this.#local.clear()
    await this.#release(unbegun)
    await within(Math.max(0, over - performance.now()), this.#idle())
    this.#settler.giveUp()
    this.#isStopped = true
    const left = this.#leases.all().filter(({ delivery }) => !this.#settler.isUnbooked(delivery))
    for (const { abort } of left) abort.abort(workerStops())
    await this.#release(left)
    this.#leases.stop()
    return unbegun.length + left.length
  }

  async #idle(): Promise<void> {
    if (this.#local.running > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    await this.#settler.idle()
  }

  async #release(held: readonly Held[]): Promise<void> {
    if (held.length === 0) return
    const deliveries = held.map(({ delivery }) => delivery)
    for (const each of held) this.#leases.remove(each.delivery)
    try {
      await releaseDeliveries(this.#deps.database, deliveries)
      this.#deps.announcer.enqueued(deliveries)
    } catch (error) {
      // Their leases end by themselves.
      this.#deps.telemetry.tell("background.failed", { step: "release", error })
    }
  }

  /** While the signals of one claim are read, the next is made. */
  async #work(): Promise<void> {
    let loading = Promise.resolve()
    while (!this.#isStopping) {
      const limit = this.#local.limit
      const claim = this.#ring.size > 0 && limit > 0 ? await this.#claimer.claim(limit) : undefined
      if (claim && claim.deliveries.length > 0) {
        await loading
        loading = this.#load(claim)
      }
      // A claim that got nothing took its lanes out of the ring, and others may still be in it.
      if (!claim) await this.#alarm.wait(this.#deps.settings.pollMs)
    }
    await loading
  }

  async #load({ deliveries, loaded }: Claim): Promise<void> {
    for (const { handler, tenant } of deliveries) this.#local.reserve(handler, tenant)
    const left = new Set(deliveries)
    for (const each of await loaded) {
      left.delete(each.delivery)
      this.#hold(each)
    }
    for (const { handler, tenant } of left) this.#local.unreserve(handler, tenant)
    this.#run()
    this.#alarm.ring()
  }

  /** Whether this process has the handler for the tenant, and nobody paused it. */
  #mayRun(handler: string, tenant: string): boolean {
    return this.#handlers.get(handler, tenant) !== undefined && !this.#poller.isPaused(tenant, handler)
  }

  #addLane(lane: Lane): void {
    if (!this.#mayRun(lane.handler, lane.tenant)) return
    this.#ring.add({ handler: lane.handler, tenant: lane.tenant, priority: lane.priority })
  }

  #hold({ delivery, signal, schema }: Claimed): void {
    const held = { delivery, signal, schema, abort: new LazyAbort(), since: performance.now() }
    this.#leases.add(held)
    this.#local.push(held)
    this.#deps.announcer.delivered(held.delivery.tenant, held.delivery.signalId)
  }

  /** Another worker has taken a delivery over: what runs is told, what has not begun is left to it. */
  #lost(held: Held): void {
    held.abort.abort(takenOver(held.delivery))
    if (this.#local.drop(held)) this.#leases.remove(held.delivery)
  }

  /** Begins as much as there are slots. */
  #run(): void {
    if (this.#isStopping) return
    for (;;) {
      const batch = this.#local.next(({ delivery }) => this.#handlerOf(delivery)?.batchSize ?? 1)
      if (!batch) return
      void this.#attempt(batch)
    }
  }

  async #attempt(batch: readonly [Held, ...Held[]]): Promise<void> {
    const [{ delivery }] = batch
    const handler = this.#handlerOf(delivery)
    const results = handler
      ? await this.#results(handler, batch).catch((error: unknown) => this.#failed(handler, batch, error))
      : await this.#giveBack(batch)
    this.#local.finish(delivery.tenant, delivery.handler, results[0]?.durationMs ?? 0)
    for (const result of results) this.#settler.add(result)
    if (this.#isStopping && this.#local.running === 0) this.#onIdle?.()
    this.#run()
    this.#alarm.ring()
  }

  /** Its handler was taken away since it was claimed. */
  async #giveBack(batch: readonly Held[]): Promise<readonly AttemptResult[]> {
    await this.#release(batch)
    return []
  }

  #handlerOf({ handler, tenant }: ClaimedDelivery): Handler | undefined {
    return this.#handlers.get(handler, tenant)
  }

  async #results(handler: Handler, batch: readonly [Held, ...Held[]]): Promise<readonly AttemptResult[]> {
    const [{ delivery }] = batch
    if (delivery.attempt > handler.attempts) {
      return batch.map((held) => failedAttempt(held, handler, workerLost(held.delivery), 0))
    }
    const { emitFor, credentialsFor, telemetry } = this.#deps
    const more = { onLate: this.#onLate, ...(credentialsFor && { credentialsFor }) }
    return observedRun({ handler, held: batch, emitFor, ...more }, telemetry)
  }

  /** Nothing is meant to get here; if it does, it is a failed attempt and not the end of the process. */
  #failed(handler: Handler, batch: readonly Held[], error: unknown): readonly AttemptResult[] {
    this.#deps.telemetry.tell("background.failed", { step: "settle", error })
    return batch.map((held) => failedAttempt(held, handler, error, 0))
  }

  #booked(result: AttemptResult, isBooked: boolean): void {
    const { delivery } = result
    this.#leases.remove(delivery)
    this.#deps.announcer.delivered(delivery.tenant, delivery.signalId)
    tellSettled(result, isBooked, this.#deps.telemetry)
    // What its limits held back may go on.
    const handler = this.#handlerOf(delivery)
    if (handler && handler.flow !== "plain") this.wake([...this.#claimer.unpark(handler, delivery.tenant), delivery])
    if (this.#suspects.makesRoom(delivery)) this.#poller.within(0)
    if (result.outcome === "failed" || result.outcome === "snoozed") this.#poller.within(result.retryInMs + 1)
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const grace = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, grace])
  clearTimeout(timer)
}
