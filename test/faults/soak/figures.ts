import type { FaultPostgres } from "../fault-postgres.ts"
import { type Askable, schemasOf, type TenantPlace } from "../invariants/evidence.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Figures } from "../scenario.ts"
import type { Kill } from "./crew.ts"
import type { Scene } from "./faults.ts"
import type { IdleTime } from "./idle-transaction.ts"
import { DYING_HANDLER, PLAIN_HANDLERS } from "./plan.ts"

/** What happened, for the figures. */
export interface Record {
  readonly ledger: Ledger
  readonly database: FaultPostgres
  readonly tenants: readonly TenantPlace[]
  readonly kills: readonly Kill[]
  readonly restarts: Scene["restarts"]
  readonly idle: IdleTime
}

/** All figures of a soak that come from the ledger and the attempts. Times in milliseconds, null of none. */
export async function figuresOf(record: Record): Promise<Figures> {
  const { ledger, kills, restarts, idle } = record
  const takeovers = await takeoversAfter(ledger, kills)
  return {
    kills: kills.length,
    ...spread("takeover", takeovers),
    ...(await duplicates(ledger)),
    ...(await endsOf(record)),
    restarts: restarts.length,
    ...spread(
      "restartDown",
      restarts.map(({ at, readyAt }) => readyAt.getTime() - at.getTime()),
    ),
    ...spread("recoveryFirstAck", await firstAcks(ledger, restarts)),
    ...spread("recoveryFirstHandled", await firstHandled(record)),
    ...(await besideIdle(ledger, idle)),
  }
}

/** p50, p99, the longest, and of how many. */
function spread(name: string, values: readonly number[]): Figures {
  return {
    [`${name}P50Ms`]: percentile(values, 0.5),
    [`${name}P99Ms`]: percentile(values, 0.99),
    [`${name}MaxMs`]: percentile(values, 1),
    [`${name}Count`]: values.length,
  }
}

/** The smallest value that such a share of the values do not exceed; null of none. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((one, other) => one - other)
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
  return value === undefined ? null : Math.round(value)
}

/** From the kill of a worker to the begin of the next attempt of what it had begun; plain handlers, which nothing but the lease keeps waiting. */
async function takeoversAfter(ledger: Askable, kills: readonly Kill[]): Promise<readonly number[]> {
  const rows = await ledger.query<{ ms: number }>(
    `select extract(epoch from next.begun_at - kill.at)::float8 * 1000 as ms
     from unnest($1::text[], $2::timestamptz[]) as kill (worker, at)
     join invocations as gone on gone.worker = kill.worker and gone.ended_at is null and gone.begun_at < kill.at
     cross join lateral (
       select begun_at from invocations
       where signal_id = gone.signal_id and handler = gone.handler and begun_at > kill.at order by begun_at limit 1
     ) as next
     where gone.handler = any($3::text[])`,
    [kills.map(({ worker }) => worker), kills.map(({ at }) => at), PLAIN_HANDLERS],
  )
  return rows.map(({ ms }) => ms)
}

/** Handlers that came to their effect again, since their process or the booking was lost after it. */
async function duplicates(ledger: Askable): Promise<Figures> {
  const [row] = await ledger.query<{ repeated: string; effects: string; cut: string }>(
    `select sum(tries - 1) as repeated, count(*) as effects,
       (select count(*) from invocations where ended_at is null) as cut from effects`,
  )
  const repeated = Number(row?.repeated)
  return {
    duplicateInvocations: repeated,
    duplicateSharePercent: Number(((100 * repeated) / Math.max(1, Number(row?.effects))).toFixed(4)),
    invocationsWithoutEnd: Number(row?.cut),
  }
}

/** Attempts whose worker was lost, and deliveries that were given up. */
async function endsOf({ database, tenants }: Record): Promise<Figures> {
  const parts = schemasOf(tenants).map(
    (schema) => `select (select count(*) from ${schema}.attempts where outcome = 'lost') as lost,
      count(*) as dead, count(*) filter (where handler <> '${DYING_HANDLER}') as unasked from ${schema}.dead_letters`,
  )
  const [row] = await database.query<{ lost: string; dead: string; unasked: string }>(
    `select sum(lost) as lost, sum(dead) as dead, sum(unasked) as unasked from (${parts.join(" union all ")}) as each`,
  )
  return {
    attemptsLost: Number(row?.lost),
    deadLetters: Number(row?.dead),
    deadLettersUnasked: Number(row?.unasked),
  }
}

