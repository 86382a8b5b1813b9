import type { Queryable } from "./database.ts"
import { type Cursor, formatCursor, parseCursor } from "./signal-order.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Which signals retention looks at next. */
export interface ExpiryQuery {
  /** Signals stored longer ago than this may go. */
  readonly days: number
  /** Where to go on, null for the oldest signal. */
  readonly after: Cursor | null
  /** How many signals are looked at. */
  readonly limit: number
  /** Whether the schema has directives; signals of those that have not ended stay. */
  readonly hasDirectives: boolean
}

/** What may go of one page of signals, the oldest first. */
export interface ExpiryPage {
  readonly ids: readonly string[]
  /** Those of the ids that have a dedupe key or a provider's event id. */
  readonly keyedIds: readonly string[]
  /** Where the next page begins, null when nothing old is left. */
  readonly next: Cursor | null
}

interface ExpiryRow {
  readonly id: string
  readonly tx: string
  readonly at: string
  readonly is_old: boolean
  readonly removable: boolean
  readonly keyed: boolean
}

/**
 * Looks for what is old enough and has no delivery open, in the order of commits. That is nearly the order of
 * time, so a page without an old signal is the end: what a long transaction put behind it goes another day.
 */
export async function selectExpired(
  db: Queryable,
  scope: TenantScope,
  { days, after, limit, hasDirectives }: ExpiryQuery,
): Promise<ExpiryPage> {
  const { txId, position } = parseCursor(after)
  const text = expiredText(scope.schema, hasDirectives)
  const rows = await db.query<ExpiryRow>(text, [scope.slug, txId, position, limit, days])
  const removable = rows.filter((row) => row.removable)
  const last = rows.length === limit && rows.some((row) => row.is_old) ? rows.at(-1) : undefined
  return {
    ids: removable.map(({ id }) => id),
    keyedIds: removable.filter(({ keyed }) => keyed).map(({ id }) => id),
    next: last ? formatCursor({ txId: last.tx, position: last.at }) : null,
  }
}

function expiredText(schema: string, hasDirectives: boolean): string {
  return `/* selectExpired */ select id, tx_id::text as tx, position::text as at, is_old, keyed,
       is_old and not exists (${openDelivery("page.id")}) ${hasDirectives ? unlessTrail(schema) : ""} as removable
     from (
       select id, tx_id, position, dedupe_key is not null or source_event_id is not null as keyed,
         inserted_at < now() - $5::float8 * interval '24 hours' as is_old
       from ${schema}.signals
       where tenant = $1 and (tx_id, position) > ($2::text::xid8, $3::text::bigint)
       order by tx_id, position limit $4
     ) as page
     order by page.tx_id, page.position`
}

/** The trail of a directive that has not ended goes on. The list is read once, not once for each signal. */
function unlessTrail(schema: string): string {
  return `and (page.id in (
         select unnest(trail) from ${schema}.directives where tenant = $1 and status in ('requested', 'running')
       )) is not true`
}

/** A delivery of a signal of the tenant $1 that is still to be done. */
function openDelivery(id: string): string {
  return `select 1 from fleetprompt.deliveries as open where open.signal_id = ${id} and open.tenant = $1`
}

/**
 * Removes signals with their links, attempts and dead letters, in one statement. A signal that got a delivery
 * meanwhile stays.
 *
 * @returns how many signals were removed.
 */
export async function deleteSignals(db: Queryable, scope: TenantScope, ids: readonly string[]): Promise<number> {
  const [row] = await db.query<{ count: number }>(deleteText(scope.schema), [scope.slug, `{${ids.join()}}`])
  return row?.count ?? 0
}

/**
 * Rows are found by a look-up each (`offset 0` keeps the planner from making a join of them), since without fresh
 * statistics a join would read whole tables with each batch. The ids come as what they are: behind a wall no index is
 * used for a comparison with what has still to be converted.
 */
function deleteText(schema: string): string {
  const dependents = (table: string, column: string): string =>
    `delete from ${schema}.${table} where ctid = any (array(
         select found.ctid from gone cross join lateral (
           select ctid from ${schema}.${table} where tenant = $1 and ${column} = gone.id offset 0
         ) as found))`
  return `/* deleteSignals */ with gone as (
       delete from ${schema}.signals where ctid = any (array(
         select found.ctid from unnest($2::uuid[]) as asked (id)
         cross join lateral (
           select ctid from ${schema}.signals where tenant = $1 and id = asked.id offset 0
         ) as found))
         and not exists (${openDelivery("signals.id")})
       returning id
     ), led_to as (
       ${dependents("effects", "cause_id")}
     ), came_of as (
       ${dependents("effects", "effect_id")}
     ), tries as (
       ${dependents("attempts", "signal_id")}
     ), letters as (
       ${dependents("dead_letters", "signal_id")}
     )
     select count(*)::float8 as count from gone`
}
