import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Queryable } from "../store/database.ts"
import type { ClaimedDelivery, WakingLane } from "../store/deliveries.ts"
import { insertSignals, type NewDelivery, type NewSignal } from "../store/signals.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { isTransient } from "../store/transient.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { HandOff } from "./hand-off.ts"
import { findTwin } from "./twin.ts"

/** A signal that passed the guards, with the deliveries it asks for. */
export interface Draft {
  readonly signal: StoredSignal
  readonly deliveries: readonly NewDelivery[]
}

/** What became of a draft. */
export interface Written {
  /** The signal as it is stored: the draft's, or the one that the tenant had already. */
  readonly signal: StoredSignal
  readonly inserted: boolean
}

/** What the writer works with. */
export interface WriterDeps {
  readonly hot: Queryable
  readonly announcer: Announcer
  readonly telemetry: Telemetry
  /** The worker of this process; undefined where none runs. */
  readonly handOff: HandOff | undefined
}

/** Drafts of one call, which are stored together. */
interface Entry {
  readonly scope: TenantScope
  readonly drafts: readonly Draft[]
  readonly deadline: number
  readonly resolve: (written: readonly Written[]) => void
  readonly reject: (error: unknown) => void
}

interface SchemaQueue {
  readonly schema: string
  readonly waiting: Entry[]
  underWay: number
  isScheduled: boolean
}

/** Statements under way for one schema: while one is being committed, the next is being filled. */
const UNDER_WAY = 2
/** Signals in one statement, unless one call brings more. */
const MAX_BATCH = 200
/** How long an emit tries to reach a database that does not answer, milliseconds. */
const TRY_MS = 15_000
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1_000

/** Nobody holds what a process without a worker stores. */
const NOBODY = { worker: "", leaseMs: 0 }

/**
 * Stores drafts. Calls that come while a statement is under way gather, and the next statement takes them
 * all; each caller waits for the commit of its own. When a statement fails, each call is tried by itself,
 * so that a bad one harms no other. When the database is away, the same rows are sent again: their ids were
 * made before, so what was committed unheard is found and not stored twice.
 */
export class Writer {
  readonly #deps: WriterDeps
  readonly #queues = new Map<string, SchemaQueue>()
  readonly #onIdle: (() => void)[] = []

  constructor(deps: WriterDeps) {
    this.#deps = deps
  }

  /** Stores the drafts of one tenant, all or none, in one commit. */
  write(scope: TenantScope, drafts: readonly Draft[]): Promise<readonly Written[]> {
    return new Promise((resolve, reject) => {
      const queue = this.#queueOf(scope.schema)
      queue.waiting.push({ scope, drafts, deadline: performance.now() + TRY_MS, resolve, reject })
      this.#schedule(queue)
    })
  }

  /** Resolves when nothing is being stored. */
  idle(): Promise<void> {
    if (this.#queues.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#onIdle.push(resolve))
  }

  #queueOf(schema: string): SchemaQueue {
    const known = this.#queues.get(schema)
    if (known) return known
    const queue: SchemaQueue = { schema, waiting: [], underWay: 0, isScheduled: false }
    this.#queues.set(schema, queue)
    return queue
  }

