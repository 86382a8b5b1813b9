import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Queryable } from "./database.ts"
import { type IndexWalker, walkIndexes } from "./index-walk.ts"
import type { OrderPlace } from "./signal-order.ts"
import { fromRecord, SIGNAL_COLUMNS, type SignalRecord } from "./signal-record.ts"
import { subjectColumns } from "./subject.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Before the first signal. */
export const BEGINNING: OrderPlace = Object.freeze({ txId: "0", position: "0" })

/** Which signals of a tenant; null asks for nothing. */
export interface SignalSelection {
  /** One signal; then nothing else is asked. */
  readonly signalId: string | null
  /** Only types that fit this regular expression, read with a dot after the type. */
  readonly typeExpression: string | null
  /** Happened at this time or later, RFC 3339. */
  readonly from: string | null
  /** Happened before this time, RFC 3339. */
  readonly to: string | null
  readonly subject: string | null
  readonly correlationId: string | null
  readonly source: string | null
  /**
   * What Postgres calls a snapshot: only signals that were committed when it was taken. So what comes later
   * is left out, and what was committed by then is found, also behind transactions that are still open.
   */
  readonly snapshot: string
}

/** A part of a selection, in order. */
export interface ReplayPage {
  readonly signals: readonly { readonly signal: StoredSignal; readonly place: OrderPlace }[]
  /** Where the next page begins; null after the last. */
  readonly next: OrderPlace | null
}

/** Most rows that one statement looks at for a page, so that a rare match costs many short statements and no long one. */
const SCAN_ROWS = 10_000
/** Most rows that one statement counts. */
const COUNT_ROWS = 100_000

/** What was committed until now. */
export async function takeSnapshot(tx: Queryable): Promise<string> {
  const [row] = await tx.query<{ snapshot: string }>(
    `/* takeSnapshot */ select pg_current_snapshot()::text as snapshot`,
  )
  return row?.snapshot ?? ""
}

/** Behind the last signal of a snapshot. */
export function endOf(snapshot: string): OrderPlace {
  // xmin:xmax:list, where xmax is the first transaction that had not begun.
  return { txId: snapshot.split(":")[1] ?? "0", position: "0" }
}

/** The rows to look at, from a place on; the parameters of `rangeValues`. */
const RANGE = `tenant = $1 and (tx_id, position) > ($2::text::xid8, $3::text::bigint)
       and tx_id < pg_snapshot_xmax($4::text::pg_snapshot)`

const MATCHES = `pg_visible_in_snapshot(tx_id, $4::text::pg_snapshot)
       and ($5::text is null or (type || '.') ~ $5::text)
       and ($6::text is null or occurred_at >= $6::text::timestamptz)
       and ($7::text is null or occurred_at < $7::text::timestamptz)
       and ($8::text is null or (subject_id = $8::text::uuid and subject_type is not distinct from $9::text))
       and ($10::text is null or metadata ->> 'correlation_id' = $10::text)
       and ($11::text is null or source = $11::text)`

function selectionValues(scope: TenantScope, selection: SignalSelection, after: OrderPlace): readonly unknown[] {
  const { snapshot, typeExpression, from, to, subject, correlationId, source } = selection
  const { subject_type, subject_id } = subjectColumns(subject ?? undefined)
  const range = [scope.slug, after.txId, after.position, snapshot]
  return [...range, typeExpression, from, to, subject_id, subject_type, correlationId, source]
}

interface PageRow extends SignalRecord {
  readonly tx: string
  readonly place: string
  readonly edgeTx: string | null
  readonly edgePosition: string | null
}

/**
 * The next signals of a selection behind a place, in the order of their commits. There may be none although
 * more follow, when none matched among the rows that one statement looks at.
 */
export async function selectReplayPage(
  db: IndexWalker,
  scope: TenantScope,
  selection: SignalSelection,
  { after, limit }: { readonly after: OrderPlace; readonly limit: number },
): Promise<ReplayPage> {
  if (selection.signalId !== null) return selectOne(db, scope, selection.signalId, after)
  const rows = await walkIndexes<PageRow | EdgeRow>(
    db,
    `/* selectReplayPage */ with page as (
       select ${SIGNAL_COLUMNS}, tx_id, position from (
         select * from ${scope.schema}.signals where ${RANGE} order by tx_id, position limit ${SCAN_ROWS}
       ) as scanned
       where ${MATCHES} order by tx_id, position limit $12
     ), edge as (${edge(scope, SCAN_ROWS, "(select count(*) from page) < $12 and")})
     select page.*, page.tx_id::text as tx, page.position::text as place,
       edge.tx_id::text as "edgeTx", edge.position::text as "edgePosition"
     from (select) as once left join edge on true left join page on true order by page.tx_id, page.position`,
    [...selectionValues(scope, selection, after), limit],
  )
  const found = rows.filter((row) => row.id !== null)
  const last = found.at(-1)
  return { signals: found.map(placed), next: last && found.length === limit ? placeOf(last) : edgeOf(rows) }
}

/** A row that has no signal, only the edge. */
interface EdgeRow extends Pick<PageRow, "edgeTx" | "edgePosition"> {
  readonly id: null
}

/** The last of the rows that one statement looks at; none when it reaches the end. */
function edge({ schema }: TenantScope, rows: number, condition = ""): string {
  return `select tx_id, position from ${schema}.signals
       where ${condition} ${RANGE} order by tx_id, position offset ${rows - 1} limit 1`
}

function edgeOf([row]: readonly { readonly edgeTx: string | null; readonly edgePosition: string | null }[]) {
  if (!row || row.edgeTx === null || row.edgePosition === null) return null
  return { txId: row.edgeTx, position: row.edgePosition }
}

function placed(row: PageRow): ReplayPage["signals"][number] {
  return { signal: fromRecord(row), place: placeOf(row) }
}

function placeOf({ tx, place }: PageRow): OrderPlace {
  return { txId: tx, position: place }
}

async function selectOne(tx: Queryable, scope: TenantScope, id: string, after: OrderPlace): Promise<ReplayPage> {
  const rows = await tx.query<PageRow>(
    `/* selectReplaySignal */ select ${SIGNAL_COLUMNS}, tx_id::text as tx, position::text as place
     from ${scope.schema}.signals
     where tenant = $1 and id = $4::text::uuid and (tx_id, position) > ($2::text::xid8, $3::text::bigint)`,
    [scope.slug, after.txId, after.position, id],
  )
  return { signals: rows.map(placed), next: null }
}

/** How many of the next signals match, and where to count on; null after the last. */
export async function countReplaySignals(
  db: IndexWalker,
  scope: TenantScope,
  selection: SignalSelection,
  after: OrderPlace,
): Promise<{ readonly count: number; readonly next: OrderPlace | null }> {
  const rows = await walkIndexes<{ count: number; edgeTx: string | null; edgePosition: string | null }>(
    db,
    `/* countReplaySignals */ with edge as materialized (${edge(scope, COUNT_ROWS)})
     select (select tx_id::text from edge) as "edgeTx", (select position::text from edge) as "edgePosition",
       (
         select count(*)::float8 from ${scope.schema}.signals
         where ${RANGE} and ${MATCHES} and ((select tx_id from edge) is null
           or (tx_id, position) <= ((select tx_id from edge), (select position from edge)))
       ) as count`,
    [...selectionValues(scope, selection, after)],
  )
  return { count: rows[0]?.count ?? 0, next: edgeOf(rows) }
}
