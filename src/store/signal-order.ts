import { FleetPromptError } from "../errors.ts"
import type { StoredSignal, Visibility } from "../signal/stored-signal.ts"
import type { Queryable } from "./database.ts"
import { fromRecord, SIGNAL_COLUMNS, type SignalRecord } from "./signal-record.ts"
import type { TenantScope } from "./tenant-scope.ts"

/**
 * A place in a tenant's order of signals, as text to be kept and given back. What is in it may change.
 *
 * The order is that of the transactions that stored the signals, and within one that of insertion. A sequence
 * alone would not do: its number is drawn before the commit, so a row with a lower number may become visible after
 * one with a higher number, behind a reader who has passed. A reader sees only rows below the horizon: those of
 * transactions below the oldest one that is still open anywhere in the cluster. Nothing can come in there any more,
 * so who reads on from a cursor misses nothing. The price is that a transaction left open holds readers back.
 * https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
 */
export type Cursor = string

/** What a cursor says: the place just behind a signal. */
export interface OrderPlace {
  /** An xid8 as text. */
  readonly txId: string
  /** A bigint as text. */
  readonly position: string
}

const BEGINNING: OrderPlace = { txId: "0", position: "0" }
const CURSOR = /^(\d{1,20})-(\d{1,19})(?:-(\d{1,9}))?$/
/** The first order that a tenant's signals are in; its cursors do not name it. */
const FIRST_GENERATION = 1
const MAX_XID8 = 2n ** 64n - 1n
const MAX_BIGINT = 2n ** 63n - 1n

/**
 * Reads a cursor; null is the beginning.
 *
 * @param generation the order that the signals are in, which a move to another database turns into another. Default:
 * the cursor may be of any.
 * @throws FleetPromptError `cursor_invalid`
 */
export function parseCursor(cursor: Cursor | null, generation?: number): OrderPlace {
  if (cursor === null) return BEGINNING
  const [, txId, position, of = String(FIRST_GENERATION)] = (typeof cursor === "string" && CURSOR.exec(cursor)) || []
  if (txId !== undefined && position !== undefined && BigInt(txId) <= MAX_XID8 && BigInt(position) <= MAX_BIGINT) {
    if (generation === undefined || Number(of) === generation) return { txId, position }
    throw new FleetPromptError(
      "cursor_invalid",
      'expected a cursor of the order that the tenant\'s signals are in now, got one from before they came to another database, or from a tenant before this one; begin at "start" or "now"',
    )
  }
  throw new FleetPromptError(
    "cursor_invalid",
    `expected a cursor as it came with a signal, got ${describe(cursor)}; begin at "start" or "now", or at a cursor that was kept unchanged`,
  )
}

/** A place as a cursor. */
export function formatCursor({ txId, position }: OrderPlace, generation: number = FIRST_GENERATION): Cursor {
  return generation === FIRST_GENERATION ? `${txId}-${position}` : `${txId}-${position}-${generation}`
}

function describe(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : typeof value
}

/** Which signals a reader in order asks for. */
export interface OrderQuery {
  /** Null for the oldest signal on. */
  readonly after: Cursor | null
  /** Signals at most. */
  readonly limit: number
  /** Only types that fit this regular expression, read with a dot after the type. Null for all. */
  readonly typeExpression: string | null
  /** What the reader may see. */
  readonly visibilities: readonly Visibility[]
  /** The order that the signals are in; see `TenantRecord`. Default 1. */
  readonly generation?: number
}

/** A signal, and the cursor that goes on behind it. */
export interface OrderedSignal {
  readonly signal: StoredSignal
  readonly cursor: Cursor
}

/** Some signals in order. */
export interface OrderPage {
  readonly signals: readonly OrderedSignal[]
  /** Where to go on, even when no signal fitted. */
  readonly next: Cursor | null
  /** Whether there may be more at once. False: everything below the horizon was looked at. */
  readonly more: boolean
}

interface OrderRow extends SignalRecord {
  readonly tx: string
  readonly at: string
  readonly fits: boolean
  readonly is_end: boolean
}

/** Rows that one statement looks at, at least: where few fit, pages of what fits would be many. */
const LOOK_AT = 1_000

/**
 * Reads signals in order, none left out and none twice, whatever is being stored meanwhile. One statement looks at
 * a bounded number of rows and reads the data of `limit` of them at most.
 *
 * @throws FleetPromptError `cursor_invalid`
 */
export async function selectInOrder(
  db: Queryable,
  scope: TenantScope,
  { after, limit, typeExpression, visibilities, generation = FIRST_GENERATION }: OrderQuery,
): Promise<OrderPage> {
  const { txId, position } = parseCursor(after, generation)
  const cursorOf = ({ tx, at }: OrderRow): Cursor => formatCursor({ txId: tx, position: at }, generation)
  const lookAt = Math.max(limit, LOOK_AT)
  const values = [scope.slug, txId, position, typeExpression, JSON.stringify(visibilities), lookAt, limit]
  const rows = await db.query<OrderRow>(orderText(scope.schema), values)
  const signals = rows.filter(({ fits }) => fits).map((row) => ({ signal: fromRecord(row), cursor: cursorOf(row) }))
  const last = rows.at(-1)
  return { signals, next: last ? cursorOf(last) : after, more: last !== undefined && !last.is_end }
}

/** Beside what fits it answers the last row looked at, for its place. */
function orderText(schema: string): string {
  return `/* selectInOrder */ with looked_at as (
       select *, ($4::text is null or (type || '.') ~ $4)
         and visibility in (select json_array_elements_text($5::text::json)) as fits
       from ${schema}.signals
       where tenant = $1 and (tx_id, position) > ($2::text::xid8, $3::text::bigint)
         and tx_id < pg_snapshot_xmin(pg_current_snapshot())
       order by tx_id, position limit $6
     ), marked as (
       select *, lead(id) over (order by tx_id, position) is null as is_last, count(*) over () < $6 as is_whole
       from looked_at
     ), page as (
       select * from marked where fits or is_last order by tx_id, position limit $7
     )
     select ${SIGNAL_COLUMNS}, tx_id::text as tx, position::text as at, fits, is_last and is_whole as is_end
     from page order by page.tx_id, page.position`
}

/** The cursor that stands before all that is committed from now on. What was committed just before may follow it too. */
export async function selectHorizon(db: Queryable, generation?: number): Promise<Cursor> {
  const [row] = await db.query<{ horizon: string }>(
    `/* selectHorizon */ select pg_snapshot_xmin(pg_current_snapshot())::text as horizon`,
  )
  return formatCursor({ txId: row?.horizon ?? BEGINNING.txId, position: BEGINNING.position }, generation)
}

/** The cursor behind a signal; undefined where the tenant has none with this id. */
export async function selectCursorOf(
  db: Queryable,
  { schema, slug }: TenantScope,
  id: string,
  generation: number,
): Promise<Cursor | undefined> {
  const [row] = await db.query<OrderPlace>(
    `/* selectCursorOf */ select tx_id::text as "txId", position::text as position from ${schema}.signals
     where tenant = $1 and id = $2::text::uuid`,
    [slug, id],
  )
  return row && formatCursor(row, generation)
}
