import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** A delivery that a worker holds until its lease ends. */
export interface ClaimedDelivery {
  readonly id: number
  readonly tenant: string
  readonly signalId: string
  readonly handler: string
  /** Counts this claim: 1 for the first. */
  readonly attempt: number
  readonly maxAttempts: number
  /** Shown when settling; a later claim has a higher one. */
  readonly leaseToken: number
}

/** What came of an attempt. */
export interface Settlement {
  readonly delivery: ClaimedDelivery
  /** done: it succeeded; failed: to be tried again; dead: given up. */
  readonly outcome: "done" | "failed" | "dead"
  /** How long the attempt took, milliseconds. */
  readonly durationMs: number
  /** With `failed`: milliseconds until the next attempt. */
  readonly retryInMs: number
  readonly error: JsonObject | null
}

/** Who claims, for what, and for how long. */
export interface ClaimRequest {
  readonly worker: string
  /** Names of the handlers that this worker has; the deliveries of others are left to others. */
  readonly handlers: readonly string[]
  readonly limit: number
  readonly leaseMs: number
}

/**
 * Takes due deliveries, oldest first, for one worker. Counts the attempt now, so that one which takes
 * the process down is counted too. Rows that another worker is claiming are passed over.
 */
export async function claimDeliveries(tx: Queryable, request: ClaimRequest): Promise<readonly ClaimedDelivery[]> {
  return tx.query<ClaimedDelivery>(
    `with due as (
       select id from fleetprompt.deliveries
       where run_at <= clock_timestamp() and handler in (select json_array_elements_text($2::text::json))
       order by run_at, id limit $3 for update skip locked
     )
     update fleetprompt.deliveries as delivery
     set attempt = attempt + 1, lease_token = lease_token + 1, leased_by = $1,
         run_at = clock_timestamp() + $4 * interval '1 millisecond'
     from due where delivery.id = due.id
     returning delivery.id::float8 as id, tenant, signal_id as "signalId", handler, attempt,
       max_attempts as "maxAttempts", lease_token::float8 as "leaseToken"`,
    [request.worker, JSON.stringify(request.handlers), request.limit, request.leaseMs],
  )
}

/**
 * Prolongs the leases that a worker still has.
 *
 * @returns the ids that it has; any other was taken over.
 */
export async function extendLeases(
  tx: Queryable,
  deliveries: readonly ClaimedDelivery[],
  leaseMs: number,
): Promise<ReadonlySet<number>> {
  const rows = await tx.query<{ id: number }>(
    `update fleetprompt.deliveries as delivery
     set run_at = clock_timestamp() + $2 * interval '1 millisecond'
     from json_to_recordset($1::text::json) as held (id bigint, "leaseToken" bigint)
     where delivery.id = held.id and delivery.lease_token = held."leaseToken" and leased_by is not null
     returning delivery.id::float8 as id`,
    [JSON.stringify(deliveries), leaseMs],
  )
  return new Set(rows.map((row) => row.id))
}

/**
 * Books what came of attempts of one tenant: a settled delivery leaves the queue, a failed one comes
 * due again, and each attempt is noted. Whoever no longer holds the lease books nothing.
 *
 * @returns the ids that were booked.
 */
export async function settleDeliveries(
  tx: Queryable,
  scope: TenantScope,
  worker: string,
  settlements: readonly Settlement[],
): Promise<ReadonlySet<number>> {
  const rows = await tx.query<{ id: number }>(
    `with input as (
       select * from json_to_recordset($1::text::json) as row
         (id bigint, lease_token bigint, outcome text, duration_ms float8, retry_in_ms float8, error jsonb)
     ), closed as (
       delete from fleetprompt.deliveries as delivery using input
       where delivery.id = input.id and delivery.lease_token = input.lease_token
         and delivery.tenant = $2 and outcome <> 'failed'
       returning delivery.id, signal_id, handler, attempt, outcome, duration_ms, error
     ), returned as (
       update fleetprompt.deliveries as delivery
       set leased_by = null, lease_token = delivery.lease_token + 1,
           run_at = clock_timestamp() + retry_in_ms * interval '1 millisecond'
       from input
       where delivery.id = input.id and delivery.lease_token = input.lease_token
         and delivery.tenant = $2 and outcome = 'failed'
       returning delivery.id, signal_id, handler, attempt, outcome, duration_ms, error
     ), booked as (
       select * from closed union all select * from returned
     ), noted as (
       insert into ${scope.schema}.attempts (signal_id, handler, attempt, outcome, worker, started_at, finished_at, error)
       select signal_id, handler, attempt, outcome, $3,
         clock_timestamp() - duration_ms * interval '1 millisecond', clock_timestamp(), error
       from booked
     )
     select id::float8 as id from booked`,
    [JSON.stringify(settlements.map(settlementRow)), scope.slug, worker],
  )
  return new Set(rows.map((row) => row.id))
}

function settlementRow({ delivery, outcome, durationMs, retryInMs, error }: Settlement): object {
  return {
    id: delivery.id,
    lease_token: delivery.leaseToken,
    outcome,
    duration_ms: durationMs,
    retry_in_ms: retryInMs,
    error,
  }
}

/**
 * Gives back deliveries that were not run, at once and without counting the attempt: for a worker that
 * stops.
 */
export async function releaseDeliveries(tx: Queryable, deliveries: readonly ClaimedDelivery[]): Promise<void> {
  await tx.query(
    `update fleetprompt.deliveries as delivery
     set leased_by = null, attempt = attempt - 1, lease_token = delivery.lease_token + 1, run_at = clock_timestamp()
     from json_to_recordset($1::text::json) as held (id bigint, "leaseToken" bigint)
     where delivery.id = held.id and delivery.lease_token = held."leaseToken" and leased_by is not null`,
    [JSON.stringify(deliveries)],
  )
}

/**
 * Ends every lease at once. Only right when no other process can be running: the embedded database
 * lets one process in, so whoever held a lease when it opens is gone.
 */
export async function endAllLeases(tx: Queryable): Promise<void> {
  await tx.query(
    `update fleetprompt.deliveries set leased_by = null, lease_token = lease_token + 1, run_at = clock_timestamp()
     where leased_by is not null`,
  )
}

/** How many deliveries are still to be done, of one tenant or of all. */
export async function countOpenDeliveries(tx: Queryable, tenant?: string): Promise<number> {
  const [row] = await tx.query<{ open: number }>(
    `select count(*)::float8 as open from fleetprompt.deliveries where $1::text is null or tenant = $1`,
    [tenant ?? null],
  )
  return row?.open ?? 0
}
