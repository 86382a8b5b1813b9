import type { StoredSignal } from "../signal/stored-signal.ts"
import {
  COMPLETION_VALUES,
  completionPart,
  type Completions,
  completionValues,
  SELECT_UNBOOKED,
} from "./completions.ts"
import type { Queryable } from "./database.ts"
import { Kinds } from "./kinds.ts"
import { toRow } from "./signal-record.ts"

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

/** What `insertSignals` does besides storing signals. */
export interface InsertOptions {
  /** Default: nobody. */
  readonly holder?: Holder | undefined
  /** Attempts to be booked by the way, in the same commit. */
  readonly completions?: Completions | undefined
}

/** What a statement left undone, nearly always nothing. */
export interface Inserted {
  /** The ids of signals that were left out. */
  readonly leftOut: ReadonlySet<string>
  /** Those of them whose tenant may not be used at the moment, or has its rows elsewhere. */
  readonly closed: ReadonlySet<string>
  /** The places of completions that were not booked. */
  readonly unbooked: ReadonlySet<number>
}

/**
 * Stores signals of the tenants of one schema, their links to their causes and their deliveries in one
 * statement, all or nothing. A signal whose id, dedupe key or provider's event id its tenant has already,
 * or had until retention removed it, is left out with its deliveries: nothing fails, so a caller's
 * transaction stays usable. So is one whose tenant is not ready in this schema: whoever stores goes by what it knows of
 * tenants, which may be a moment old, and this statement decides.
 *
 * @param schema the quoted name of the schema of all these tenants.
 */
export async function insertSignals(
  tx: Queryable,
  schema: string,
  signals: readonly NewSignal[],
  { holder = NOBODY, completions }: InsertOptions = {},
): Promise<Inserted> {
  const links = signals.flatMap(linkRows)
  const parts: Parts = {
    keys: signals.some(({ signal }) => signal.dedupeKey !== null || signal.sourceEventId !== null),
    links: links.length > 0,
    deliveries: signals.some(({ deliveries }) => deliveries.length > 0),
    completions: completions !== undefined,
  }
  const rows = await tx.query<LeftRow>(insertText(schema, parts), [
    ...signalValues(signals),
    ...(parts.links ? [JSON.stringify(links)] : []),
    ...(parts.deliveries ? deliveryValues(signals, holder) : []),
    ...(completions ? completionValues(completions) : []),
  ])
  return {
    leftOut: new Set(rows.flatMap(({ id }) => (id === null ? [] : [id]))),
    closed: new Set(rows.flatMap(({ id, closed }) => (id !== null && closed ? [id] : []))),
    unbooked: new Set(rows.flatMap(({ n }) => (n === null ? [] : [n]))),
  }
}

/** A signal that was left out, or the place of a completion that was not booked. */
interface LeftRow {
  readonly id: string | null
  readonly closed: boolean | null
  readonly n: number | null
}

/** What a statement has; it touches only the tables that this asks for. */
interface Parts {
  readonly keys: boolean
  readonly links: boolean
  readonly deliveries: boolean
  readonly completions: boolean
}

const SIGNAL_VALUES = 5
const DELIVERY_VALUES = 11

function insertText(schema: string, { keys, links, deliveries, completions }: Parts): string {
  let next = 1 + SIGNAL_VALUES
  const take = (count: number): number => (next += count) - count
  return `/* insertSignals */ with ${signalPart(schema, keys)}${
    links ? linkPart(schema, take(1)) : ""
  }${deliveries ? deliveryPart(take(DELIVERY_VALUES)) : ""}${
    completions ? `, ${completionPart(schema, take(COMPLETION_VALUES))}` : ""
  }
     select id, null::integer as n, (tenant ${IS_OPEN}) is not true as closed from input where (id ${WAS_STORED}) is not true
     ${completions ? `union all select null, n, null from (${SELECT_UNBOOKED}) as unbooked` : ""}`
}

/** Keys are short, since Postgres reads each of them again for each row. */
function signalPart(schema: string, keys: boolean): string {
  return `input as (
       select ($2::text[])[k] as tenant, id, ($3::text[])[k] as type, ($4::text[])[k] as source, st as subject_type,
         si as subject_id, d as data, m as metadata, t as occurred_at, dk as dedupe_key, se as source_event_id,
         ($5::text[])[k] as visibility
       from jsonb_to_recordset($1::text::jsonb) as row
         (k integer, id uuid, st text, si uuid, d jsonb, m jsonb, t timestamptz, dk text, se text)
     ), open as materialized (
       select slug from fleetprompt.tenants where slug = any($2::text[]) and status = 'ready' and schema_name = '${nameOf(schema)}'
     ), stored as (
       insert into ${schema}.signals
         (tenant, id, type, source, subject_type, subject_id, data, metadata, occurred_at, dedupe_key, source_event_id, visibility)
       select tenant, id, type, source, subject_type, subject_id, coalesce(data, 'null'), metadata, occurred_at,
         dedupe_key, source_event_id, visibility
       from input where (tenant ${IS_OPEN}) is true ${keys ? unlessExpired(schema) : ""}
       on conflict do nothing
       returning id
     )`
}

function unlessExpired(schema: string): string {
  return `and (dedupe_key is null or not exists (
           select 1 from ${schema}.expired_keys as gone
           where gone.tenant = input.tenant and gone.dedupe_key = input.dedupe_key and gone.expires_at > now()))
         and (source_event_id is null or not exists (
           select 1 from ${schema}.expired_keys as gone
           where gone.tenant = input.tenant and gone.source = input.source
             and gone.source_event_id = input.source_event_id and gone.expires_at > now()))`
}

