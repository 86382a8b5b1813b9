import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "./database.ts"
import { type ClaimedDelivery, heldRow, IS_HELD, placesOf } from "./deliveries.ts"

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
  /** It was given up without another run: the attempt that is noted is the one before the claim. Default false. */
  readonly isUnrun?: boolean
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
 * @returns the places in the list of those that were not booked.
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
          outcome text, retry_in_ms float8, error jsonb, unrun integer)
     ), closed as (
       delete from fleetprompt.deliveries as delivery using held
       where ${IS_HELD} and held.outcome in ('done', 'cancelled', 'dead')
       returning held.n, delivery.*, held.version as ran, held.duration_ms, held.outcome, held.error, held.unrun
     ), returned as (
       update fleetprompt.deliveries as delivery
       set leased_by = null, leased_until = null, lease_token = delivery.lease_token + 1,
           attempt = delivery.attempt - case held.outcome when 'snoozed' then 1 else 0 end,
           run_at = now() + held.retry_in_ms * interval '1 millisecond'
       from held
       where ${IS_HELD} and held.outcome in ('failed', 'snoozed')
       returning held.n, delivery.*, held.version as ran, held.duration_ms, held.outcome, held.error, held.unrun
     ), booked as (
       select * from closed union all select * from returned
     ), noted as (
       insert into ${schema}.attempts
         (tenant, signal_id, handler, attempt, outcome, worker, version, replay_id, started_at, finished_at, error)
       select tenant, signal_id, handler, attempt + case outcome when 'snoozed' then 1 else 0 end - unrun, outcome,
         $2::text, ran, replay_id, now() - duration_ms * interval '1 millisecond', now(), error
       from booked
     ), buried as (
       insert into ${schema}.dead_letters
         (tenant, signal_id, handler, attempts, priority, version, flow_key, replay_id, error)
       select tenant, signal_id, handler, attempt - unrun, priority, version, flow_key, replay_id, error
       from closed where outcome = 'dead'
       on conflict do nothing
     )
     select n from held where (n in (select n from booked)) is not true`,
    [JSON.stringify(settlements.map(outcomeRow)), worker],
  )
  return placesOf(rows)
}

function outcomeRow(settlement: Settlement, n: number): object {
  const { outcome, retryInMs, error, isUnrun = false } = settlement
  return { ...settlementRow(settlement, n), outcome, retry_in_ms: retryInMs, error, unrun: Number(isUnrun) }
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
        settlements.map(({ delivery: { tenant, signalId, handler, attempt }, outcome, isUnrun = false }, n) => ({
          n,
          tenant,
          signal_id: signalId,
          handler,
          attempt: attempt - Number(isUnrun),
          outcome,
        })),
      ),
      worker,
    ],
  )
  return placesOf(rows)
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
