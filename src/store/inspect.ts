import type { JsonObject } from "../signal/json.ts"
import type { StoredSignal, Visibility } from "../signal/stored-signal.ts"
import type { Queryable } from "./database.ts"
import { fromRecord, SIGNAL_COLUMNS, type SignalRecord } from "./signal-record.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Which signals a reader asks for. */
export interface SignalFilter {
  readonly limit: number
  /** Only signals before this id. */
  readonly before: string | null
  /** Only types that fit this regular expression, read with a dot after the type. */
  readonly typeExpression: string | null
  /** What the reader may see. */
  readonly visibilities: readonly Visibility[]
}

/** Signals, newest first. */
export async function selectRecentSignals(
  tx: Queryable,
  scope: TenantScope,
  filter: SignalFilter,
): Promise<readonly StoredSignal[]> {
  const rows = await tx.query<SignalRecord>(
    `/* selectRecentSignals */ select ${SIGNAL_COLUMNS} from ${scope.schema}.signals
     where tenant = $5 and ($1::uuid is null or id < $1::uuid) and ($2::text is null or (type || '.') ~ $2)
       and visibility in (select json_array_elements_text($3::text::json))
     order by id desc limit $4`,
    [filter.before, filter.typeExpression, JSON.stringify(filter.visibilities), filter.limit, scope.slug],
  )
  return rows.map(fromRecord)
}

/** Where a delivery stands. */
export interface DeliveryRecord {
  readonly signalId: string
  readonly handler: string
  readonly status: "waiting" | "running" | "retrying" | "done" | "cancelled" | "dead"
  readonly attempts: number
  readonly nextAttemptAt: string | null
}

/** The deliveries of signals: those in the queue, and for the rest what closed them. */
export async function selectDeliveries(
  tx: Queryable,
  scope: TenantScope,
  signalIds: readonly string[],
): Promise<readonly DeliveryRecord[]> {
  return tx.query<DeliveryRecord>(
    `/* selectDeliveries */ with asked as (
       select value::uuid as signal_id from json_array_elements_text($1::text::json)
     ), open as (
       select signal_id, handler, attempt, run_at,
         case when leased_until > now() then 'running'
              when attempt > 0 then 'retrying' else 'waiting' end as status
       from fleetprompt.deliveries join asked using (signal_id) where tenant = $2
     ), closed as (
       select distinct on (signal_id, handler) signal_id, handler, attempt,
         case outcome when 'discarded' then 'cancelled' else outcome end as status
       from ${scope.schema}.attempts join asked using (signal_id)
       where tenant = $2 and outcome in ('done', 'cancelled', 'dead', 'discarded')
       order by signal_id, handler, finished_at desc, attempt desc
     )
     select signal_id as "signalId", handler, status, attempt as attempts,
       case when status = 'retrying' then to_char(run_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end as "nextAttemptAt"
     from open
     union all
     select signal_id, handler, status, attempt, null from closed
     where not exists (select 1 from open where open.signal_id = closed.signal_id and open.handler = closed.handler)
     order by 1, 2`,
    [JSON.stringify(signalIds), scope.slug],
  )
}

/** One try of a delivery, as it was booked. */
export interface AttemptRecord {
  readonly signalId: string
  readonly handler: string
  readonly attempt: number
  readonly outcome: "done" | "failed" | "snoozed" | "cancelled" | "dead" | "lost" | "discarded"
  readonly worker: string
  /** Version of the handler that ran. */
  readonly version: number
  /** The replay that it was part of, or null. */
  readonly replayId: string | null
  readonly startedAt: string
  readonly finishedAt: string
  readonly error: JsonObject | null
}

/** The booked attempts at the deliveries of signals, in order. */
export async function selectAttempts(
  tx: Queryable,
  scope: TenantScope,
  signalIds: readonly string[],
): Promise<readonly AttemptRecord[]> {
  return tx.query<AttemptRecord>(
    `/* selectAttempts */ select signal_id as "signalId", handler, attempt, outcome, worker, version, replay_id as "replayId", error,
       to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "startedAt",
       to_char(finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "finishedAt"
     from ${scope.schema}.attempts
     where tenant = $2 and signal_id = any($1::uuid[])
     order by finished_at, attempt`,
    [signalIds, scope.slug],
  )
}

