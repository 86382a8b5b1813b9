import type { Database } from "../../../src/store/database.ts"
import { schemas } from "./store.ts"
import { BEGINNING_MS } from "./virtual-time.ts"

/** A row of the queue as the journal has it. */
export interface DeliveryRow {
  readonly tenant: string
  readonly signal_id: string
  readonly handler: string
  readonly position: number
  readonly version: number
  readonly attempt: number
  readonly lease_token: number
  readonly leased_by: string | null
  /** Microseconds since the simulation began. */
  readonly leasedUntil: number | null
  readonly runAt: number
  readonly flow_key: string | null
  readonly replay_id: string | null
}

/** One change of one row of the queue. */
export interface Change {
  /** Microseconds since the simulation began; the statement of that moment in the server's log made it. */
  readonly instant: number
  /** When its transaction began. */
  readonly began: number
  readonly txId: string
  readonly old: DeliveryRow | null
  readonly new: DeliveryRow | null
}

/** A stored signal. */
export interface SignalRow {
  readonly tenant: string
  readonly id: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  readonly subject: string | null
  readonly dedupeKey: string | null
  readonly source: string
  readonly causationId: string | null
  readonly txId: string
  readonly position: number
}

/** A row of attempts. */
export interface AttemptRow {
  readonly tenant: string
  readonly signalId: string
  readonly handler: string
  readonly attempt: number
  readonly outcome: string
  readonly worker: string
  readonly replayId: string | null
  readonly error: { readonly name?: string; readonly message?: string; readonly code?: string } | null
  /** Microseconds since the simulation began. */
  readonly finishedAt: number
}

/** What names a delivery. */
export interface DeliveryName {
  readonly tenant: string
  readonly signalId: string
  readonly handler: string
}

/** A replay. */
export interface ReplayRow {
  readonly id: string
  readonly tenant: string
  readonly status: string
  readonly total: number
  readonly seen: number
  readonly enqueued: number
}

/** What the database has at the end, and how its queue came and went. */
export interface Evidence {
  readonly changes: readonly Change[]
  readonly signals: readonly SignalRow[]
  readonly attempts: readonly AttemptRow[]
  readonly deadLetters: readonly DeliveryName[]
  readonly replays: readonly ReplayRow[]
  readonly effects: readonly { readonly causeId: string; readonly effectId: string }[]
}

const ORIGIN = `timestamptz 'epoch' + ${BEGINNING_MS} * interval '1 millisecond'`

function micros(expression: string): string {
  return `(extract(epoch from ${expression} - (${ORIGIN})) * 1000000)::float8`
}

/** Reads everything. */
export async function readEvidence(database: Database): Promise<Evidence> {
  return {
    changes: await readChanges(database),
    signals: await fromSchemas(database, signalsText),
    attempts: await fromSchemas(database, attemptsText),
    deadLetters: await fromSchemas(
      database,
      (schema) => `select tenant, signal_id as "signalId", handler from ${schema}.dead_letters`,
    ),
    replays: await database.query<ReplayRow>(
      `select id, tenant, status, total::float8 as total, seen::float8 as seen, enqueued::float8 as enqueued
       from fleetprompt.replays order by created_at`,
    ),
    effects: await fromSchemas(
      database,
      (schema) => `select cause_id as "causeId", effect_id as "effectId" from ${schema}.effects`,
    ),
  }
}

async function readChanges(database: Database): Promise<readonly Change[]> {
  return database.query<Change>(
    `select ${micros("instant")} as instant, ${micros("began")} as began, tx_id::text as "txId",
       ${rowText("old")} as old, ${rowText("new")} as new
     from simulation.journal order by n`,
  )
}

function rowText(row: string): string {
  return `case when (${row}).signal_id is not null then to_jsonb(${row}) || jsonb_build_object(
    'leasedUntil', ${micros(`(${row}).leased_until`)}, 'runAt', ${micros(`(${row}).run_at`)}) end`
}

function signalsText(schema: string): string {
  return `select tenant, id, type, data, source, dedupe_key as "dedupeKey", metadata #>> '{cloudevents,subject}' as subject,
    metadata ->> 'causation_id' as "causationId", tx_id::text as "txId", position::float8 as position
  from ${schema}.signals order by tenant, tx_id, position`
}

function attemptsText(schema: string): string {
  return `select tenant, signal_id as "signalId", handler, attempt, outcome, worker, replay_id as "replayId", error,
    ${micros("finished_at")} as "finishedAt"
  from ${schema}.attempts order by finished_at, attempt`
}

async function fromSchemas<Row extends object>(
  database: Database,
  text: (schema: string) => string,
): Promise<readonly Row[]> {
  const all: Row[] = []
  for (const schema of schemas()) all.push(...(await database.query<Row>(text(schema))))
  return all
}
