import type { Queryable } from "./database.ts"
import type { Lane } from "./deliveries.ts"
import type { OrderPlace } from "./signal-order.ts"
import type { NewDelivery } from "./insert-signals.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** How much later a replay's deliveries are done than live ones of the same handler: lower numbers are done first. */
export const REPLAY_PRIORITY = 100

/** A delivery that a replay would make, in the order of the list it stands in. */
export interface ReplayCandidate extends Omit<NewDelivery, "delayMs"> {
  readonly signalId: string
}

/** What becomes of a candidate. open: it is in the queue already; succeeded: its last attempt did, and that is enough. */
export type Verdict = "run" | "open" | "succeeded"

/**
 * Judges candidates, as `judged`. Each look-up is a subquery in the list of columns, so that it goes along an
 * index whatever the statistics say. $1 are the candidates, $2 is the tenant, $3 whether success counts.
 */
function judged({ schema }: TenantScope): string {
  return `input as (
       select * from json_to_recordset($1::text::json) as row
         (at integer, signal_id uuid, handler text, version integer, priority smallint, flow_key text)
     ), judged as (
       select input.*,
         case
           when (
             select true from fleetprompt.deliveries as delivery
             where delivery.signal_id = input.signal_id and delivery.handler = input.handler and delivery.tenant = $2
           ) then 'open'
           when not $3::boolean and (
             select attempt.outcome from ${schema}.attempts as attempt
             where attempt.tenant = $2 and attempt.signal_id = input.signal_id and attempt.handler = input.handler
             order by attempt.finished_at desc, attempt.attempt desc limit 1
           ) = 'done' then 'succeeded'
           else 'run'
         end as verdict,
         coalesce((
           select true from ${schema}.dead_letters as letter
           where letter.tenant = $2 and letter.signal_id = input.signal_id and letter.handler = input.handler
         ), false) as is_dead
       from input
     )`
}

function candidateRow(candidate: ReplayCandidate, at: number): object {
  const { signalId, handler, version, priority, flowKey } = candidate
  return { at, signal_id: signalId, handler, version, priority, flow_key: flowKey }
}

/** How many candidates of a handler have a verdict. */
export interface VerdictCount {
  readonly handler: string
  readonly verdict: Verdict
  readonly count: number
}

/** Judges candidates and changes nothing. */
export async function countVerdicts(
  tx: Queryable,
  scope: TenantScope,
  candidates: readonly ReplayCandidate[],
  force: boolean,
): Promise<readonly VerdictCount[]> {
  return tx.query<VerdictCount>(
    `/* countVerdicts */ with ${judged(scope)}
     select handler, verdict, count(*)::float8 as count from judged group by handler, verdict`,
    [JSON.stringify(candidates.map(candidateRow)), scope.slug, force],
  )
}

/** One step of a replay. */
export interface ReplayBatch {
  readonly replayId: string
  /** Who must still hold the replay. */
  readonly worker: string
  readonly leaseMs: number
  readonly force: boolean
  readonly candidates: readonly ReplayCandidate[]
  /** How many signals were looked at. */
  readonly seen: number
  /** Deliveries left out besides those among the candidates. */
  readonly skipped: number
  /** Where the next step begins. */
  readonly next: OrderPlace
}

/** What a step came to. */
export interface ReplayBatchResult {
  /** Signals looked at since the replay began. */
  readonly seen: number
  /** Deliveries made since the replay began. */
  readonly enqueued: number
  /** Deliveries made now, and of how many signals. */
  readonly made: number
  readonly signals: number
  /** Where they were put. */
  readonly lanes: readonly Omit<Lane, "tenant">[]
}

/**
 * Makes the deliveries of one step and moves the replay on, all or nothing. Whoever no longer holds the
 * replay, or finds it paused or ended, changes nothing. A dead letter leaves as its delivery is made.
 *
 * @returns undefined when nothing was changed.
 */
