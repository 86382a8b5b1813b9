import { detailsOf, type RawAuditRow, selectAuditHead, selectAuditRows } from "../store/audit-log.ts"
import { type ChainPlace, hashedFields } from "./audit-chain.ts"
import { type AuditHead, placesOf } from "./audit-head.ts"
import { type LogScope, READ_BATCH, type ReaderDeps, readLog } from "./verify-audit.ts"

/** What the first line of an export says that it is. */
export const EXPORT_FORMAT = "fleetprompt.audit-log.1"

/** How a log is exported. */
export interface ExportOptions {
  /** Only rows behind this place, the end of an earlier export. Default: all that the log holds. */
  readonly after?: ChainPlace
  /** Is told now and then how many rows were written, and how many there are. */
  readonly onProgress?: (written: number, total: number) => void
  /** Ends it early; it throws the signal's reason. */
  readonly abort?: AbortSignal
}

/** The first line of an export. */
export interface ExportBegin {
  readonly format: typeof EXPORT_FORMAT
  readonly tenant: string
  /** The place before the first row. */
  readonly after: ChainPlace
  /** Where the rows end. */
  readonly head: AuditHead
}

/**
 * A log as JSON Lines, each with its line end: first the signed head, then every row up to it with its hash. What is
 * added meanwhile is left out. `verifyAuditExport` checks it without a database.
 */
export async function* exportAudit(
  scope: LogScope,
  { database }: ReaderDeps,
  { after, abort, onProgress }: ExportOptions = {},
): AsyncGenerator<string, void, undefined> {
  const found = await readLog(database, scope, (tx) => selectAuditHead(tx, scope))
  if (!found) return
  const head: AuditHead = { ...found, tenant: scope.slug }
  const { base, last } = placesOf(head)
  const begin: ExportBegin = { format: EXPORT_FORMAT, tenant: scope.slug, after: after ?? base, head }
  yield `${JSON.stringify(begin)}\n`
  let at = begin.after.position
  const total = last.position - at
  while (at < last.position) {
    abort?.throwIfAborted()
    const range = { after: at, through: last.position, limit: READ_BATCH }
    const rows = await readLog(database, scope, (tx) => selectAuditRows(tx, scope, range))
    if (rows.length === 0) return
    for (const row of rows) yield `${lineOf(row)}\n`
    at = rows.at(-1)?.position ?? at
    onProgress?.(at - begin.after.position, total)
  }
}

/** A row as it stands, whether it is what was written or not: that is for whoever checks it. */
function lineOf(row: RawAuditRow): string {
  return JSON.stringify({ ...hashedFields({ ...row, details: detailsOf(row) }), hash: row.hash })
}