/** From Postgres answering again to the first emit that was acknowledged. */
async function firstAcks(ledger: Askable, restarts: Scene["restarts"]): Promise<readonly number[]> {
  const rows = await ledger.query<{ ms: number | null }>(
    `select extract(epoch from (
         select min(ended_at) from calls where outcome = 'ok' and begun_at < ready.at + interval '1 minute' and ended_at > ready.at
       ) - ready.at)::float8 * 1000 as ms
     from unnest($1::timestamptz[]) as ready (at)`,
    [restarts.map(({ readyAt }) => readyAt)],
  )
  return rows.flatMap(({ ms }) => ms ?? [])
}

/** From Postgres answering again to the first delivery that was booked as done. */
async function firstHandled({ database, tenants, restarts }: Record): Promise<readonly number[]> {
  const firsts = restarts.map((): number => Infinity)
  for (const schema of schemasOf(tenants)) {
    const rows = await database.query<{ n: string; ms: number }>(
      `select ready.n, extract(epoch from min(attempt.finished_at) - ready.at)::float8 * 1000 as ms
       from unnest($1::timestamptz[]) with ordinality as ready (at, n)
       join ${schema}.attempts as attempt
         on attempt.finished_at > ready.at and attempt.finished_at < ready.at + interval '1 minute'
       where attempt.outcome = 'done' group by ready.n, ready.at`,
      [restarts.map(({ readyAt }) => readyAt)],
    )
    for (const { n, ms } of rows) firsts[Number(n) - 1] = Math.min(firsts[Number(n) - 1] ?? Infinity, ms)
  }
  return firsts.filter(Number.isFinite)
}

/** What was handled while a transaction stood idle, beside the same time just before. */
async function besideIdle(ledger: Askable, { from, to, lasted }: IdleTime): Promise<Figures> {
  const before = new Date(2 * from.getTime() - to.getTime())
  const beside = await handledBetween(ledger, from, to)
  const without = await handledBetween(ledger, before, from)
  return {
    idleTransactionMinutes: Number(((to.getTime() - from.getTime()) / 60_000).toFixed(1)),
    idleTransactionLasted: lasted,
    handledPerSecondWithIdle: beside.perSecond,
    handledPerSecondWithout: without.perSecond,
    emitToHandlerP50MsWithIdle: beside.p50,
    emitToHandlerP50MsWithout: without.p50,
    emitToHandlerP99MsWithIdle: beside.p99,
    emitToHandlerP99MsWithout: without.p99,
  }
}

/** How many calls of handlers returned, and how long after the emit was begun plain ones began. */
async function handledBetween(
  ledger: Askable,
  from: Date,
  to: Date,
): Promise<{ readonly perSecond: number; readonly p50: number | null; readonly p99: number | null }> {
  const [row] = await ledger.query<{ count: string; p50: number | null; p99: number | null }>(
    `with ran as (select signal_id, handler, attempt, begun_at from invocations
       where outcome = 'returned' and ended_at >= $1 and ended_at < $2
     ), latencies as (
       select extract(epoch from ran.begun_at - calls.begun_at)::float8 * 1000 as ms
       from ran join calls on calls.signal_id = ran.signal_id and calls.inserted
       where ran.handler = 'order.work' and ran.attempt = 1
     )
     select (select count(*) from ran) as count, percentile_disc(0.5) within group (order by ms) as p50,
       percentile_disc(0.99) within group (order by ms) as p99 from latencies`,
    [from, to],
  )
  const seconds = (to.getTime() - from.getTime()) / 1_000
  return {
    perSecond: Math.round(Number(row?.count) / seconds),
    p50: row?.p50 === null || row?.p50 === undefined ? null : Math.round(row.p50),
    p99: row?.p99 === null || row?.p99 === undefined ? null : Math.round(row.p99),
  }
}
