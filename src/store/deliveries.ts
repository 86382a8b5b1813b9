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
  /** Whether it counts for limits of its handler: once its lease has ended, another may have been let in for it. */
  readonly isLimited?: boolean
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

/** What a claim takes from a lane: at most so many, made for this version of the handler or an older one. */
export interface LaneShare extends Lane {
  readonly version: number
  readonly take: number
  /** What has been due for longer is passed over, milliseconds: nothing that may be claimed is there. Default: all is looked at. */
  readonly sinceMs?: number
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

/** The tenant of a lane may be worked for: nothing of it is suspended, moved or held back. */
const IS_WORKED_FOR = `not exists (
         select 1 from fleetprompt.tenants as home
         where home.slug = lane.tenant and (home.status <> 'ready' or home.holds_deliveries))`

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
         (handler text, tenant text, priority smallint, version integer, take integer, "sinceMs" float8, "aheadMs" float8)
       cross join lateral (
         select delivery.ctid as at, delivery.leased_by as lost_by from fleetprompt.deliveries as delivery
         where delivery.handler = lane.handler and delivery.tenant = lane.tenant and delivery.priority = lane.priority
           and delivery.version <= lane.version
           and delivery.run_at >= coalesce(now() - lane."sinceMs" * interval '1 millisecond', '-infinity')
           and delivery.run_at <= now() + coalesce(lane."aheadMs", 0) * interval '1 millisecond'
           and (delivery.leased_until is null or delivery.leased_until <= now())
           and (delivery.run_at <= now() or (delivery.attempt = 0 and exists (
             select 1 from fleetprompt.deliveries as first
             where first.handler = lane.handler and first.tenant = lane.tenant and first.priority = lane.priority
               and first.run_at <= now() and (first.leased_until is null or first.leased_until <= now()))))
         order by delivery.run_at, delivery.position limit lane.take for update skip locked
       ) as picked
       where ${IS_WORKED_FOR}
     )
     update fleetprompt.deliveries as delivery set ${CLAIM}
     from due where delivery.ctid = due.at
     returning ${CLAIMED_COLUMNS}, due.lost_by as "lostBy"`,
    [worker, leaseMs, JSON.stringify(lanes)],
  )
}

/**
 * Prolongs the leases that a worker still has. One that has ended is prolonged too when nobody has claimed the
 * delivery since, unless its handler has limits.
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
       (n integer, tenant text, signal_id uuid, handler text, lease_token bigint, is_limited boolean)
     where ${IS_HELD} and (delivery.leased_until > now() or held.is_limited is not true) returning held.n`,
    [JSON.stringify(deliveries.map(limitedRow)), leaseMs],
  )
  return placesOf(rows)
}

/** What a worker's leases are kept by, when it cannot say itself what it holds. */
export interface KeepRequest extends ClaimRequest {
  /** Names of the handlers whose deliveries are kept. */
  readonly handlers: readonly string[]
  /** Those that are not kept all the same: of one handler, for these signals. */
  readonly except: { readonly handler: string; readonly signalIds: readonly string[] } | undefined
}

/**
 * Prolongs whatever a worker holds and whose lease has not ended. It reads the whole queue, a tenth of a second for a
 * million rows: an index by holder would cost each claim more. An expression keeps the planner from the index of lanes,
 * by which that takes three times as long. Rows that a statement of the worker has at the moment are passed over.
 */
export async function keepLeases(tx: Queryable, { worker, leaseMs, handlers, except }: KeepRequest): Promise<void> {
  if (handlers.length === 0) return
  await tx.query(
    `/* keepLeases */ with held as materialized (
       select ctid as at from fleetprompt.deliveries
       where leased_by = $1::text and leased_until > now() and handler || '' = any($3::text[])
         and not (handler || '' = $4::text and signal_id = any($5::uuid[]))
       for update skip locked
     )
     update fleetprompt.deliveries as delivery set leased_until = now() + $2::float8 * interval '1 millisecond'
     from held where delivery.ctid = held.at`,
    [worker, leaseMs, handlers, except?.handler ?? "", except?.signalIds ?? []],
  )
}

/**
 * The row is still held under the token that the holder shows. Handler and tenant stand in expressions, so
 * that the planner finds the row by its signal, through the primary key: with old statistics it would take
 * the index of lanes and walk a whole lane for each row.
 */
export const IS_HELD = `delivery.signal_id = held.signal_id and delivery.handler || '' = held.handler
       and delivery.tenant || '' = held.tenant and delivery.lease_token = held.lease_token and delivery.leased_by is not null`

/** A held delivery as `IS_HELD` compares it, with its place in the list. */
export function heldRow({ tenant, signalId, handler, leaseToken }: ClaimedDelivery, n: number): object {
  return { n, tenant, signal_id: signalId, handler, lease_token: leaseToken }
}

function limitedRow(delivery: ClaimedDelivery, n: number): object {
  return { ...heldRow(delivery, n), is_limited: delivery.isLimited }
}

/** The places in the list that a statement answered. */
export function placesOf(rows: readonly { n: number }[]): ReadonlySet<number> {
  return new Set(rows.map(({ n }) => n))
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
 * Puts back deliveries that were taken over from another worker, as they were and without counting the attempt. They
 * may be taken over again after a while, each after another.
 *
 * @param delayMs after so long, or up to a half of it less or more.
 */
export async function putOffDeliveries(
  tx: Queryable,
  deliveries: readonly ClaimedDelivery[],
  delayMs: number,
): Promise<void> {
  await tx.query(
    `/* putOffDeliveries */ update fleetprompt.deliveries as delivery
     set attempt = delivery.attempt - 1, lease_token = delivery.lease_token + 1, leased_by = held.lost_by,
       leased_until = now() + $2::float8 * (0.5 + random()) * interval '1 millisecond'
     from jsonb_to_recordset($1::text::jsonb) as held
       (tenant text, signal_id uuid, handler text, lease_token bigint, lost_by text)
     where ${IS_HELD}`,
    [JSON.stringify(deliveries.map((delivery, n) => ({ ...heldRow(delivery, n), lost_by: delivery.lostBy }))), delayMs],
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
