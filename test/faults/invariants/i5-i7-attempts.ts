import { copyProduct } from "./copy.ts"
import { DELIVERY } from "./copy-tables.ts"
import { type Evidence, statements } from "./evidence.ts"

const WHAT = "evidence.what(signal_id, handler, replay_id, tenant)"

/** Attempts and calls of deliveries that have not died. */
const LIVED = `lived as (select attempts.* from evidence.attempts left join evidence.died using (${DELIVERY}) where died.tenant is null)`
const CALLED = `called as (select invocations.* from evidence.invocations left join evidence.died using (${DELIVERY}) where died.tenant is null)`

/**
 * One attempt has one end: who booked a second one showed an old token. A snoozed attempt comes again under its number,
 * and what a debounce leaves out after an attempt ends under that one's.
 */
const BOOKED_TWICE = `
  with ${LIVED}
  select format('attempt %s of %s was booked %s times: %s', attempt, ${WHAT}, count(*),
    string_agg(outcome || ' by ' || worker, ', ' order by finished_at)) as violation
  from lived where outcome <> 'snoozed' and not superseded group by ${DELIVERY}, attempt having count(*) > 1`

/** Each that is done, with the calls of it: who ran the attempt, and the first of those that came later. */
const DONE = `
  with ${LIVED}, done as (
    select distinct on (${DELIVERY}) ${DELIVERY}, attempt, worker from lived where outcome = 'done'
    order by ${DELIVERY}, finished_at, attempt
  ), judged as (
    select ${DELIVERY}, done.attempt, done.worker,
      bool_or(call.worker = done.worker and (call.attempt is null or call.attempt = done.attempt)) as ran,
      min(call.attempt) filter (where call.attempt > done.attempt) as later,
      (array_agg(call.worker order by call.begun_at) filter (where call.attempt > done.attempt))[1] as later_worker
    from done join evidence.invocations as call using (${DELIVERY})
    group by ${DELIVERY}, done.attempt, done.worker
  )`

/** Whoever is noted as having done it ran that attempt. */
const BOOKED_BY_ANOTHER = `${DONE}
  select format('attempt %s of %s is booked as done by %s, which did not run it', attempt, ${WHAT}, worker) as violation
  from judged where not ran`

/** Nobody had begun a later attempt. */
const BOOKED_LATE = `${DONE}
  select format('attempt %s of %s is booked as done by %s, though %s had begun attempt %s', attempt, ${WHAT}, worker,
    later_worker, later) as violation
  from judged where later is not null`

/** I5: a completion is accepted only with the current lease token. */
export const fencedCompletions = statements(["attempts"], BOOKED_TWICE, BOOKED_BY_ANOTHER, BOOKED_LATE)

const ENDS = `
  with ends as (
    select ${DELIVERY}, count(*) as count, string_agg(outcome, ', ' order by finished_at, attempt) as outcomes,
      (array_agg(outcome order by finished_at, attempt))[1] as outcome,
      (array_agg(attempt order by finished_at, attempt))[1] as attempt
    from evidence.attempts where outcome in ('done', 'cancelled') group by ${DELIVERY}
  )`

const ENDED_TWICE = `${ENDS}
  select format('%s ended %s times: %s', ${WHAT}, count, outcomes) as violation from ends where count > 1`

const WENT_ON = `${ENDS}, ${LIVED}
  select format('%s was %s in attempt %s, and attempt %s came after it', ${WHAT}, ends.outcome, ends.attempt,
    min(lived.attempt)) as violation
  from ends join lived using (${DELIVERY}) where lived.attempt > ends.attempt
  group by ${DELIVERY}, ends.outcome, ends.attempt`

/** Terminal states that were remembered on the way and are not there any more. */
const FORGOTTEN = `
  select format('%s %s %s in attempt %s of %s was a terminal state and is gone', signal_id, handler, outcome, attempt,
    tenant) as violation
  from (
    select tenant, signal_id, handler, outcome, attempt from terminals where tenant in (select slug from evidence.tenants)
    except select tenant, signal_id, handler, outcome, attempt from evidence.attempts
  ) as gone`

/** I6: terminal states never change, and each is told once. */
export const terminalStaysTerminal = statements(["attempts"], ENDED_TWICE, WENT_ON, FORGOTTEN)

/** Keeps the terminal states as they are now, for I6 to compare with. */
export async function rememberTerminals(evidence: Evidence): Promise<void> {
  await copyProduct(evidence, ["attempts"])
  await evidence.ledger.query(
    `insert into terminals select distinct tenant, signal_id, handler, attempt, outcome from evidence.attempts
     where outcome in ('done', 'cancelled') on conflict do nothing`,
  )
}

const ABOVE = `
  with counted as (
    select ${DELIVERY}, attempt from evidence.attempts union all select ${DELIVERY}, attempt from evidence.invocations
  )
  select format('attempt %s of %s is above the maximum, %s', max(counted.attempt), ${WHAT}, most.attempts) as violation
  from counted join evidence.handlers as most on most.name = counted.handler
  where counted.attempt > most.attempts group by ${DELIVERY}, most.attempts`

/** Calls that were snoozed or stopped are not counted as attempts: the delivery comes again under the same number. */
const BEGUN_TWICE = `
  with ${CALLED}
  select format('attempt %s of %s was begun %s times, by %s', attempt, ${WHAT}, count(*),
    string_agg(worker, ', ' order by begun_at)) as violation
  from called where attempt is not null and coalesce(outcome, '') not in ('snoozed', 'stopped')
  group by ${DELIVERY}, attempt having count(*) > 1`

/** I7: attempts are counted at the claim, so no number is used for two calls, and none is above the maximum. */
export const attemptsCounted = statements(["attempts"], ABOVE, BEGUN_TWICE)
