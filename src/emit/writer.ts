import { FleetPromptError } from "../errors.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Completions } from "../store/completions.ts"
import type { Statements } from "../store/database.ts"
import { extendLeases, type WakingLane } from "../store/deliveries.ts"
import { GrowingPause } from "../store/growing-pause.ts"
import { type Inserted, insertSignals, type NewSignal } from "../store/insert-signals.ts"
import type { Placements } from "../store/placements.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { isTransient } from "../store/transient.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { claimedAtOnce, type Draft, laneOf, type Written } from "./draft.ts"
import type { HandOff } from "./hand-off.ts"
import { findTwin } from "./twin.ts"
import { FIRST_PAUSE_MS, LONGEST_PAUSE_MS, TRY_MS, whileAway } from "./while-away.ts"

/** What the writer works with. */
export interface WriterDeps {
  readonly hot: Statements
  readonly announcer: Announcer
  readonly telemetry: Telemetry
  /** The worker of this process; undefined where none runs. */
  readonly handOff: HandOff | undefined
  readonly placements: Pick<Placements, "find" | "forget">
}

/** Drafts of one call, which are stored together. */
interface Entry {
  readonly scope: TenantScope
  readonly drafts: readonly Draft[]
  readonly deadline: number
  /** The drafts with what the worker will have of them; made when they are first sent, and kept for every further try. */
  signals: readonly NewSignal[] | undefined
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
/**
 * Calls in one statement at least, when so many wait. What waits is divided over the statements that may be under
 * way: callers that are answered together would come together for ever, and the database would wait while they emit.
 */
const MIN_SHARE = 16

/**
 * Stores drafts. Calls that come while a statement is under way gather, and the next statement takes them
 * all; each caller waits for the commit of its own. When the database refuses a statement, each call is tried by
 * itself, so that a bad one harms no other. When the database is away, the same rows are sent again: their ids were
 * made before, so what was committed unheard is found and not stored twice.
 */
export class Writer {
  readonly #deps: WriterDeps
  readonly #queues = new Map<string, SchemaQueue>()
  #open = 0
  readonly #onIdle: (() => void)[] = []

  constructor(deps: WriterDeps) {
    this.#deps = deps
  }

  /** Stores the drafts of one tenant, all or none, in one commit. */
  write(
    scope: TenantScope,
    drafts: readonly Draft[],
    deadline: number = performance.now() + TRY_MS,
  ): Promise<readonly Written[]> {
    return new Promise((resolve, reject) => {
      this.#open += 1
      const queue = this.#queueOf(scope.schema)
      queue.waiting.push({
        scope,
        drafts,
        deadline,
        signals: undefined,
        resolve: (written) => {
          resolve(written)
          this.#close()
        },
        reject: (error) => {
          reject(error)
          this.#close()
        },
      })
      this.#schedule(queue)
    })
  }

  /** Resolves when nothing is being stored. */
  idle(): Promise<void> {
    if (this.#open === 0) return Promise.resolve()
    return new Promise((resolve) => this.#onIdle.push(resolve))
  }

  #close(): void {
    this.#open -= 1
    if (this.#open === 0) for (const resolve of this.#onIdle.splice(0)) resolve()
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
      const share = Math.ceil(queue.waiting.length / (UNDER_WAY - queue.underWay))
      const entries = takeBatch(queue.waiting, Math.max(share, MIN_SHARE))
      for (const entry of entries) entry.signals = entry.drafts.map((draft) => this.#reserve(draft))
      queue.underWay += 1
      void this.#flush(queue.schema, entries).finally(() => {
        queue.underWay -= 1
        if (queue.waiting.length > 0) this.#schedule(queue)
        else if (queue.underWay === 0 && !queue.isScheduled) this.#queues.delete(queue.schema)
      })
    }
  }

  #reserve({ signal, deliveries }: Draft): NewSignal {
    const { handOff } = this.#deps
    return { signal, deliveries, held: deliveries.map((each) => handOff?.reserve(signal.tenant, each) ?? false) }
  }

