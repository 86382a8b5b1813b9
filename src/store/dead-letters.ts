import type { JsonObject } from "../signal/json.ts"
import type { Visibility } from "../signal/stored-signal.ts"
import type { Queryable, Transaction } from "./database.ts"
import { walkIndexesWithin } from "./index-walk.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Which dead letters of a tenant; null asks for nothing. */
export interface DeadLetterConditions {
  readonly signalId: string | null
  readonly handler: string | null
  /** Only signals whose type fits this regular expression, read with a dot after the type. */
  readonly typeExpression: string | null
  /** Name of the last error, such as `TypeError`. */
  readonly errorName: string | null
  /** Code of the last error, such as `handler_timeout`. */
  readonly errorCode: string | null
  /** Died at this time or later, RFC 3339. */
  readonly from: string | null
  /** Died before this time, RFC 3339. */
  readonly to: string | null
}

/** A delivery that was given up and waits for someone's decision. */
export interface DeadLetter {
  readonly signalId: string
  readonly handler: string
  /** Type of the signal; null when the signal is gone. */
  readonly type: string | null
  /** Who may read the signal; null when it is gone. */
  readonly visibility: Visibility | null
  /** How often it was tried. */
  readonly attempts: number
  /** Version of the handler that the delivery was made for. */
  readonly version: number
  /** What its handler's limits and order go by. */
  readonly flowKey: string | null
  /** The replay that it was part of. */
  readonly replayId: string | null
  /** What the last attempt ended with: name, message, perhaps code and stack. */
  readonly error: JsonObject | null
  /** When it was given up, RFC 3339 with microseconds. */
  readonly diedAt: string
}

/** Names a dead letter. */
export interface DeadLetterKey {
  readonly signalId: string
  readonly handler: string
}

/** Where a list of dead letters goes on. */
export interface DeadLetterPlace extends DeadLetterKey {
  readonly diedAt: string
}

const COLUMNS = `letter.signal_id as "signalId", letter.handler, signal.type, signal.visibility, letter.attempts,
  letter.version, letter.flow_key as "flowKey", letter.replay_id as "replayId", letter.error,
  to_char(letter.died_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "diedAt"`

/** Letters with their signals, as `letter` and `signal`. Retention may have taken a signal that somebody looks for. */
function lettersOf({ schema }: TenantScope): string {
  return `${schema}.dead_letters as letter
     left join ${schema}.signals as signal on signal.tenant = letter.tenant and signal.id = letter.signal_id`
}

/** What `conditionValues` fills in. */
const CONDITIONS = `letter.tenant = $1
       and ($2::text is null or letter.signal_id = $2::text::uuid) and ($3::text is null or letter.handler = $3::text)
       and ($4::text is null or (signal.type || '.') ~ $4::text)
       and ($5::text is null or letter.error ->> 'name' = $5::text)
       and ($6::text is null or letter.error ->> 'code' = $6::text)
       and ($7::text is null or letter.died_at >= $7::text::timestamptz)
       and ($8::text is null or letter.died_at < $8::text::timestamptz)`

function conditionValues({ slug }: TenantScope, conditions: DeadLetterConditions): readonly unknown[] {
  const { signalId, handler, typeExpression, errorName, errorCode, from, to } = conditions
  return [slug, signalId, handler, typeExpression, errorName, errorCode, from, to]
}

/** Dead letters, newest first. */
export async function selectDeadLetters(
  tx: Queryable,
  scope: TenantScope,
  conditions: DeadLetterConditions,
  { limit, after }: { readonly limit: number; readonly after: DeadLetterPlace | null },
): Promise<readonly DeadLetter[]> {
  return tx.query<DeadLetter>(
    `/* selectDeadLetters */ select ${COLUMNS} from ${lettersOf(scope)}
     where ${CONDITIONS} and ($9::text is null or
       (letter.died_at, letter.signal_id, letter.handler) < ($9::text::timestamptz, $10::text::uuid, $11::text))
     order by letter.died_at desc, letter.signal_id desc, letter.handler desc limit $12`,
    [
      ...conditionValues(scope, conditions),
      after?.diedAt ?? null,
      after?.signalId ?? null,
      after?.handler ?? null,
      limit,
    ],
  )
}