export async function insertReplayBatch(
  tx: Queryable,
  scope: TenantScope,
  batch: ReplayBatch,
): Promise<ReplayBatchResult | undefined> {
  const { candidates, force, replayId, worker, leaseMs, seen, skipped, next } = batch
  const [row] = await tx.query<ReplayBatchResult>(
    `/* insertReplayBatch */ with held as (
       select id from fleetprompt.replays
       where id = $4::text::uuid and tenant = $2 and status = 'running' and leased_by = $5 for update
     ), ${judged(scope)}, wanted as (
       select judged.* from judged cross join held where verdict = 'run'
     ), freed as (
       delete from ${scope.schema}.dead_letters as letter using wanted
       where letter.tenant = $2 and letter.signal_id = wanted.signal_id and letter.handler = wanted.handler
       returning letter.signal_id, letter.handler
     ), made as (
       insert into fleetprompt.deliveries (tenant, signal_id, handler, version, priority, flow_key, replay_id)
       select $2, signal_id, handler, version, priority + ${REPLAY_PRIORITY}, flow_key, $4::text::uuid from wanted
       where not is_dead or (signal_id, handler) in (select signal_id, handler from freed)
       order by at
       on conflict do nothing
       returning signal_id, handler, priority
     ), moved as (
       update fleetprompt.replays as replay
       set cursor_tx = $8::text::xid8, cursor_position = $9::text::bigint, seen = replay.seen + $6::integer,
         enqueued = replay.enqueued + (select count(*) from made),
         skipped = replay.skipped + $7::integer + (select count(*) from judged) - (select count(*) from made),
         leased_until = now() + $10::float8 * interval '1 millisecond', updated_at = now()
       from held where replay.id = held.id
       returning replay.seen, replay.enqueued
     )
     select seen::float8 as seen, enqueued::float8 as enqueued,
       (select count(*)::float8 from made) as made, (select count(distinct signal_id)::float8 from made) as signals,
       (select coalesce(json_agg(lane), '[]') from (select distinct handler, priority from made) as lane) as lanes
     from moved`,
    [
      JSON.stringify(candidates.map(candidateRow)),
      scope.slug,
      force,
      replayId,
      worker,
      seen,
      skipped,
      next.txId,
      next.position,
      leaseMs,
    ],
  )
  return row
}

/**
 * Removes the deliveries of a replay that nobody holds. What was a dead letter before becomes one again; any
 * other that was tried already is noted as cancelled.
 *
 * @returns how many were removed.
 */
export async function removeReplayDeliveries(tx: Queryable, scope: TenantScope, replayId: string): Promise<number> {
  const [row] = await tx.query<{ removed: number }>(
    `/* removeReplayDeliveries */ with removed as (
       delete from fleetprompt.deliveries
       where replay_id = $1::text::uuid and tenant = $2 and (leased_until is null or leased_until <= now())
       returning *
     ), closed as (
       select removed.*, exists (
           select 1 from ${scope.schema}.attempts as attempt
           where attempt.tenant = $2 and attempt.signal_id = removed.signal_id and attempt.handler = removed.handler
             and attempt.replay_id = removed.replay_id
         ) as was_tried, last.outcome, last.attempt as attempts, last.replay_id as died_in, last.error, last.finished_at
       from removed left join lateral (
         select outcome, attempt.attempt, attempt.replay_id, error, finished_at from ${scope.schema}.attempts as attempt
         where attempt.tenant = $2 and attempt.signal_id = removed.signal_id and attempt.handler = removed.handler
           and outcome in ('done', 'cancelled', 'dead', 'discarded')
         order by finished_at desc, attempt.attempt desc limit 1
       ) as last on true
     ), buried as (
       insert into ${scope.schema}.dead_letters
         (tenant, signal_id, handler, attempts, priority, version, flow_key, replay_id, error, died_at)
       select tenant, signal_id, handler, attempts, priority - ${REPLAY_PRIORITY}, version, flow_key, died_in, error, finished_at
       from closed where outcome = 'dead'
       on conflict do nothing
     ), noted as (
       insert into ${scope.schema}.attempts
         (tenant, signal_id, handler, attempt, outcome, worker, version, replay_id, started_at, finished_at)
       select tenant, signal_id, handler, greatest(attempt, 1), 'cancelled', 'replay', version, replay_id, now(), now()
       from closed where outcome is distinct from 'dead' and (attempt > 0 or was_tried)
     )
     select count(*)::float8 as removed from closed`,
    [replayId, scope.slug],
  )
  return row?.removed ?? 0
}
