import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Queryable } from "../store/database.ts"
import {
  claimDeliveries,
  type ClaimedDelivery,
  extendLeases,
  releaseDeliveries,
  settleDeliveries,
} from "../store/deliveries.ts"
import { selectSignals } from "../store/signals.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { Alarm } from "./alarm.ts"
import { signalGone, takenOver, workerLost, workerStops } from "./delivery-errors.ts"
import type { Handler } from "./handler.ts"
import { type AttemptResult, type EmitForHandler, failedAttempt, runAttempt } from "./run-attempt.ts"

/** How a worker works. */
export interface WorkerSettings {
  /** How many handlers may run at once in this process. Default 16. */
  readonly concurrency: number
  /** How long a claim holds without a heartbeat, milliseconds. Default 15,000. */
  readonly leaseMs: number
  /** How often the queue is read when nothing is announced, milliseconds. Default 1,000. */
  readonly pollMs: number
}

/** The defaults of `WorkerSettings`. */
export const DEFAULT_WORKER_SETTINGS: WorkerSettings = { concurrency: 16, leaseMs: 15_000, pollMs: 1_000 }

/** What a worker works with. */
export interface WorkerDeps {
  readonly name: string
  readonly database: Queryable
  readonly handlers: readonly Handler[]
  readonly emitFor: EmitForHandler
  readonly announcer: Announcer
  readonly telemetry: Telemetry
  readonly settings: WorkerSettings
}

interface Running {
  readonly delivery: ClaimedDelivery
  readonly abort: AbortController
  readonly ended: Promise<void>
}

/**
 * Claims deliveries, runs their handlers, books what came of it.
 *
 * The queue table is the authority. A delivery is waiting (run_at has come or will), held (a worker
 * claimed it and its lease has not ended) or gone (settled). A claim moves waiting to held and counts
 * an attempt; settling moves held to gone, or back to waiting; a lease that ends moves held to waiting
 * without anyone's doing, so a worker that is killed needs no undertaker. The lease token changes with
 * each of these moves, and whoever shows an old one books nothing.
 */
export class Worker {
  readonly #deps: WorkerDeps
  readonly #handlers: ReadonlyMap<string, Handler>
  readonly #running = new Map<number, Running>()
  readonly #alarm = new Alarm()
  #heartbeat: NodeJS.Timeout | undefined
  #loop: Promise<void> | undefined
  #stopping = false
  #released = false

  constructor(deps: WorkerDeps) {
    this.#deps = deps
    this.#handlers = new Map(deps.handlers.map((handler) => [handler.name, handler]))
  }

