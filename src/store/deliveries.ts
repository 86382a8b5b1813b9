import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "./database.ts"

/** What names a delivery: one signal for one handler. */
export interface DeliveryKey {
  readonly tenant: string
  readonly signalId: string
  readonly handler: string
}

/** A delivery that a worker holds until its lease ends. */
export interface ClaimedDelivery extends DeliveryKey {
  /** Counts this claim: 1 for the first. */
  readonly attempt: number
  /** Shown when settling; a later claim has a higher one. */
  readonly leaseToken: number
  /** Lower numbers are done first. */
  readonly priority: number
  readonly flowKey: string | null
  /** The replay that it is part of, or null. */
  readonly replayId: string | null
  /** How long it was due when it was claimed, milliseconds. */
  readonly waitMs: number
  /** The worker whose lease on it ended without a word, or null. */
  readonly lostBy: string | null
}

/** One handler's deliveries of one tenant and priority. */
export interface Lane {
  readonly handler: string
  readonly tenant: string
  readonly priority: number
}

/** A lane into which deliveries were put. */
export interface WakingLane extends Lane {
  /** When they are due, milliseconds from now; missing for at once. */
  readonly dueInMs?: number
}

/** What came of an attempt. */
export type Outcome = "done" | "failed" | "snoozed" | "cancelled" | "dead"

/** An attempt to be booked. */
export interface Settlement {
  readonly delivery: ClaimedDelivery
  /** done: it succeeded; failed, snoozed: to be tried again; cancelled, dead: given up. */
  readonly outcome: Outcome
  /** How long the attempt took, milliseconds. */
  readonly durationMs: number
  /** With `failed` and `snoozed`: milliseconds until the next attempt. */
  readonly retryInMs: number
  readonly error: JsonObject | null
  /** Version of the handler that ran. */
  readonly version: number
}

/** What a claim takes from a lane: at most so many, made for this version of the handler or an older one. */
export interface LaneShare extends Lane {
  readonly version: number
  readonly take: number
  /** Once the lane's first is due, those that come due within so long are taken along, milliseconds. */
  readonly aheadMs?: number
}

/** Who claims, and for how long. */
export interface ClaimRequest {
  readonly worker: string
  readonly leaseMs: number
}

/** The columns of a claim's answer, from the alias `delivery`. */
export const CLAIMED_COLUMNS = `delivery.tenant, delivery.signal_id as "signalId", delivery.handler, delivery.attempt,
  delivery.lease_token::float8 as "leaseToken", delivery.priority, delivery.flow_key as "flowKey", delivery.replay_id as "replayId",
  greatest(0, extract(epoch from now() - delivery.run_at) * 1000)::float8 as "waitMs"`

/** What a claim changes; $1 is the worker and $2 the length of the lease in milliseconds. */
export const CLAIM = `attempt = delivery.attempt + 1, lease_token = delivery.lease_token + 1, leased_by = $1::text,
  leased_until = now() + $2::float8 * interval '1 millisecond'`

/**
 * Takes due deliveries from the heads of lanes for one worker. Counts the attempt now, so that one which
 * takes the process down is counted too. Rows that another worker is claiming are passed over.
 */
export async function claimDeliveries(
  tx: Queryable,
  { worker, leaseMs }: ClaimRequest,
  lanes: readonly LaneShare[],
): Promise<readonly ClaimedDelivery[]> {
  return tx.query<ClaimedDelivery>(
    `/* claimDeliveries */ with due as (
       select picked.* from jsonb_to_recordset($3::text::jsonb) as lane
         (handler text, tenant text, priority smallint, version integer, take integer, "aheadMs" float8)
       cross join lateral (
         select delivery.ctid as at, delivery.leased_by as lost_by from fleetprompt.deliveries as delivery
         where delivery.handler = lane.handler and delivery.tenant = lane.tenant and delivery.priority = lane.priority
           and delivery.version <= lane.version
           and delivery.run_at <= now() + coalesce(lane."aheadMs", 0) * interval '1 millisecond'
           and (delivery.leased_until is null or delivery.leased_until <= now())
           and (delivery.run_at <= now() or (delivery.attempt = 0 and exists (
             select 1 from fleetprompt.deliveries as first
             where first.handler = lane.handler and first.tenant = lane.tenant and first.priority = lane.priority
               and first.run_at <= now() and (first.leased_until is null or first.leased_until <= now()))))
         order by delivery.run_at, delivery.position limit lane.take for update skip locked
       ) as picked
     )
     update fleetprompt.deliveries as delivery set ${CLAIM}
     from due where delivery.ctid = due.at
     returning ${CLAIMED_COLUMNS}, due.lost_by as "lostBy"`,
    [worker, leaseMs, JSON.stringify(lanes)],
  )
}

