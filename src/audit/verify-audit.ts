import { PLATFORM_LOG, type PLATFORM_SCOPE, selectAuditWaiting } from "../store/audit-intake.ts"
import { type AuditEnds, selectAuditEnds, selectAuditHead, selectAuditRows } from "../store/audit-log.ts"
import type { Database, Queryable } from "../store/database.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { CHAIN_START } from "./audit-chain.ts"
import { type AuditHead, checkHead, placesOf } from "./audit-head.ts"
import type { AuditVerifier } from "./audit-keys.ts"
import { type AuditFinding, ChainWalk, Findings, noteAnchorsBeyond, noteHead, usableAnchors } from "./chain-check.ts"

/** How a log is checked. */
export interface VerifyOptions {
  /** Heads that were kept elsewhere: every row up to theirs must be as it was then. */
  readonly anchors?: readonly AuditHead[]
  /** Is told now and then how many rows were checked, and how many there are. */
  readonly onProgress?: (checked: number, total: number) => void
  /** Ends it early; it throws the signal's reason. */
  readonly abort?: AbortSignal
}

/** What a check found. */
export interface AuditReport {
  /** Slug of the tenant, or `*` for the platform's own log. */
  readonly tenant: string
  /** Whether nothing is wrong. */
  readonly ok: boolean
  /** Whether the log ends in a head that a trusted key signed; without, whoever can write to the database can rewrite it. */
  readonly signed: boolean
  /** How many rows were checked. */
  readonly rows: number
  /** Where the log begins and ends; undefined when it has no head. */
  readonly head: AuditHead | undefined
  /** Entries that have no place in the chain yet. */
  readonly waiting: number
  /** How many things are wrong. */
  readonly findingCount: number
  /** The first 100 of them. */
  readonly findings: readonly AuditFinding[]
}

/** What a log is read with. */
export interface ReaderDeps {
  readonly database: Pick<Database, "transaction">
}

/** Rows of one statement. */
export const READ_BATCH = 1_000
/** From when on an entry that waits is a finding: a chainer looks once a second. */
const STUCK_MS = 60_000

/** A scope that was made by `tenantScope`, or the platform's. */
export type LogScope = TenantScope | typeof PLATFORM_SCOPE

/** Reads a log: a tenant's within its walls. */
export function readLog<Result>(
  database: ReaderDeps["database"],
  scope: LogScope,
  run: (tx: Queryable) => Promise<Result>,
): Promise<Result> {
  return isTenant(scope) ? withinTenant(database, scope, run) : database.transaction(run, { role: "engine" })
}

/** Whether it is a tenant's. */
export function isTenant(scope: LogScope): scope is TenantScope {
  return scope.slug !== PLATFORM_LOG
}

/**
 * Checks a whole log: every row's hash, that each follows the one before, and that they end where the signed head says.
 * It reads 1,000 rows at a time, each time in a transaction of its own, so that a long log takes neither memory nor a
 * long snapshot; entries may be added meanwhile.
 */
export async function verifyAudit(
  scope: LogScope,
  deps: ReaderDeps,
  verifier: AuditVerifier,
  options: VerifyOptions = {},
): Promise<AuditReport> {
  const findings = new Findings()
  const anchors = usableAnchors(scope.slug, options.anchors ?? [], verifier, findings)
  const begin = await readLog(deps.database, scope, (tx) => selectAuditHead(tx, scope))
  const base = begin ? placesOf(begin).base : CHAIN_START
  const walk = new ChainWalk(scope.slug, base, findings, anchors)
  const ends = await walkToEnd(walk, begin?.position ?? 0, scope, deps, options)
  // Rows were pruned or the first was written meanwhile: what was not met is not missing.
  if (ends.head && ends.head.basePosition !== base.position) return verifyAudit(scope, deps, verifier, options)
  const head = ends.head && { ...ends.head, tenant: scope.slug }
  noteEnds(ends, walk, findings)
  if (head) {
    noteHead(head, verifier, findings)
    noteAnchorsBeyond(placesOf(head).last, anchors, findings)
  }
  const waiting = await readWaiting(scope, deps, findings)
  return {
    tenant: scope.slug,
    ok: findings.count === 0,
    signed: head !== undefined && checkHead(head, verifier) === "good",
    rows: walk.checked,
    head,
    waiting,
    findingCount: findings.count,
    findings: findings.kept,
  }
}

/** Walks until the end that the log has by then. */
async function walkToEnd(
  walk: ChainWalk,
  to: number,
  scope: LogScope,
  { database }: ReaderDeps,
  options: VerifyOptions,
): Promise<AuditEnds> {
  let through = to
  while (true) {
    while (await walkOn(walk, through, scope, database, options));
    const ends = await readLog(database, scope, (tx) => selectAuditEnds(tx, scope))
    const end = ends.head?.position ?? ends.last ?? 0
    if (end <= through) return ends
    through = end
  }
}

/** Looks at the next rows; false when there are none. */
async function walkOn(
  walk: ChainWalk,
  through: number,
  scope: LogScope,
  database: ReaderDeps["database"],
  { abort, onProgress }: VerifyOptions,
): Promise<boolean> {
  abort?.throwIfAborted()
  const range = { after: walk.last.position, through, limit: READ_BATCH }
  const rows = await readLog(database, scope, (tx) => selectAuditRows(tx, scope, range))
  for (const row of rows) walk.add(row)
  if (rows.length > 0) onProgress?.(walk.checked, walk.checked + Math.max(0, through - walk.last.position))
  return rows.length > 0
}

/** Compares the rows that were met with what the head says, and with all there are. */
function noteEnds({ head, first, last, rows }: AuditEnds, walk: ChainWalk, findings: Findings): void {
  if (!head) {
    if (rows > 0) findings.add("head_missing", null, `there are ${rows} rows and no head`)
    return
  }
  walk.end(placesOf(head).last)
  if (last !== null && last > head.position)
    findings.add("added", head.position + 1, `rows up to ${last} stand behind the end, which is ${head.position}`)
  if (first !== null && first <= head.basePosition)
    findings.add("misplaced", first, `row ${first} stands before the first, which is ${head.basePosition + 1}`)
  else if (rows > walk.checked && last === head.position)
    findings.add("misplaced", null, `there are ${rows} rows for ${walk.checked} places`)
}

async function readWaiting(scope: LogScope, { database }: ReaderDeps, findings: Findings): Promise<number> {
  const { count, waitedMs } = await database.transaction((tx) => selectAuditWaiting(tx, scope), { role: "engine" })
  if (waitedMs > STUCK_MS)
    findings.add(
      "stuck",
      null,
      `${count} entries wait for their places, the first for ${Math.round(waitedMs / 1_000)} s`,
    )
  return count
}
