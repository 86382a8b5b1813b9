import type { Visibility } from "../../src/signal/stored-signal.ts"
import { newId } from "../../src/signal/id.ts"
import type { Database, Queryable } from "../../src/store/database.ts"
import { migrateControl } from "../../src/store/migrate.ts"
import { insertSignals } from "../../src/store/insert-signals.ts"
import { type Placement, type TenantScope, tenantScope } from "../../src/store/tenant-scope.ts"
import { provisionTenant } from "../../src/tenants/provision.ts"
import { testSlug } from "./test-fleet.ts"

/** Both placements, for `test.each`. */
export const placements: readonly Placement[] = ["own", "shared"]

/** A tenant of the running test, without a fleet. */
export async function tenantOf(database: Database, placement: Placement, more = ""): Promise<TenantScope> {
  await migrateControl(database)
  const slug = testSlug(more)
  await provisionTenant(database, slug, { placement })
  return tenantScope(slug, placement)
}

/** What a test says about a signal. */
export interface SignalRow {
  readonly type?: string
  readonly data?: unknown
  readonly source?: string
  readonly subject?: string
  readonly time?: string
  readonly correlationId?: string
  readonly visibility?: Visibility
}

/** Stores signals in one statement, without deliveries. Returns their ids in order. */
export async function storeSignals(
  tx: Queryable,
  { slug, schema }: TenantScope,
  rows: readonly SignalRow[],
): Promise<readonly string[]> {
  const signals = rows.map((row) => {
    const id = newId()
    const signal = {
      specversion: "1.0" as const,
      id,
      type: row.type ?? "order.created",
      source: row.source ?? "app",
      time: row.time ?? new Date().toISOString(),
      ...(row.subject !== undefined && { subject: row.subject }),
      data: row.data ?? {},
      tenant: slug,
      metadata: { schema_version: 1, correlation_id: row.correlationId ?? id, causation_id: null },
      visibility: row.visibility ?? "internal",
      dedupeKey: null,
      sourceEventId: null,
    }
    return { signal, deliveries: [], held: [] }
  })
  await insertSignals(tx, schema, signals)
  return signals.map(({ signal }) => signal.id)
}

let noted = 0

/** Notes an attempt. Each ends later than the one that was noted before. */
export async function noteAttempt(
  tx: Queryable,
  { slug, schema }: TenantScope,
  attempt: {
    readonly signalId: string
    readonly handler: string
    readonly outcome: string
    readonly replayId?: string
  },
): Promise<void> {
  await tx.query(
    `insert into ${schema}.attempts (tenant, signal_id, handler, attempt, outcome, worker, replay_id, started_at, finished_at)
     select $1, $2::text::uuid, $3, 1, $4, 'test', $6::text::uuid, at, at
     from (select timestamptz '2026-01-01Z' + $5::integer * interval '1 second' as at) as clock`,
    [slug, attempt.signalId, attempt.handler, attempt.outcome, ++noted, attempt.replayId ?? null],
  )
}

/** What a test says about a dead letter. */
export interface LetterRow {
  readonly signalId: string
  readonly handler?: string
  readonly error?: object
  readonly attempts?: number
  readonly priority?: number
  readonly flowKey?: string
  /** Default now. */
  readonly diedAt?: string
}

/** Makes dead letters, each with its last attempt. */
export async function bury(tx: Queryable, { slug, schema }: TenantScope, letters: readonly LetterRow[]): Promise<void> {
  const rows = letters.map(({ signalId, handler = "mail.send", error = {}, ...rest }) => ({
    tenant: slug,
    signal_id: signalId,
    handler,
    error,
    attempts: rest.attempts ?? 5,
    priority: rest.priority ?? 0,
    flow_key: rest.flowKey ?? null,
    died_at: rest.diedAt ?? null,
  }))
  await tx.query(
    `with input as (
       select tenant, signal_id, handler, error, attempts, priority, flow_key, coalesce(died_at, clock_timestamp()) as died_at
       from json_to_recordset($1::text::json) as row (tenant text, signal_id uuid, handler text, error jsonb,
         attempts integer, priority smallint, flow_key text, died_at timestamptz)
     ), noted as (
       insert into ${schema}.attempts (tenant, signal_id, handler, attempt, outcome, worker, error, started_at, finished_at)
       select tenant, signal_id, handler, attempts, 'dead', 'test', error, died_at, died_at from input
     )
     insert into ${schema}.dead_letters (tenant, signal_id, handler, error, attempts, priority, flow_key, died_at)
     select * from input`,
    [JSON.stringify(rows)],
  )
}

/** A row of the queue, as tests look at it. */
export interface QueueRow {
  readonly signalId: string
  readonly handler: string
  readonly priority: number
  readonly version: number
  readonly attempt: number
  readonly flowKey: string | null
  readonly replayId: string | null
  readonly isDue: boolean
}

/** A tenant's deliveries in the order in which they were put into the queue. */
export async function queueOf(tx: Queryable, { slug }: TenantScope): Promise<readonly QueueRow[]> {
  return tx.query<QueueRow>(
    `select signal_id as "signalId", handler, priority, version, attempt, flow_key as "flowKey", replay_id as "replayId",
       run_at <= now() as "isDue"
     from fleetprompt.deliveries where tenant = $1 order by position`,
    [slug],
  )
}

/** Outcomes of a handler's attempts at a signal, in order. */
export async function outcomesOf(
  tx: Queryable,
  { slug, schema }: TenantScope,
  signalId: string,
  handler: string,
): Promise<readonly string[]> {
  const rows = await tx.query<{ outcome: string }>(
    `select outcome from ${schema}.attempts where tenant = $1 and signal_id = $2::text::uuid and handler = $3
     order by finished_at, attempt`,
    [slug, signalId, handler],
  )
  return rows.map(({ outcome }) => outcome)
}