/**
 * `(id in (select …)) is true` keeps the planner from making a join of it: a hashed look-up is right for one
 * signal and for a thousand, whatever the statistics say.
 */
const WAS_STORED = "in (select id from stored)"
const IS_OPEN = "in (select slug from open)"

/** A schema's name as a literal holds it: nothing in it needs to be quoted, since it is made of a checked slug. */
function nameOf(schema: string): string {
  return schema.replaceAll('"', "")
}

/** @param first number of the parameter with the rows. */
function linkPart(schema: string, first: number): string {
  return `, linked as (
       insert into ${schema}.effects (tenant, cause_id, effect_id)
       select tenant, cause_id, effect_id
       from jsonb_to_recordset($${first}::text::jsonb) as link (tenant text, cause_id uuid, effect_id uuid)
       where (effect_id ${WAS_STORED}) is true
     )`
}

/** @param first number of the first of the parameters that `deliveryValues` makes. */
function deliveryPart(first: number): string {
  const [ids, kinds, keys, tenants, handlers, versions, priorities, delays, held, worker, leaseMs] = Array.from(
    { length: DELIVERY_VALUES },
    (_, at) => `$${first + at}`,
  )
  return `, enqueued as (
       insert into fleetprompt.deliveries
         (tenant, signal_id, handler, version, priority, run_at, flow_key, attempt, lease_token, leased_until, leased_by)
       select (${tenants}::text[])[kind], signal_id, (${handlers}::text[])[kind], (${versions}::integer[])[kind],
         (${priorities}::smallint[])[kind], now() + (${delays}::float8[])[kind] * interval '1 millisecond', flow_key,
         held, held, case held when 1 then now() + ${leaseMs}::float8 * interval '1 millisecond' end,
         case held when 1 then ${worker}::text end
       from unnest(${ids}::uuid[], ${kinds}::integer[], ${keys}::text[]) as given (signal_id, kind, flow_key)
       cross join lateral (select (${held}::integer[])[kind] as held) as of_kind
       where (signal_id ${WAS_STORED}) is true
     )`
}

function signalValues(signals: readonly NewSignal[]): readonly unknown[] {
  const kinds = new Kinds<StoredSignal>()
  const rows = signals.map(({ signal }) => {
    const { tenant, type, source, visibility } = signal
    return toRow(signal, kinds.placeOf(`${tenant} ${type} ${visibility} ${source}`, signal))
  })
  return [
    JSON.stringify(rows),
    kinds.all.map(({ tenant }) => tenant),
    kinds.all.map(({ type }) => type),
    kinds.all.map(({ source }) => source),
    kinds.all.map(({ visibility }) => visibility),
  ]
}

function linkRows({ signal }: NewSignal): readonly object[] {
  const cause = signal.metadata.causation_id
  return cause === null ? [] : [{ tenant: signal.tenant, cause_id: cause, effect_id: signal.id }]
}

interface DeliveryKind extends NewDelivery {
  readonly tenant: string
  readonly held: number
}

function deliveryValues(signals: readonly NewSignal[], { worker, leaseMs }: Holder): readonly unknown[] {
  const kinds = new DeliveryKinds()
  const ids: string[] = []
  const places: number[] = []
  const keys: (string | null)[] = []
  for (const { signal, deliveries, held } of signals) {
    for (let at = 0; at < deliveries.length; at++) {
      const delivery = deliveries[at]
      if (!delivery) continue
      places.push(kinds.of(signal.tenant, delivery, held[at] ? 1 : 0, at))
      ids.push(signal.id)
      keys.push(delivery.flowKey)
    }
  }
  return [
    `{${ids.join()}}`,
    `{${places.join()}}`,
    keys.some((key) => key !== null) ? keys : null,
    kinds.all.map(({ tenant }) => tenant),
    kinds.all.map(({ handler }) => handler),
    kinds.all.map(({ version }) => version),
    kinds.all.map(({ priority }) => priority),
    kinds.all.map(({ delayMs }) => delayMs),
    kinds.all.map(({ held }) => held),
    worker,
    leaseMs,
  ]
}

/** Kinds of deliveries. Signals that follow each other mostly have the same, so those of the last are looked at first. */
class DeliveryKinds extends Kinds<DeliveryKind> {
  readonly #last: { readonly kind: DeliveryKind; readonly place: number }[] = []

  /** @param at which of the signal's deliveries it is. */
  of(tenant: string, delivery: NewDelivery, held: number, at: number): number {
    const last = this.#last[at]
    if (last && isSame(last.kind, tenant, delivery, held)) return last.place
    const { handler, version, priority, delayMs } = delivery
    const kind = { ...delivery, tenant, held }
    const place = this.placeOf(`${tenant} ${handler} ${version} ${priority} ${delayMs} ${held}`, kind)
    this.#last[at] = { kind, place }
    return place
  }
}

function isSame(kind: DeliveryKind, tenant: string, delivery: NewDelivery, held: number): boolean {
  return (
    kind.handler === delivery.handler &&
    kind.version === delivery.version &&
    kind.priority === delivery.priority &&
    kind.delayMs === delivery.delayMs &&
    kind.tenant === tenant &&
    kind.held === held
  )
}
