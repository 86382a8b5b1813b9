import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Queryable } from "./database.ts"
import { fromRecord, SIGNAL_COLUMNS, type SignalRecord, toRecord } from "./signal-record.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** A delivery to be made together with its signal. */
export interface NewDelivery {
  readonly handler: string
  readonly maxAttempts: number
}

/** A signal and its deliveries. */
export interface NewSignal {
  readonly signal: StoredSignal
  readonly deliveries: readonly NewDelivery[]
}

/**
 * Stores signals, their links to their causes and their deliveries in one statement, all or nothing.
 * A signal whose id, dedupe key or provider's event id the tenant has already is left out, with its
 * deliveries: nothing fails, so a caller's transaction stays usable.
 *
 * @returns the ids that were stored.
 */
export async function insertSignals(
  tx: Queryable,
  scope: TenantScope,
  signals: readonly NewSignal[],
): Promise<ReadonlySet<string>> {
  const rows = await tx.query<{ id: string }>(
    `with input as (
       select * from json_to_recordset($1::text::json) as row (
         id uuid, type text, source text, subject_type text, subject_id uuid, data jsonb, metadata jsonb,
         occurred_at timestamptz, dedupe_key text, source_event_id text, visibility text, deliveries json)
     ), stored as (
       insert into ${scope.schema}.signals
         (id, type, source, subject_type, subject_id, data, metadata, occurred_at, dedupe_key, source_event_id, visibility)
       select id, type, source, subject_type, subject_id, coalesce(data, 'null'), metadata, occurred_at, dedupe_key, source_event_id, visibility
       from input
       on conflict do nothing
       returning id
     ), linked as (
       insert into ${scope.schema}.effects (cause_id, effect_id)
       select (input.metadata ->> 'causation_id')::uuid, id from input join stored using (id)
       where input.metadata ->> 'causation_id' is not null
     ), enqueued as (
       insert into fleetprompt.deliveries (tenant, signal_id, handler, max_attempts)
       select $2, id, delivery.handler, delivery."maxAttempts"
       from input join stored using (id)
       cross join lateral json_to_recordset(input.deliveries) as delivery (handler text, "maxAttempts" integer)
     )
     select id from stored`,
    [JSON.stringify(signals.map(({ signal, deliveries }) => ({ ...toRecord(signal), deliveries }))), scope.slug],
  )
  return new Set(rows.map((row) => row.id))
}

/** The stored signal that has the id, the dedupe key or the provider's event id of another one. */
export async function selectTwin(
  tx: Queryable,
  scope: TenantScope,
  signal: StoredSignal,
): Promise<StoredSignal | undefined> {
  const [row] = await tx.query<SignalRecord>(
    `select ${SIGNAL_COLUMNS} from ${scope.schema}.signals
     where id = $1 or dedupe_key = $2 or (source = $3 and source_event_id = $4)
     order by id limit 1`,
    [signal.id, signal.dedupeKey, signal.source, signal.sourceEventId],
  )
  return row && fromRecord(scope.slug, row)
}

/** The signals with these ids, in no order; ids that are not there are left out. */
export async function selectSignals(
  tx: Queryable,
  scope: TenantScope,
  ids: readonly string[],
): Promise<readonly StoredSignal[]> {
  const rows = await tx.query<SignalRecord>(
    `select ${SIGNAL_COLUMNS} from ${scope.schema}.signals
     where id in (select value::uuid from json_array_elements_text($1::text::json))`,
    [JSON.stringify(ids)],
  )
  return rows.map((row) => fromRecord(scope.slug, row))
}
