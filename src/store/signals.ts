import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Queryable } from "./database.ts"
import { fromRecord, SIGNAL_COLUMNS, type SignalRecord, toRecord } from "./signal-record.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** A delivery to be made together with its signal. */
export interface NewDelivery {
  readonly handler: string
  /** Version of the handler, which older code is not to run. */
  readonly version: number
  /** Lower numbers are done first. */
  readonly priority: number
  /** When it is due, milliseconds after the commit. */
  readonly delayMs: number
  /** What the handler's limits and order go by, or null. */
  readonly flowKey: string | null
}

/** A signal and its deliveries. */
export interface NewSignal {
  readonly signal: StoredSignal
  readonly deliveries: readonly NewDelivery[]
  /** For each delivery, whether the worker of this process has it from the start. */
  readonly held: readonly boolean[]
}

/** Who holds the deliveries that are handed over at once, and for how long. */
export interface Holder {
  readonly worker: string
  readonly leaseMs: number
}

/** Nobody holds what a process without a worker stores, or what may be rolled back. */
const NOBODY: Holder = { worker: "", leaseMs: 0 }

/**
 * Stores signals of the tenants of one schema, their links to their causes and their deliveries in one
 * statement, all or nothing. A signal whose id, dedupe key or provider's event id its tenant has already,
 * or had until retention removed it, is left out with its deliveries: nothing fails, so a caller's
 * transaction stays usable.
 *
 * @param schema the quoted name of the schema of all these tenants.
 * @returns the ids that were stored.
 */
export async function insertSignals(
  tx: Queryable,
  schema: string,
  signals: readonly NewSignal[],
  holder: Holder = NOBODY,
): Promise<ReadonlySet<string>> {
  const links = signals.flatMap(linkRows)
  const deliveries = signals.flatMap(deliveryRows)
  const parts: Parts = {
    keys: signals.some(({ signal }) => signal.dedupeKey !== null || signal.sourceEventId !== null),
    links: links.length > 0,
    deliveries: deliveries.length > 0,
  }
  const rows = await tx.query<{ id: string }>(insertText(schema, parts), [
    JSON.stringify(signals.map(({ signal }) => toRecord(signal))),
    ...(parts.links ? [JSON.stringify(links)] : []),
    ...(parts.deliveries ? [JSON.stringify(deliveries), holder.worker, holder.leaseMs] : []),
  ])
  return new Set(rows.map((row) => row.id))
}

/** What the signals of a statement have; the statement touches only the tables that this asks for. */
interface Parts {
  readonly keys: boolean
  readonly links: boolean
  readonly deliveries: boolean
}

function insertText(schema: string, { keys, links, deliveries }: Parts): string {
  return `/* insertSignals */ with input as (
       select * from jsonb_to_recordset($1::text::jsonb) as row (
         tenant text, id uuid, type text, source text, subject_type text, subject_id uuid, data jsonb, metadata jsonb,
         occurred_at timestamptz, dedupe_key text, source_event_id text, visibility text)
     ), stored as (
       insert into ${schema}.signals
         (tenant, id, type, source, subject_type, subject_id, data, metadata, occurred_at, dedupe_key, source_event_id, visibility)
       select tenant, id, type, source, subject_type, subject_id, coalesce(data, 'null'), metadata, occurred_at,
         dedupe_key, source_event_id, visibility
       from input ${keys ? unlessExpired(schema) : ""}
       on conflict do nothing
       returning id
     )${links ? linkPart(schema) : ""}${deliveries ? deliveryPart(links ? 3 : 2) : ""}
     select id from stored`
}

function unlessExpired(schema: string): string {
  return `where (dedupe_key is null or not exists (
           select 1 from ${schema}.expired_keys as gone
           where gone.tenant = input.tenant and gone.dedupe_key = input.dedupe_key and gone.expires_at > now()))
         and (source_event_id is null or not exists (
           select 1 from ${schema}.expired_keys as gone
           where gone.tenant = input.tenant and gone.source = input.source
             and gone.source_event_id = input.source_event_id and gone.expires_at > now()))`
}