/**
 * Prolongs the leases that a worker still has.
 *
 * @returns the places in the list of those that it has; any other was taken over.
 */
export async function extendLeases(
  tx: Queryable,
  deliveries: readonly ClaimedDelivery[],
  leaseMs: number,
): Promise<ReadonlySet<number>> {
  const rows = await tx.query<{ n: number }>(
    `/* extendLeases */ update fleetprompt.deliveries as delivery
     set leased_until = now() + $2::float8 * interval '1 millisecond'
     from jsonb_to_recordset($1::text::jsonb) as held
       (n integer, tenant text, signal_id uuid, handler text, lease_token bigint)
     where ${IS_HELD} returning held.n`,
    [JSON.stringify(deliveries.map(heldRow)), leaseMs],
  )
  return placesOf(rows)
}

/**
 * The row is still held under the token that the holder shows. Handler and tenant stand in expressions, so
 * that the planner finds the row by its signal, through the primary key: with old statistics it would take
 * the index of lanes and walk a whole lane for each row.
 */
const IS_HELD = `delivery.signal_id = held.signal_id and delivery.handler || '' = held.handler
       and delivery.tenant || '' = held.tenant and delivery.lease_token = held.lease_token and delivery.leased_by is not null`

function heldRow({ tenant, signalId, handler, leaseToken }: ClaimedDelivery, n: number): object {
  return { n, tenant, signal_id: signalId, handler, lease_token: leaseToken }
}

function placesOf(rows: readonly { n: number }[]): ReadonlySet<number> {
  return new Set(rows.map(({ n }) => n))
}

/**
 * Books attempts that succeeded, of tenants of one schema: the deliveries leave the queue and the attempts
 * are noted. Whoever no longer holds the lease books nothing.
 *
 * @returns the places in the list of those that were booked.
 */
export async function completeDeliveries(
  tx: Queryable,
  schema: string,
  worker: string,
  settlements: readonly Settlement[],
): Promise<ReadonlySet<number>> {
  const rows = await tx.query<{ n: number }>(
    `/* completeDeliveries */ with closed as (
       delete from fleetprompt.deliveries as delivery
       using jsonb_to_recordset($1::text::jsonb) as held
         (n integer, tenant text, signal_id uuid, handler text, lease_token bigint, version integer, duration_ms float8)
       where ${IS_HELD}
       returning held.n, delivery.tenant, delivery.signal_id, delivery.handler, delivery.attempt, delivery.replay_id,
         held.version, held.duration_ms
     ), noted as (
       insert into ${schema}.attempts
         (tenant, signal_id, handler, attempt, outcome, worker, version, replay_id, started_at, finished_at)
       select tenant, signal_id, handler, attempt, 'done', $2::text, version, replay_id,
         now() - duration_ms * interval '1 millisecond', now()
       from closed
     )
     select n from closed`,
    [JSON.stringify(settlements.map(settlementRow)), worker],
  )
  return placesOf(rows)
}

function settlementRow(settlement: Settlement, n: number): object {
  return {
    ...heldRow(settlement.delivery, n),
    version: settlement.version,
    duration_ms: settlement.durationMs,
  }
}

/**
 * Books attempts of tenants of one schema whatever came of them: a failed or snoozed delivery comes due
 * again, a snooze does not count as an attempt, a dead one becomes a dead letter, any other leaves the queue.
 * Each attempt is noted. Whoever no longer holds the lease books nothing.
 *
 * @returns the places in the list of those that were booked.
 */
export async function settleDeliveries(
  tx: Queryable,
  schema: string,
  worker: string,
  settlements: readonly Settlement[],
): Promise<ReadonlySet<number>> {
  const rows = await tx.query<{ n: number }>(
    `/* settleDeliveries */ with held as (
       select * from jsonb_to_recordset($1::text::jsonb) as row
         (n integer, tenant text, signal_id uuid, handler text, lease_token bigint, version integer, duration_ms float8,
          outcome text, retry_in_ms float8, error jsonb)
     ), closed as (
       delete from fleetprompt.deliveries as delivery using held
       where ${IS_HELD} and held.outcome in ('done', 'cancelled', 'dead')
       returning held.n, delivery.*, held.version as ran, held.duration_ms, held.outcome, held.error
     ), returned as (
       update fleetprompt.deliveries as delivery
       set leased_by = null, leased_until = null, lease_token = delivery.lease_token + 1,
           attempt = delivery.attempt - case held.outcome when 'snoozed' then 1 else 0 end,
           run_at = now() + held.retry_in_ms * interval '1 millisecond'
       from held
       where ${IS_HELD} and held.outcome in ('failed', 'snoozed')
       returning held.n, delivery.*, held.version as ran, held.duration_ms, held.outcome, held.error
     ), booked as (
       select * from closed union all select * from returned
     ), noted as (
       insert into ${schema}.attempts
         (tenant, signal_id, handler, attempt, outcome, worker, version, replay_id, started_at, finished_at, error)
       select tenant, signal_id, handler, attempt + case outcome when 'snoozed' then 1 else 0 end, outcome, $2::text, ran,
         replay_id, now() - duration_ms * interval '1 millisecond', now(), error
       from booked
     ), buried as (
       insert into ${schema}.dead_letters
         (tenant, signal_id, handler, attempts, priority, version, flow_key, replay_id, error)
       select tenant, signal_id, handler, attempt, priority, version, flow_key, replay_id, error
       from closed where outcome = 'dead'
       on conflict do nothing
     )
     select n from booked`,
    [JSON.stringify(settlements.map(outcomeRow)), worker],
  )
  return placesOf(rows)
}