/** Longest chain that is read in one go; a longer one is cut there. */
const MAX_DEPTH = 1_000
/** Most effects that are read in one go. */
const MAX_EFFECTS = 1_000

/** What led to a signal: its cause, that one's cause and so on, the first cause first. */
export async function selectAncestors(tx: Queryable, scope: TenantScope, id: string): Promise<readonly StoredSignal[]> {
  const rows = await tx.query<SignalRecord>(
    `/* selectAncestors */ with recursive chain (cause_id, depth) as (
       select cause_id, 1 from ${scope.schema}.effects where tenant = $2 and effect_id = $1::uuid
       union all
       select effects.cause_id, depth + 1 from ${scope.schema}.effects join chain on effects.effect_id = chain.cause_id
       where effects.tenant = $2 and depth < ${MAX_DEPTH}
     )
     select ${SIGNAL_COLUMNS} from ${scope.schema}.signals join chain on signals.id = chain.cause_id
     where signals.tenant = $2 order by depth desc`,
    [id, scope.slug],
  )
  return rows.map(fromRecord)
}

/** What a signal led to, directly and further on, causes before effects. */
export async function selectEffects(tx: Queryable, scope: TenantScope, id: string): Promise<readonly StoredSignal[]> {
  const rows = await tx.query<SignalRecord>(
    `/* selectEffects */ with recursive tree (effect_id, depth) as (
       select effect_id, 1 from ${scope.schema}.effects where tenant = $2 and cause_id = $1::uuid
       union all
       select effects.effect_id, depth + 1 from ${scope.schema}.effects join tree on effects.cause_id = tree.effect_id
       where effects.tenant = $2 and depth < ${MAX_DEPTH}
     )
     select ${SIGNAL_COLUMNS} from ${scope.schema}.signals join tree on signals.id = tree.effect_id
     where signals.tenant = $2 order by depth, id limit ${MAX_EFFECTS}`,
    [id, scope.slug],
  )
  return rows.map(fromRecord)
}

/** A tenant's signals and deliveries, counted. */
export interface TenantCounts {
  readonly signals: number
  readonly waiting: number
  readonly running: number
  readonly retrying: number
  readonly done: number
  /** Attempts that failed and were to be tried again. */
  readonly failed: number
  readonly dead: number
}

/** Counts by reading: its cost grows with the tenant. */
export async function selectCounts(tx: Queryable, scope: TenantScope): Promise<TenantCounts> {
  const [row] = await tx.query<TenantCounts>(
    `/* selectCounts */ select
       (select count(*)::float8 from ${scope.schema}.signals where tenant = $1) as signals,
       attempts.*, open.*
     from (
       select count(*) filter (where outcome = 'done')::float8 as done,
         count(*) filter (where outcome = 'failed')::float8 as failed,
         count(*) filter (where outcome = 'dead')::float8 as dead
       from ${scope.schema}.attempts where tenant = $1
     ) as attempts, (
       select count(*) filter (where leased_until is null and attempt = 0)::float8 as waiting,
         count(*) filter (where leased_until is not null)::float8 as running,
         count(*) filter (where leased_until is null and attempt > 0)::float8 as retrying
       from fleetprompt.deliveries where tenant = $1
     ) as open`,
    [scope.slug],
  )
  return row ?? { signals: 0, waiting: 0, running: 0, retrying: 0, done: 0, failed: 0, dead: 0 }
}

/** How many signals the longest causal chain has; 0 when there is no signal. */
export async function selectDeepestChain(tx: Queryable, scope: TenantScope): Promise<number> {
  const [row] = await tx.query<{ depth: number }>(
    `/* selectDeepestChain */ with recursive chain (id, depth) as (
       select effect_id, 2 from ${scope.schema}.effects
       where tenant = $1 and not exists (
         select 1 from ${scope.schema}.effects as above where above.tenant = $1 and above.effect_id = effects.cause_id)
       union all
       select effects.effect_id, depth + 1 from ${scope.schema}.effects join chain on effects.cause_id = chain.id
       where effects.tenant = $1 and depth < ${MAX_DEPTH}
     )
     select coalesce((select max(depth) from chain), (select least(count(*), 1) from (select 1 from ${scope.schema}.signals where tenant = $1 limit 1) as any_signal))::float8 as depth`,
    [scope.slug],
  )
  return row?.depth ?? 0
}
