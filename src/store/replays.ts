import type { JsonObject } from "../signal/json.ts"
import type { ReplayStatus } from "../telemetry/events.ts"
import type { Queryable } from "./database.ts"
import { BEGINNING, type SignalSelection } from "./replay-signals.ts"
import type { OrderPlace } from "./signal-order.ts"

/** What a replay was asked for, checked and with its defaults. */
export interface ReplayOrder {
  readonly selection: SignalSelection
  /** The pattern that `selection.typeExpression` was made from. */
  readonly pattern: string | null
  /** Only this handler, or null for every one that fits. */
  readonly handler: string | null
  /** Whether handlers that succeeded run again. */
  readonly force: boolean
  /** Signals a second. */
  readonly perSecond: number
  /** Deliveries of the replay in the queue at once. */
  readonly maxOpen: number
  /** The role of whoever asked. */
  readonly role: string
}

/** A replay as it stands. */
export interface ReplayRecord {
  readonly id: string
  readonly tenant: string
  readonly order: ReplayOrder
  readonly requestedBy: string | null
  readonly reason: string | null
  readonly status: ReplayStatus
  /** Signals in all, counted at the start. */
  readonly total: number
  /** Signals looked at. */
  readonly seen: number
  /** Deliveries made. */
  readonly enqueued: number
  /** Deliveries left out. */
  readonly skipped: number
  /** Deliveries made that are still to be done. */
  readonly open: number
  readonly error: JsonObject | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly finishedAt: Date | null
}

/** A replay to be recorded. */
export type NewReplay = Pick<ReplayRecord, "id" | "tenant" | "order" | "requestedBy" | "reason" | "total">

const COLUMNS = `replay.id, replay.tenant, replay.request as "order", replay.requested_by as "requestedBy", replay.reason,
  replay.status, replay.total::float8 as total, replay.seen::float8 as seen, replay.enqueued::float8 as enqueued,
  replay.skipped::float8 as skipped, replay.error, replay.created_at as "createdAt", replay.updated_at as "updatedAt",
  replay.finished_at as "finishedAt",
  (select count(*)::float8 from fleetprompt.deliveries where replay_id = replay.id) as open`

/** Records a replay as running. */
export async function insertReplay(tx: Queryable, replay: NewReplay): Promise<ReplayRecord> {
  const { id, tenant, order, requestedBy, reason, total } = replay
  const [row] = await tx.query<ReplayRecord>(
    `/* insertReplay */ insert into fleetprompt.replays as replay (id, tenant, request, requested_by, reason, total)
     values ($1::text::uuid, $2, $3::text::jsonb, $4, $5, $6) returning ${COLUMNS}`,
    [id, tenant, JSON.stringify(order), requestedBy, reason, total],
  )
  // The insert answers with its row.
  return row as ReplayRecord
}

/** One replay of a tenant, or undefined. */
export async function selectReplay(tx: Queryable, tenant: string, id: string): Promise<ReplayRecord | undefined> {
  const [row] = await tx.query<ReplayRecord>(
    `/* selectReplay */ select ${COLUMNS} from fleetprompt.replays as replay
     where replay.tenant = $1 and replay.id = $2::text::uuid`,
    [tenant, id],
  )
  return row
}

/** A tenant's latest replays, newest first. */
export async function selectReplays(tx: Queryable, tenant: string, limit: number): Promise<readonly ReplayRecord[]> {
  return tx.query<ReplayRecord>(
    `/* selectReplays */ select ${COLUMNS} from fleetprompt.replays as replay
     where replay.tenant = $1 order by replay.created_at desc, replay.id desc limit $2`,
    [tenant, limit],
  )
}

/** A change of status that somebody asks for. */
export interface ReplayTransition {
  readonly tenant: string
  readonly id: string
  readonly from: readonly ReplayStatus[]
  readonly to: ReplayStatus
}

/**
 * Changes a replay's status and ends the lease on it.
 *
 * @returns undefined when there is none in one of the states `from`.
 */
export async function updateReplayStatus(
  tx: Queryable,
  { tenant, id, from, to }: ReplayTransition,
): Promise<ReplayRecord | undefined> {
  const [row] = await tx.query<ReplayRecord>(
    `/* updateReplayStatus */ update fleetprompt.replays as replay
     set status = $4::text, leased_by = null, leased_until = null, updated_at = now(),
       error = case when $4::text = 'running' then null else replay.error end,
       finished_at = case when $4::text = 'cancelled' then now() end
     where replay.tenant = $1 and replay.id = $2::text::uuid
       and replay.status in (select json_array_elements_text($3::text::json))
     returning ${COLUMNS}`,
    [tenant, id, JSON.stringify(from), to],
  )
  return row
}

/** Who works on replays, and how long without a word. */
export interface ReplayHolder {
  readonly worker: string
  readonly leaseMs: number
}

/** A replay that a process works on until its lease ends. */
export interface LeasedReplay {
  readonly id: string
  readonly tenant: string
  readonly order: ReplayOrder
  /** Signals looked at when it was taken. */
  readonly seen: number
}