function outcomeRow(settlement: Settlement, n: number): object {
  const { outcome, retryInMs, error } = settlement
  return { ...settlementRow(settlement, n), outcome, retry_in_ms: retryInMs, error }
}

/**
 * Finds which of these attempts were booked by this worker already.
 *
 * @returns their places in the list.
 */
export async function selectBooked(
  tx: Queryable,
  schema: string,
  worker: string,
  settlements: readonly Settlement[],
): Promise<ReadonlySet<number>> {
  const rows = await tx.query<{ n: number }>(
    `/* selectBooked */ select n from json_to_recordset($1::text::json) as asked
       (n integer, tenant text, signal_id uuid, handler text, attempt integer, outcome text)
     where exists (
       select 1 from ${schema}.attempts as noted
       where noted.tenant = asked.tenant and noted.signal_id = asked.signal_id and noted.handler = asked.handler
         and noted.attempt = asked.attempt and noted.outcome = asked.outcome and noted.worker = $2::text)`,
    [
      JSON.stringify(
        settlements.map(({ delivery: { tenant, signalId, handler, attempt }, outcome }, n) => ({
          n,
          tenant,
          signal_id: signalId,
          handler,
          attempt,
          outcome,
        })),
      ),
      worker,
    ],
  )
  return new Set(rows.map(({ n }) => n))
}

/** Notes, for tenants of one schema, the attempts whose workers went away without a word. */
export async function noteLostAttempts(
  tx: Queryable,
  schema: string,
  deliveries: readonly ClaimedDelivery[],
): Promise<void> {
  await tx.query(
    `/* noteLostAttempts */ insert into ${schema}.attempts
       (tenant, signal_id, handler, attempt, outcome, worker, replay_id, started_at, finished_at)
     select tenant, signal_id, handler, attempt, 'lost', worker, replay_id, now(), now()
     from jsonb_to_recordset($1::text::jsonb) as row
       (tenant text, signal_id uuid, handler text, attempt integer, worker text, replay_id uuid)`,
    [
      JSON.stringify(
        deliveries.map(({ tenant, signalId, handler, attempt, lostBy, replayId }) => ({
          tenant,
          signal_id: signalId,
          handler,
          attempt: attempt - 1,
          worker: lostBy,
          replay_id: replayId,
        })),
      ),
    ],
  )
}

/**
 * Gives back deliveries that were not run, at once and without counting the attempt: for a worker that
 * stops.
 */
export async function releaseDeliveries(tx: Queryable, deliveries: readonly ClaimedDelivery[]): Promise<void> {
  await tx.query(
    `/* releaseDeliveries */ update fleetprompt.deliveries as delivery
     set leased_by = null, leased_until = null, attempt = attempt - 1, lease_token = delivery.lease_token + 1
     from jsonb_to_recordset($1::text::jsonb) as held
       (tenant text, signal_id uuid, handler text, lease_token bigint)
     where ${IS_HELD}`,
    [JSON.stringify(deliveries.map(heldRow))],
  )
}

/**
 * Ends every lease at once. Only right when no other process can be running: the embedded database
 * lets one process in, so whoever held a lease when it opens is gone.
 */
export async function endAllLeases(tx: Queryable): Promise<void> {
  await tx.query(`/* endAllLeases */ update fleetprompt.deliveries set leased_until = now() where leased_until > now()`)
}

/** How many deliveries are still to be done, of one tenant or of all. */
export async function countOpenDeliveries(tx: Queryable, tenant?: string): Promise<number> {
  const [row] = await tx.query<{ open: number }>(
    `/* countOpenDeliveries */ select count(*)::float8 as open from fleetprompt.deliveries
     where $1::text is null or tenant = $1`,
    [tenant ?? null],
  )
  return row?.open ?? 0
}
