import type { Candidate } from "../guard/candidate.ts"
import { runGuards, standardGuards } from "../guard/guards.ts"
import { normalise, type SignalAttributes } from "../guard/normalise.ts"
import type { Router } from "../signal/router/router.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import { announce } from "../store/announcements.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Database, Queryable } from "../store/database.ts"
import { type JoinableTransaction, joinTransaction } from "../store/joined-transaction.ts"
import { insertSignals, selectTwin } from "../store/signals.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { stopwatch } from "../telemetry/stopwatch.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"
import { fanOut, type FanOutTarget } from "./fan-out.ts"

/** What a caller of `emit` may say besides type and data. */
export interface EmitOptions extends SignalAttributes {
  /**
   * The caller's own transaction: a `pg` client after BEGIN, a Kysely or Drizzle transaction, or one of
   * `fleet.transaction`. The signal and its deliveries then commit or roll back with it.
   */
  readonly tx?: JoinableTransaction
  /** Longest data, bytes of JSON. Default: the fleet's `maxDataBytes`. */
  readonly maxDataBytes?: number
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
  /** Longest data of a signal, bytes of JSON, where the call says nothing else. */
  readonly maxDataBytes: number
  readonly routes: Router<FanOutTarget>
  readonly announcer: Announcer
  readonly telemetry: Telemetry
}

/**
 * The one way a signal enters the system: normalise, guard, persist with its deliveries, announce.
 *
 * @throws FleetPromptError `signal_invalid`, `data_not_json`, `data_too_deep`, `data_too_large`,
 * `secret_refused`, `tenant_invalid`, `transaction_unsupported`
 */
export async function emit(
  scope: TenantScope,
  type: string,
  data: unknown,
  options: EmitOptions,
  deps: EmitDeps,
): Promise<EmitResult> {
  const elapsed = stopwatch()
  try {
    const guards = standardGuards({ maxDataBytes: options.maxDataBytes ?? deps.maxDataBytes })
    const candidate = runGuards(normalise(scope.slug, type, data, options), guards)
    const result = await persist(scope, candidate, options.tx, deps)
    tellEmitted(result, elapsed(), deps.telemetry)
    return { signal: result.signal, inserted: result.inserted }
  } catch (error) {
    deps.telemetry.tell("signal.refused", { tenant: scope.slug, type, error, durationMs: elapsed() })
    throw error
  }
}

interface Persisted extends EmitResult {
  readonly deliveries: number
}

/** In a transaction of the caller's, the announcement is part of it, so that a rollback is not heard of. */
async function persist(
  scope: TenantScope,
  candidate: Candidate,
  tx: JoinableTransaction | undefined,
  deps: EmitDeps,
): Promise<Persisted> {
  if (tx === undefined) {
    const result = await store(deps.database, scope, toStored(candidate), deps)
    if (result.inserted) deps.announcer.stored(scope.slug, result.signal.id)
    return result
  }
  const joined = joinTransaction(tx)
  const result = await store(joined, scope, toStored(candidate), deps)
  if (result.inserted) await announce(joined, [{ tenant: scope.slug, stored: [result.signal.id], delivered: [] }])
  return result
}

async function store(tx: Queryable, scope: TenantScope, signal: StoredSignal, deps: EmitDeps): Promise<Persisted> {
  const deliveries = fanOut(signal, deps.routes, deps.telemetry)
  const stored = await insertSignals(tx, scope, [{ signal, deliveries }])
  if (stored.has(signal.id)) return { signal, inserted: true, deliveries: deliveries.length }
  const twin = await selectTwin(tx, scope, signal)
  if (twin) return { signal: twin, inserted: false, deliveries: 0 }
  // The twin was deleted between the two statements; the fact is new again.
  return store(tx, scope, signal, deps)
}

function toStored(candidate: Candidate): StoredSignal {
  const { signal, tenant, metadata, visibility, dedupeKey, sourceEventId } = candidate
  return Object.freeze({ ...signal, tenant, metadata, visibility, dedupeKey, sourceEventId })
}

function tellEmitted({ signal, inserted, deliveries }: Persisted, durationMs: number, telemetry: Telemetry): void {
  telemetry.tell("signal.emitted", {
    tenant: signal.tenant,
    signalId: signal.id,
    type: signal.type,
    correlationId: signal.metadata.correlation_id,
    causationId: signal.metadata.causation_id,
    inserted,
    deliveries,
    durationMs,
  })
}
