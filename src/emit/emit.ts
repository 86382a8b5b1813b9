import { FleetPromptError } from "../errors.ts"
import type { Candidate, Guard } from "../guard/candidate.ts"
import { runGuards, standardGuards } from "../guard/guards.ts"
import { normalise, type SignalAttributes } from "../guard/normalise.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import { announce } from "../store/announcements.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Database, Queryable } from "../store/database.ts"
import { type JoinableTransaction, joinTransaction } from "../store/joined-transaction.ts"
import type { PlacedTenant, Placements } from "../store/placements.ts"
import { insertSignals } from "../store/insert-signals.ts"
import { asTenant } from "../store/roles.ts"
import { engineScope, type TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import type { Admission } from "./admission.ts"
import { fanOut, type FanOutRoutes } from "./fan-out.ts"
import { checkTwin, findTwin } from "./twin.ts"
import { type Draft, laneOf, type Written } from "./draft.ts"
import { TRY_MS, whileAway } from "./while-away.ts"
import { type Writer } from "./writer.ts"

/** What a caller of `emit` may say besides type and data. */
export interface EmitOptions extends SignalAttributes {
  /**
   * The caller's own transaction: a `pg` client after BEGIN, a Kysely or Drizzle transaction, or one of
   * `fleet.transaction`. The signal and its deliveries then commit or roll back with it.
   */
  readonly tx?: JoinableTransaction
  /** Longest data, bytes of JSON. Default: the fleet's `maxDataBytes`. */
  readonly maxDataBytes?: number
  /**
   * When the tenant has another fact under the same key, with other content: refuse the new one, the
   * default, or answer with the existing one, for sources that may tell the same fact in other words.
   */
  readonly onConflict?: "refuse" | "existing"
}

/** One of the signals of `emitMany`. */
export interface EmitItem extends Omit<EmitOptions, "tx"> {
  readonly type: string
  readonly data: unknown
}

/** What came of an emit. */
export interface EmitResult<Data = unknown> {
  /** The signal as it is stored. */
  readonly signal: StoredSignal<Data>
  /** False when the tenant had this fact already: `signal` is then the stored one, and nothing was enqueued. */
  readonly inserted: boolean
}

/** What emit works with; the fleet makes it once. */
export interface EmitDeps {
  readonly database: Database
  readonly placements: Placements
  readonly writer: Writer
  readonly admission: Admission
  /** The checks before the store, where the call has no limit of its own. */
  readonly guards: readonly Guard[]
  readonly routes: FanOutRoutes
  readonly announcer: Announcer
  readonly telemetry: Telemetry
}

/** Most signals of one `emitMany`. */
export const MAX_MANY = 1_000

/**
 * The one way a signal enters the system: normalise, guard, persist with its deliveries, announce.
 *
 * @throws FleetPromptError `signal_invalid`, `data_not_json`, `data_too_deep`, `data_too_large`,
 * `secret_refused`, `tenant_invalid`, `tenant_unknown`, `transaction_unsupported`, `idempotency_conflict`,
 * `emit_queue_full`
 */
export function emit(
  tenant: string,
  type: string,
  data: unknown,
  options: EmitOptions,
  deps: EmitDeps,
): Promise<EmitResult> {
  const run = (): Promise<EmitResult> => emitOne(tenant, { ...options, type, data }, deps)
  if (!deps.telemetry.hearsSpans) return run()
  return deps.telemetry.span("emit", { tenant, type }, run, ({ signal, inserted }) => ({
    signalId: signal.id,
    correlationId: signal.metadata.correlation_id,
    inserted,
  }))
}

async function emitOne(tenant: string, item: EmitItem & EmitOptions, deps: EmitDeps): Promise<EmitResult> {
  const [result] = await emitAll(tenant, [item], item.tx, deps)
  // One item went in.
  return result as EmitResult
}

/**
 * Stores several signals of one tenant in one commit, all or none.
 *
 * @throws FleetPromptError `batch_too_large`, and what `emit` throws; its `path` then begins with the item's place
 */
export async function emitMany(
  tenant: string,
  items: readonly EmitItem[],
  tx: JoinableTransaction | undefined,
  deps: EmitDeps,
): Promise<readonly EmitResult[]> {
  if (items.length > MAX_MANY)
    throw new FleetPromptError(
      "batch_too_large",
      `expected at most ${MAX_MANY} signals in one call, got ${items.length}; divide them over several calls`,
    )
  return items.length === 0 ? [] : emitAll(tenant, items, tx, deps)
}

async function emitAll(
  tenant: string,
  items: readonly EmitItem[],
  given: JoinableTransaction | undefined,
  deps: EmitDeps,
): Promise<readonly EmitResult[]> {
  const elapsed = stopwatch()
  try {
    if (given) deps.admission.enter(items.length)
    else if (!deps.admission.tryEnter(items.length)) await waitForRoom(tenant, items.length, deps)
    try {
      const written = await persist(tenant, items, given && joinTransaction(given), deps)
      return written.map((each) => answer(each, elapsed(), deps))
    } finally {
      deps.admission.leave(items.length)
    }
  } catch (error) {
    deps.telemetry.tell("signal.refused", { tenant, type: items[0]?.type ?? "", error, durationMs: elapsed() })
    throw error
  }
}

async function waitForRoom(tenant: string, places: number, { admission, telemetry }: EmitDeps): Promise<void> {
  try {
    await admission.wait(places)
  } catch (error) {
    telemetry.tell("emit.queue_full", { tenant, waiting: admission.load.waiting })
    throw error
  }
}

/** A signal that was to be stored, and what became of it. */
interface Persisted extends Written {
  readonly draft: Draft
}

async function persist(
  tenant: string,
  items: readonly EmitItem[],
  tx: Queryable | undefined,
  deps: EmitDeps,
): Promise<readonly Persisted[]> {
  const { scope } = deps.placements.known(tenant) ?? (await findPlace(tenant, tx, deps))
  const drafts = items.map((item, at) => draft(scope, item, items.length > 1 ? at : undefined, deps))
  if (tx) return asTenant(tx, scope, () => joinWithin(tx, scope, items, drafts, deps))
  // Several of which one may be refused for its key must be taken back then, all of them.
  if (drafts.length > 1 && drafts.some(mayConflict)) return joinOwn(scope, items, drafts, deps)
  return checked(items, drafts, await deps.writer.write(scope, drafts))
}

/** Waits while the tenant is moved or the database is away, unless that would keep a transaction of the caller's open. */
function findPlace(tenant: string, tx: Queryable | undefined, { placements }: EmitDeps): Promise<PlacedTenant> {
  if (tx) return asTenant(tx, engineScope(tenant), () => placements.find(tenant, tx))
  return whileAway(performance.now() + TRY_MS, () => placements.find(tenant))
}

function mayConflict({ signal }: Draft): boolean {
  return signal.dedupeKey !== null || signal.sourceEventId !== null
}

/** Tried again when another batch said the same keys in another order, and whenever the database is away. */
function joinOwn(
  scope: TenantScope,
  items: readonly EmitItem[],
  drafts: readonly Draft[],
  deps: EmitDeps,
): Promise<readonly Persisted[]> {
  return whileAway(performance.now() + TRY_MS, () =>
    withinTenant(deps.database, scope, (own) => joinWithin(own, scope, items, drafts, deps)),
  )
}

async function joinWithin(
  tx: Queryable,
  scope: TenantScope,
  items: readonly EmitItem[],
  drafts: readonly Draft[],
  deps: EmitDeps,
): Promise<readonly Persisted[]> {
  return checked(items, drafts, await join(tx, scope, drafts, deps))
}

/** @throws FleetPromptError `idempotency_conflict` */
function checked(
  items: readonly EmitItem[],
  drafts: readonly Draft[],
  written: readonly Written[],
): readonly Persisted[] {
  return drafts.map((each, at) => {
    const { signal, inserted } = written[at] ?? { signal: each.signal, inserted: false }
    if (!inserted && items[at]?.onConflict !== "existing")
      atPlace(items.length > 1 ? at : undefined, () => checkTwin(signal, each.signal))
    return { signal, inserted, draft: each }
  })
}

function draft(scope: TenantScope, item: EmitItem, place: number | undefined, deps: EmitDeps): Draft {
  return atPlace(place, () => {
    const { maxDataBytes } = item
    const guards = maxDataBytes === undefined ? deps.guards : standardGuards({ maxDataBytes })
    const candidate = normalise(scope.slug, item.type, item.data, traced(item, deps.telemetry))
    const signal = toStored(runGuards(candidate, guards))
    return { signal, deliveries: fanOut(signal, deps.routes, deps.telemetry) }
  })
}

/** An error of one of several signals says which. */
function atPlace<Result>(place: number | undefined, work: () => Result): Result {
  if (place === undefined) return work()
  try {
    return work()
  } catch (error) {
    if (!(error instanceof FleetPromptError)) throw error
    const { code, message, path } = error
    throw new FleetPromptError(code, `signal ${place}: ${message}`, {
      path: path === undefined ? `[${place}]` : `[${place}].${path}`,
    })
  }
}

/** The trace in which it is emitted goes with the signal, unless the caller named one. */
function traced(item: EmitItem, telemetry: Telemetry): EmitItem {
  const traceparent = telemetry.traceparent()
  if (traceparent === undefined || item.extensions?.["traceparent"] !== undefined) return item
  return { ...item, extensions: { ...item.extensions, traceparent } }
}

function toStored(candidate: Candidate): StoredSignal {
  const { signal, tenant, metadata, visibility, dedupeKey, sourceEventId } = candidate
  return Object.freeze({ ...signal, tenant, metadata, visibility, dedupeKey, sourceEventId })
}

/** In a transaction of the caller's, the announcement is part of it, so that a rollback is not heard of. */
async function join(
  tx: Queryable,
  scope: TenantScope,
  drafts: readonly Draft[],
  deps: EmitDeps,
): Promise<readonly Written[]> {
  const { leftOut, closed } = await insertSignals(tx, scope.schema, drafts.map(unheld))
  if (closed.size > 0) throw await closedTenant(scope.slug, tx, deps)
  const written: Written[] = []
  for (const { signal } of drafts) {
    if (!leftOut.has(signal.id)) written.push({ signal, inserted: true })
    else written.push(await existing(tx, scope, signal))
  }
  const fresh = drafts.filter(({ signal }) => !leftOut.has(signal.id))
  if (fresh.length > 0) await announceWithin(tx, scope, fresh, deps)
  return written
}

/** The tenant may not be used, or was moved since it was looked up. */
async function closedTenant(slug: string, tx: Queryable, { placements }: EmitDeps): Promise<unknown> {
  placements.forget(slug)
  await placements.find(slug, tx)
  return new FleetPromptError("database_busy", `tenant "${slug}" was moved while a signal was stored; try again`)
}

/** A worker cannot have what may be rolled back. */
function unheld({ signal, deliveries }: Draft) {
  return { signal, deliveries, held: deliveries.map(() => false) }
}

async function existing(tx: Queryable, scope: TenantScope, signal: StoredSignal): Promise<Written> {
  const twin = await findTwin(tx, scope, signal)
  // Its own, when a try before this one was committed and nobody heard of it.
  if (twin) return { signal: twin, inserted: twin.id === signal.id }
  throw new FleetPromptError(
    "database_busy",
    "a signal with the same key was removed while this one was stored; try again",
  )
}

async function announceWithin(
  tx: Queryable,
  { slug }: TenantScope,
  drafts: readonly Draft[],
  { announcer }: EmitDeps,
): Promise<void> {
  const lanes = drafts.flatMap(({ deliveries }) => deliveries.map((each) => laneOf(slug, each)))
  const stored = drafts.map(({ signal }) => signal.id)
  // This process hears it as the others do, when it is committed.
  await announce(tx, `${announcer.origin}/tx`, { news: [{ tenant: slug, stored, delivered: [] }], lanes })
}

function answer({ signal, inserted, draft: sent }: Persisted, durationMs: number, { telemetry }: EmitDeps): EmitResult {
  telemetry.tell("signal.emitted", {
    tenant: signal.tenant,
    signalId: signal.id,
    type: signal.type,
    correlationId: signal.metadata.correlation_id,
    causationId: signal.metadata.causation_id,
    inserted,
    deliveries: inserted ? sent.deliveries.length : 0,
    durationMs,
  })
  return { signal, inserted }
}