/** Takes running replays that nobody works on, the oldest first; of those for one handler only the handlers given. */
export async function leaseReplays(
  tx: Queryable,
  { worker, leaseMs }: ReplayHolder,
  handlers: readonly string[],
  limit: number,
): Promise<readonly LeasedReplay[]> {
  return tx.query<LeasedReplay>(
    `/* leaseReplays */ update fleetprompt.replays as replay
     set leased_by = $1, leased_until = now() + $2::float8 * interval '1 millisecond'
     from (
       select id from fleetprompt.replays
       where status = 'running' and (leased_until is null or leased_until <= now())
         and (request ->> 'handler' is null or request ->> 'handler' in (select json_array_elements_text($3::text::json)))
       order by created_at limit $4 for update skip locked
     ) as free
     where replay.id = free.id
     returning replay.id, replay.tenant, replay.request as "order", replay.seen::float8 as seen`,
    [worker, leaseMs, JSON.stringify(handlers), limit],
  )
}

/** Where a replay is, for whoever works on it. */
export interface ReplayState {
  readonly at: OrderPlace
  /** Deliveries of it in the queue; not counted beyond what the order allows. */
  readonly open: number
  /** Milliseconds until the next step may be made. */
  readonly dueInMs: number
}

/**
 * Prolongs the lease on a replay.
 *
 * @param restMs how long it is to rest after its last step.
 * @returns undefined when it is another's now, or is not running any more.
 */
export async function prolongReplay(
  tx: Queryable,
  { id, order }: LeasedReplay,
  { worker, leaseMs }: ReplayHolder,
  restMs: number,
): Promise<ReplayState | undefined> {
  type Row = Omit<ReplayState, "at"> & Record<"tx" | "position", string | null>
  const [row] = await tx.query<Row>(
    `/* prolongReplay */ update fleetprompt.replays as replay
     set leased_until = now() + $3::float8 * interval '1 millisecond'
     where id = $1::text::uuid and status = 'running' and leased_by = $2
     returning cursor_tx::text as tx, cursor_position::text as position,
       (
         select count(*)::float8 from (select 1 from fleetprompt.deliveries where replay_id = replay.id limit $4) as few
       ) as open,
       greatest(0, extract(epoch from updated_at - now()) * 1000 + $5::float8)::float8 as "dueInMs"`,
    [id, worker, leaseMs, order.maxOpen, restMs],
  )
  if (!row) return undefined
  const { tx: cursorTx, position, ...state } = row
  return { ...state, at: cursorTx === null || position === null ? BEGINNING : { txId: cursorTx, position } }
}

/** What a replay came to. */
export interface ReplayCounts {
  readonly seen: number
  readonly enqueued: number
}

const COUNTS = `seen::float8 as seen, enqueued::float8 as enqueued`

/**
 * Notes that a replay is done: every signal was looked at, and no delivery of it is left.
 *
 * @returns undefined when it was not noted.
 */
export async function completeReplay(tx: Queryable, id: string, worker: string): Promise<ReplayCounts | undefined> {
  const [row] = await tx.query<ReplayCounts>(
    `/* completeReplay */ update fleetprompt.replays
     set status = 'completed', leased_by = null, leased_until = null, updated_at = now(), finished_at = now()
     where id = $1::text::uuid and status = 'running' and leased_by = $2
       and not exists (select 1 from fleetprompt.deliveries where replay_id = $1::text::uuid)
     returning ${COUNTS}`,
    [id, worker],
  )
  return row
}

/**
 * Notes that a replay cannot go on, and why.
 *
 * @returns undefined when it was not noted.
 */
export async function failReplay(
  tx: Queryable,
  id: string,
  worker: string,
  error: JsonObject,
): Promise<ReplayCounts | undefined> {
  const [row] = await tx.query<ReplayCounts>(
    `/* failReplay */ update fleetprompt.replays
     set status = 'failed', error = $3::text::jsonb, leased_by = null, leased_until = null, updated_at = now(), finished_at = now()
     where id = $1::text::uuid and status = 'running' and leased_by = $2
     returning ${COUNTS}`,
    [id, worker, JSON.stringify(error)],
  )
  return row
}

/**
 * Gives a worker's replays back, so that another takes them at once.
 *
 * @returns how many there were.
 */
export async function releaseReplays(tx: Queryable, worker: string): Promise<number> {
  const rows = await tx.query(
    `/* releaseReplays */ update fleetprompt.replays set leased_by = null, leased_until = null
     where status = 'running' and leased_by = $1 returning id`,
    [worker],
  )
  return rows.length
}

/** Gives one replay back, which nobody is to take for a while. */
export async function setReplayAside(tx: Queryable, id: string, worker: string, forMs: number): Promise<void> {
  await tx.query(
    `/* setReplayAside */ update fleetprompt.replays
     set leased_by = null, leased_until = now() + $3::float8 * interval '1 millisecond'
     where id = $1::text::uuid and status = 'running' and leased_by = $2`,
    [id, worker, forMs],
  )
}