  /** Begins to claim. Without handlers there is nothing to do. */
  start(): void {
    if (this.#handlers.size === 0) return
    this.#heartbeat = setInterval(() => void this.#extendLeases(), this.#deps.settings.leaseMs / 3)
    this.#loop = this.#work()
  }

  /** There may be something to claim: looks at once. */
  wake(): void {
    this.#alarm.ring()
  }

  /**
   * Stops claiming, lets running handlers end within the grace, and gives the rest back at once
   * without counting the attempt.
   *
   * @returns how many were given back.
   */
  async stop(graceMs: number): Promise<number> {
    this.#stopping = true
    this.#alarm.ring()
    await this.#loop
    await settledWithin(
      [...this.#running.values()].map(({ ended }) => ended),
      graceMs,
    )
    clearInterval(this.#heartbeat)
    return this.#release([...this.#running.values()])
  }

  async #release(left: readonly Running[]): Promise<number> {
    this.#released = true
    for (const { abort } of left) abort.abort(workerStops())
    if (left.length === 0) return 0
    try {
      await releaseDeliveries(
        this.#deps.database,
        left.map(({ delivery }) => delivery),
      )
    } catch (error) {
      // Their leases end by themselves.
      this.#deps.telemetry.tell("background.failed", { step: "release", error })
    }
    return left.length
  }

  async #work(): Promise<void> {
    while (!this.#stopping) {
      const free = this.#deps.settings.concurrency - this.#running.size
      const claimed = await this.#claim(free)
      await this.#begin(claimed)
      if (claimed.length < free || free === 0) await this.#alarm.wait(this.#deps.settings.pollMs)
    }
  }

  async #claim(limit: number): Promise<readonly ClaimedDelivery[]> {
    if (limit === 0) return []
    const { name: worker, database, settings, telemetry } = this.#deps
    const elapsed = stopwatch()
    try {
      const request = { worker, handlers: [...this.#handlers.keys()], limit, leaseMs: settings.leaseMs }
      const claimed = await claimDeliveries(database, request)
      if (claimed.length > 0)
        telemetry.tell("delivery.claimed", { worker, count: claimed.length, durationMs: elapsed() })
      return claimed
    } catch (error) {
      telemetry.tell("background.failed", { step: "claim", error })
      return []
    }
  }

  /** Loads the signals of one tenant together, and starts each attempt without waiting for it. */
  async #begin(claimed: readonly ClaimedDelivery[]): Promise<void> {
    for (const [tenant, deliveries] of byTenant(claimed)) {
      try {
        const signals = await selectSignals(
          this.#deps.database,
          tenantScope(tenant),
          deliveries.map(({ signalId }) => signalId),
        )
        const byId = new Map(signals.map((signal) => [signal.id, signal]))
        for (const delivery of deliveries) this.#start(delivery, byId.get(delivery.signalId))
      } catch (error) {
        // The leases end by themselves, and whoever claims next tries again.
        this.#deps.telemetry.tell("background.failed", { step: "claim", error })
      }
    }
  }

  #start(delivery: ClaimedDelivery, signal: StoredSignal | undefined): void {
    const abort = new AbortController()
    const ended = this.#attempt(delivery, signal, abort)
      .then((result) => this.#settle(result, signal))
      .finally(() => {
        this.#running.delete(delivery.id)
        this.#alarm.ring()
      })
    this.#running.set(delivery.id, { delivery, abort, ended })
    this.#deps.announcer.delivered(delivery.tenant, delivery.signalId)
  }

  async #attempt(
    delivery: ClaimedDelivery,
    signal: StoredSignal | undefined,
    abort: AbortController,
  ): Promise<AttemptResult> {
    const handler = this.#handlers.get(delivery.handler)
    if (!signal || !handler) return failedAttempt({ ...delivery, maxAttempts: 0 }, signalGone(delivery), 0)
    if (delivery.attempt > delivery.maxAttempts) return failedAttempt(delivery, workerLost(delivery), 0)
    return runAttempt({ delivery, handler, signal, abort, emitFor: this.#deps.emitFor })
  }

  /** Tries until it is booked or the worker was told to give the delivery back; meanwhile the lease protects it. */
  async #settle(result: AttemptResult, signal: StoredSignal | undefined): Promise<void> {
    const { delivery } = result
    while (!this.#released) {
      try {
        const booked = await settleDeliveries(this.#deps.database, tenantScope(delivery.tenant), this.#deps.name, [
          result,
        ])
        return this.#tellSettled(result, signal, booked.has(delivery.id))
      } catch (error) {
        this.#deps.telemetry.tell("background.failed", { step: "settle", error })
        await new Alarm().wait(this.#deps.settings.pollMs)
      }
    }
  }

  #tellSettled(
    { delivery, outcome, durationMs, thrown }: AttemptResult,
    signal: StoredSignal | undefined,
    booked: boolean,
  ): void {
    const { tenant, signalId, handler, attempt } = delivery
    this.#deps.announcer.delivered(tenant, signalId)
    if (!booked) return this.#deps.telemetry.tell("delivery.lost", { tenant, signalId, handler, attempt })
    const correlationId = signal?.metadata.correlation_id ?? null
    this.#deps.telemetry.tell("delivery.settled", {
      tenant,
      signalId,
      handler,
      correlationId,
      attempt,
      outcome,
      error: thrown,
      durationMs,
    })
  }

  async #extendLeases(): Promise<void> {
    if (this.#running.size === 0) return
    const held = [...this.#running.values()]
    try {
      const kept = await extendLeases(
        this.#deps.database,
        held.map(({ delivery }) => delivery),
        this.#deps.settings.leaseMs,
      )
      for (const { delivery, abort } of held) if (!kept.has(delivery.id)) abort.abort(takenOver(delivery))
    } catch (error) {
      this.#deps.telemetry.tell("background.failed", { step: "heartbeat", error })
    }
  }
}

function byTenant(deliveries: readonly ClaimedDelivery[]): ReadonlyMap<string, readonly ClaimedDelivery[]> {
  const groups = new Map<string, ClaimedDelivery[]>()
  for (const delivery of deliveries) groups.set(delivery.tenant, [...(groups.get(delivery.tenant) ?? []), delivery])
  return groups
}

async function settledWithin(promises: readonly Promise<unknown>[], ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const grace = new Promise((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([Promise.allSettled(promises), grace])
  clearTimeout(timer)
}