  /** Never rejects: each entry is told. */
  async #flush(schema: string, entries: readonly Entry[]): Promise<void> {
    let left = entries
    const pause = new GrowingPause(FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
    while (left.length > 0) {
      try {
        const inserted = await this.#insert(schema, left)
        for (const entry of left) this.#settle(entry, inserted)
        return
      } catch (error) {
        if (!isTransient(error)) return this.#flushEach(schema, left, error)
        this.#deps.telemetry.tell("background.failed", { step: "flush", error })
        left = this.#turnAwayLate(left, pause.ms, error)
        if (left.length > 0) await pause.rest()
      }
    }
  }

  /** Answers with those that were left out. No signal is refused for what went along. */
  async #insert(schema: string, entries: readonly Entry[]): Promise<Inserted> {
    const signals = entries.flatMap((entry) => entry.signals ?? [])
    const along = this.#deps.handOff?.along(schema)
    if (!along) return this.#send(schema, signals)
    try {
      const inserted = await this.#send(schema, signals, along.completions)
      along.booked(inserted.unbooked)
      return inserted
    } catch (error) {
      along.failed()
      if (isTransient(error)) throw error
      return this.#send(schema, signals)
    }
  }

  #send(schema: string, signals: readonly NewSignal[], completions?: Completions): Promise<Inserted> {
    const { hot, telemetry, handOff } = this.#deps
    const fields = { schema, signals: signals.length }
    return telemetry.span("flush", fields, () =>
      insertSignals(hot, schema, signals, { holder: handOff?.holder, completions }),
    )
  }

  async #flushEach(schema: string, entries: readonly Entry[], error: unknown): Promise<void> {
    const [only, ...others] = entries
    if (only && others.length === 0) this.#refuse(only, error)
    else for (const entry of entries) await this.#flush(schema, [entry])
  }

  /** Those whose time is over before the next try are told; the others are returned. */
  #turnAwayLate(entries: readonly Entry[], pauseMs: number, error: unknown): readonly Entry[] {
    const next = performance.now() + pauseMs
    for (const entry of entries) if (entry.deadline <= next) this.#refuse(entry, error)
    return entries.filter(({ deadline }) => deadline > next)
  }

  #refuse(entry: Entry, error: unknown): void {
    for (const signal of entry.signals ?? []) this.#giveBack(signal)
    entry.reject(error)
  }

  #giveBack({ signal, deliveries, held }: NewSignal): void {
    deliveries.forEach((delivery, at) => {
      if (held[at]) this.#deps.handOff?.cancel(signal.tenant, delivery)
    })
  }

  /** Tells an entry what became of its signals, when its statement was committed. */
  #settle(entry: Entry, { leftOut, closed }: Inserted): void {
    const signals = entry.signals ?? []
    if (signals.some(({ signal }) => closed.has(signal.id))) return void this.#reopen(entry, signals)
    const fresh = leftOut.size === 0 ? signals : signals.filter(({ signal }) => !leftOut.has(signal.id))
    for (const each of fresh) this.#committed(each, entry.scope.schema)
    if (fresh.length < signals.length) void this.#settleTwins(entry, signals, fresh)
    else entry.resolve(signals.map(({ signal }) => ({ signal, inserted: true })))
  }

  /**
   * The tenant may not be used, or has its rows elsewhere now: waits while it is moved, then stores there. A try that
   * was not heard of may have been committed before; its signals were moved along, and are found as twins of their own.
   * Never rejects: the entry is told.
   */
  async #reopen(entry: Entry, signals: readonly NewSignal[]): Promise<void> {
    for (const each of signals) this.#giveBack(each)
    const { slug } = entry.scope
    try {
      this.#deps.placements.forget(slug)
      const { scope } = await whileAway(entry.deadline, () => this.#deps.placements.find(slug))
      if (performance.now() > entry.deadline) throw tooLate(slug)
      entry.resolve(await this.write(scope, entry.drafts, entry.deadline))
    } catch (error) {
      entry.reject(error)
    }
  }

  /** Some were left out. Never rejects: the entry is told. */
  async #settleTwins(entry: Entry, signals: readonly NewSignal[], fresh: readonly NewSignal[]): Promise<void> {
    const unsettled = new Set(signals.filter((each) => !fresh.includes(each)))
    try {
      const written: Written[] = []
      for (const each of signals) {
        if (!unsettled.has(each)) {
          written.push({ signal: each.signal, inserted: true })
          continue
        }
        const twin = await whileAway(entry.deadline, () =>
          findTwin(this.#deps.hot.of([entry.scope]), entry.scope, each.signal),
        )
        unsettled.delete(each)
        written.push(await this.#leftOut(entry, each, twin))
      }
      entry.resolve(written)
    } catch (error) {
      for (const each of unsettled) this.#giveBack(each)
      entry.reject(error)
    }
  }

  #committed({ signal, deliveries, held }: NewSignal, schema: string): void {
    const { announcer, handOff } = this.#deps
    announcer.stored(signal.tenant, signal.id)
    const left: WakingLane[] = []
    deliveries.forEach((delivery, at) => {
      if (held[at]) handOff?.take(claimedAtOnce(signal, delivery), signal, schema)
      else left.push(laneOf(signal.tenant, delivery))
    })
    if (left.length > 0) announcer.enqueued(left)
  }

  /** A signal was left out: it is a twin of one that the tenant has, or was committed by a try that was not heard of. */
  async #leftOut(entry: Entry, each: NewSignal, twin: StoredSignal | undefined): Promise<Written> {
    if (twin?.id === each.signal.id) {
      this.#committed(await this.#stillHeld(entry, each), entry.scope.schema)
      return { signal: each.signal, inserted: true }
    }
    this.#giveBack(each)
    if (twin) return { signal: twin, inserted: false }
    // The twin was deleted between the two statements; the fact is new again.
    const [written] = await this.write(entry.scope, [{ signal: each.signal, deliveries: each.deliveries }])
    return written ?? { signal: each.signal, inserted: false }
  }

  /** The try that was not heard of may be older than a lease: what another worker has taken over is not ours any more. */
  async #stillHeld(entry: Entry, each: NewSignal): Promise<NewSignal> {
    const { hot, handOff } = this.#deps
    const places = each.held.flatMap((isHeld, at) => (isHeld ? [at] : []))
    if (!handOff || places.length === 0) return each
    const claimed = places.flatMap((at) => {
      const delivery = each.deliveries[at]
      return delivery ? [claimedAtOnce(each.signal, delivery)] : []
    })
    const kept = await whileAway(entry.deadline, () => extendLeases(hot, claimed, handOff.holder.leaseMs)).catch(
      (error: unknown) => {
        this.#giveBack(each)
        throw error
      },
    )
    const lost = new Set(places.filter((_, at) => !kept.has(at)))
    each.deliveries.forEach((delivery, at) => {
      if (lost.has(at)) handOff.cancel(each.signal.tenant, delivery)
    })
    const deliveries = each.deliveries.filter((_, at) => !lost.has(at))
    return { ...each, deliveries, held: each.held.filter((_, at) => !lost.has(at)) }
  }
}

function tooLate(slug: string): FleetPromptError {
  return new FleetPromptError(
    "database_busy",
    `tenant "${slug}" was moved or resumed while a signal was stored; try again`,
  )
}

/** As many entries as fit one statement, at least one, and not more than `most` of them. */
function takeBatch(waiting: Entry[], most: number): readonly Entry[] {
  let signals = 0
  const end = waiting.findIndex(({ drafts }, at) => at >= most || ((signals += drafts.length) > MAX_BATCH && at > 0))
  return waiting.splice(0, end < 0 ? waiting.length : end)
}