/**
 * `in (select …) is true` keeps the planner from making a join of it: a hashed look-up is right for one
 * signal and for a thousand, whatever the statistics say.
 */
const WAS_STORED = "in (select id from stored)) is true"

function linkPart(schema: string): string {
  return `, linked as (
       insert into ${schema}.effects (tenant, cause_id, effect_id)
       select tenant, cause_id, effect_id
       from jsonb_to_recordset($2::text::jsonb) as link (tenant text, cause_id uuid, effect_id uuid)
       where (effect_id ${WAS_STORED}
     )`
}

/** @param first number of the parameter with the rows; the worker and the length of its lease follow. */
function deliveryPart(first: number): string {
  return `, enqueued as (
       insert into fleetprompt.deliveries
         (tenant, signal_id, handler, version, priority, run_at, flow_key, attempt, lease_token, leased_until, leased_by)
       select tenant, signal_id, handler, version, priority, now() + delay_ms * interval '1 millisecond', flow_key,
         held, held, case held when 1 then now() + $${first + 2}::float8 * interval '1 millisecond' end,
         case held when 1 then $${first + 1}::text end
       from jsonb_to_recordset($${first}::text::jsonb) as delivery (
         tenant text, signal_id uuid, handler text, version integer, priority smallint, delay_ms float8, flow_key text, held integer)
       where (signal_id ${WAS_STORED}
     )`
}

function linkRows({ signal }: NewSignal): readonly object[] {
  const cause = signal.metadata.causation_id
  return cause === null ? [] : [{ tenant: signal.tenant, cause_id: cause, effect_id: signal.id }]
}

function deliveryRows({ signal, deliveries, held }: NewSignal): readonly object[] {
  return deliveries.map(({ handler, version, priority, delayMs, flowKey }, at) => ({
    tenant: signal.tenant,
    signal_id: signal.id,
    handler,
    version,
    priority,
    delay_ms: delayMs,
    flow_key: flowKey,
    held: held[at] ? 1 : 0,
  }))
}

/** The stored signal that has the id, the dedupe key or the provider's event id of another one. */
export async function selectTwin(
  tx: Queryable,
  scope: TenantScope,
  signal: StoredSignal,
): Promise<StoredSignal | undefined> {
  const [row] = await tx.query<SignalRecord>(
    `/* selectTwin */ select ${SIGNAL_COLUMNS} from ${scope.schema}.signals where tenant = $5 and id = $1
     union all
     select ${SIGNAL_COLUMNS} from ${scope.schema}.signals where tenant = $5 and dedupe_key = $2
     union all
     select ${SIGNAL_COLUMNS} from ${scope.schema}.signals where tenant = $5 and source = $3 and source_event_id = $4
     limit 1`,
    [signal.id, signal.dedupeKey, signal.source, signal.sourceEventId, scope.slug],
  )
  return row && fromRecord(row)
}

/** The signals of one tenant with these ids, in no order; ids that are not there are left out. */
export async function selectSignals(
  tx: Queryable,
  scope: TenantScope,
  ids: readonly string[],
): Promise<readonly StoredSignal[]> {
  return selectSignalsOf(
    tx,
    scope.schema,
    ids.map((id) => ({ tenant: scope.slug, id })),
  )
}

/** Names a signal in a schema that several tenants may share. */
export interface SignalKey {
  readonly tenant: string
  readonly id: string
}

/** The signals of the tenants of one schema with these keys, in no order. */
export async function selectSignalsOf(
  tx: Queryable,
  schema: string,
  keys: readonly SignalKey[],
): Promise<readonly StoredSignal[]> {
  const rows = await tx.query<SignalRecord>(
    `/* selectSignals */ select found.* from jsonb_to_recordset($1::text::jsonb) as asked (tenant text, id uuid)
     cross join lateral (
       select ${SIGNAL_COLUMNS} from ${schema}.signals where signals.tenant = asked.tenant and signals.id = asked.id limit 1
     ) as found`,
    [JSON.stringify(keys)],
  )
  return rows.map(fromRecord)
}