/** How many dead letters there are, and a moment just after they died, RFC 3339 with microseconds. */
export async function countDeadLetters(
  tx: Queryable,
  scope: TenantScope,
  conditions: DeadLetterConditions,
): Promise<{ readonly count: number; readonly countedBefore: string }> {
  const [row] = await tx.query<{ count: number; countedBefore: string }>(
    `/* countDeadLetters */ select count(*)::float8 as count,
       to_char((now() + interval '1 microsecond') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "countedBefore"
     from ${lettersOf(scope)} where ${CONDITIONS}`,
    [...conditionValues(scope, conditions)],
  )
  // An aggregate without groups answers with one row.
  return row as { count: number; countedBefore: string }
}

/** A part of the letters of a bulk action. */
export interface DeadLetterBatch {
  readonly limit: number
  /** Only letters behind this one, in the order of signal and handler; null begins. */
  readonly after: DeadLetterKey | null
}

/** A delivery that was put back into the queue. */
export interface Redriven extends DeadLetterKey {
  readonly priority: number
}

/**
 * Puts dead letters back into the queue, one batch in the order of their signals: each letter leaves in the
 * statement that makes its delivery, whose attempts begin anew. A letter that somebody else is deciding on
 * is passed over.
 */
export async function redriveDeadLetters(
  tx: Transaction,
  scope: TenantScope,
  conditions: DeadLetterConditions,
  batch: DeadLetterBatch,
): Promise<readonly Redriven[]> {
  return walkIndexesWithin<Redriven>(
    tx,
    `/* redriveDeadLetters */ with ${taken(scope)}, enqueued as (
       insert into fleetprompt.deliveries (tenant, signal_id, handler, priority, version, flow_key, replay_id)
       select tenant, signal_id, handler, priority, version, flow_key, replay_id from taken order by signal_id, handler
       on conflict do nothing
     )
     select signal_id as "signalId", handler, priority from taken order by signal_id, handler`,
    [...conditionValues(scope, conditions), ...batchValues(batch)],
  )
}

/** Who threw a dead letter away, and why. */
export interface Discard {
  readonly by: string
  readonly reason: string | null
}

/** Throws dead letters away, one batch in the order of their signals, and notes it with each one's attempts. */
export async function discardDeadLetters(
  tx: Transaction,
  scope: TenantScope,
  conditions: DeadLetterConditions,
  batch: DeadLetterBatch,
  { by, reason }: Discard,
): Promise<readonly DeadLetterKey[]> {
  return walkIndexesWithin<DeadLetterKey>(
    tx,
    `/* discardDeadLetters */ with ${taken(scope)}, noted as (
       insert into ${scope.schema}.attempts
         (tenant, signal_id, handler, attempt, outcome, worker, version, replay_id, started_at, finished_at, error)
       select tenant, signal_id, handler, attempts, 'discarded', $12::text, version, replay_id, now(), now(),
         case when $13::text is not null then jsonb_build_object('message', $13::text) end
       from taken
     )
     select signal_id as "signalId", handler from taken order by signal_id, handler`,
    [...conditionValues(scope, conditions), ...batchValues(batch), by, reason],
  )
}

/** Takes a batch of letters away, as `taken`. */
function taken(scope: TenantScope): string {
  return `picked as (
       select letter.signal_id, letter.handler from ${lettersOf(scope)}
       where ${CONDITIONS}
         and ($9::text is null or (letter.signal_id, letter.handler) > ($9::text::uuid, $10::text))
       order by letter.signal_id, letter.handler limit $11 for update of letter skip locked
     ), taken as (
       delete from ${scope.schema}.dead_letters as letter using picked
       where letter.tenant = $1 and letter.signal_id = picked.signal_id and letter.handler = picked.handler
       returning letter.*
     )`
}

function batchValues({ after, limit }: DeadLetterBatch): readonly unknown[] {
  return [after?.signalId ?? null, after?.handler ?? null, limit]
}