  /** After the callers that the last commit answered had their turn, so that their next emits come along. */
  #schedule(queue: SchemaQueue): void {
    if (queue.isScheduled || queue.underWay >= UNDER_WAY) return
    queue.isScheduled = true
    setImmediate(() => {
      queue.isScheduled = false
      this.#begin(queue)
    })
  }

  #begin(queue: SchemaQueue): void {
    while (queue.waiting.length > 0 && queue.underWay < UNDER_WAY) {
      queue.underWay += 1
      void this.#flush(queue.schema, takeBatch(queue.waiting)).finally(() => {
        queue.underWay -= 1
        if (queue.waiting.length > 0) this.#schedule(queue)
        else if (queue.underWay === 0 && !queue.isScheduled) this.#forget(queue)
      })
    }
  }

  #forget({ schema }: SchemaQueue): void {
    this.#queues.delete(schema)
    if (this.#queues.size === 0) for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  /** Never rejects: each entry is told. */
  async #flush(schema: string, entries: readonly Entry[]): Promise<void> {
    try {
      await this.#store(schema, entries)
    } catch (error) {
      const [only, ...more] = entries
      if (more.length === 0) only?.reject(error)
      else for (const entry of entries) await this.#flush(schema, [entry])
    }
  }

  async #store(schema: string, entries: readonly Entry[]): Promise<void> {
    const signals = entries.flatMap(({ drafts }) => drafts.map((draft) => this.#reserve(draft)))
    let stored: ReadonlySet<string>
    try {
      stored = await this.#insert(schema, signals, Math.min(...entries.map(({ deadline }) => deadline)))
    } catch (error) {
      for (const { signal, deliveries, held } of signals) this.#giveBack(signal.tenant, deliveries, held)
      throw error
    }
    let at = 0
    for (const entry of entries) {
      const own = signals.slice(at, (at += entry.drafts.length))
      if (own.every(({ signal }) => stored.has(signal.id)))
        entry.resolve(own.map((each) => this.#committed(each, schema)))
      else void this.#resolveTwins(entry, own, stored)
    }
  }

  #reserve({ signal, deliveries }: Draft): NewSignal {
    const { handOff } = this.#deps
    return { signal, deliveries, held: deliveries.map((each) => handOff?.reserve(signal.tenant, each) ?? false) }
  }

  #giveBack(tenant: string, deliveries: readonly NewDelivery[], held: readonly boolean[]): void {
    deliveries.forEach((delivery, at) => {
      if (held[at]) this.#deps.handOff?.cancel(tenant, delivery)
    })
  }

  /** Tries again while the database is away, until the first caller has waited long enough. */
  async #insert(schema: string, signals: readonly NewSignal[], deadline: number): Promise<ReadonlySet<string>> {
    const { hot, telemetry, handOff } = this.#deps
    const fields = { schema, signals: signals.length }
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await telemetry.span("flush", fields, () =>
          insertSignals(hot, schema, signals, handOff?.holder ?? NOBODY),
        )
      } catch (error) {
        if (!isTransient(error) || performance.now() + pauseMs > deadline) throw error
        telemetry.tell("background.failed", { step: "flush", error })
        await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random() / 2)))
      }
    }
  }

  #committed({ signal, deliveries, held }: NewSignal, schema: string): Written {
    const { announcer, handOff } = this.#deps
    announcer.stored(signal.tenant, signal.id)
    const left: WakingLane[] = []
    deliveries.forEach((delivery, at) => {
      if (held[at]) handOff?.take(claimedAtOnce(signal, delivery), signal, schema)
      else left.push(laneOf(signal.tenant, delivery))
    })
    if (left.length > 0) announcer.enqueued(left)
    return { signal, inserted: true }
  }

  /** Some of an entry's signals were left out: each is a twin of one that the tenant has, or was committed by a try before. */
  async #resolveTwins(entry: Entry, own: readonly NewSignal[], stored: ReadonlySet<string>): Promise<void> {
    const { hot } = this.#deps
    try {
      const written: Written[] = []
      for (const each of own) {
        const twin = stored.has(each.signal.id) ? each.signal : await findTwin(hot, entry.scope, each.signal)
        if (twin?.id === each.signal.id) written.push(this.#committed(each, entry.scope.schema))
        else {
          this.#giveBack(each.signal.tenant, each.deliveries, each.held)
          // The twin was deleted between the two statements; the fact is new again.
          written.push(twin ? { signal: twin, inserted: false } : await this.#again(entry, each))
        }
      }
      entry.resolve(written)
    } catch (error) {
      entry.reject(error)
    }
  }

  async #again(entry: Entry, { signal, deliveries }: NewSignal): Promise<Written> {
    const [written] = await this.write(entry.scope, [{ signal, deliveries }])
    return written ?? { signal, inserted: false }
  }
}

/** As many entries as fit one statement, at least one. */
function takeBatch(waiting: Entry[]): readonly Entry[] {
  let signals = 0
  const end = waiting.findIndex(({ drafts }, at) => (signals += drafts.length) > MAX_BATCH && at > 0)
  return waiting.splice(0, end < 0 ? waiting.length : end)
}

/** The lane of a new delivery, for whoever is to be woken. */
export function laneOf(tenant: string, { handler, priority, delayMs }: NewDelivery): WakingLane {
  return { handler, tenant, priority, ...(delayMs > 0 && { dueInMs: delayMs }) }
}

function claimedAtOnce(signal: StoredSignal, { handler, priority, flowKey }: NewDelivery): ClaimedDelivery {
  return {
    tenant: signal.tenant,
    signalId: signal.id,
    handler,
    attempt: 1,
    leaseToken: 1,
    priority,
    flowKey,
    replayId: null,
    waitMs: 0,
    lostBy: null,
  }
}
