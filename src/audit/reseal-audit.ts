import type { AuditScope } from "../store/audit-intake.ts"
import { insertAuditIntake } from "../store/audit-intake.ts"
import {
  insertAuditHead,
  lockAuditHead,
  selectAuditEnds,
  selectAuditRows,
  selectAuditTime,
  updateAuditHead,
} from "../store/audit-log.ts"
import type { Database, Queryable } from "../store/database.ts"
import { CHAIN_START, type ChainPlace } from "./audit-chain.ts"
import { type AuditActor, auditRecord } from "./audit-entry.ts"
import { makeHead } from "./audit-head.ts"
import type { AuditKeys } from "./chain-writer.ts"
import type { AuditReport } from "./verify-audit.ts"

/** On whose word, and why. */
export interface ResealOptions {
  readonly by: AuditActor
  readonly reason: string
}

/** Findings that are written into the log. */
const MAX_KEPT = 20

/**
 * Signs a log as it stands, so that it goes on: after the first key was given to a fleet, after a key was lost, or when
 * what was found was looked into. It mends nothing: what is wrong with the rows stays so, and is found again. The log
 * says who resealed it, why, and what a check had found just before.
 */
export async function resealAudit(
  scope: AuditScope,
  database: Pick<Database, "owner">,
  { signer }: AuditKeys,
  found: AuditReport,
  options: ResealOptions,
): Promise<void> {
  await database.owner.transaction(async (tx) => {
    const locked = await lockAuditHead(tx, scope)
    const now = locked?.now ?? (await selectAuditTime(tx))
    const { base, last } = await placesOfRows(tx, scope)
    const head = makeHead({ tenant: scope.slug, base, last, now }, signer)
    if (locked) await updateAuditHead(tx, scope, head)
    else await insertAuditHead(tx, scope, head)
    await insertAuditIntake(tx, [resealEntry(scope.slug, found, options)])
  })
}

/** Where the rows begin and end by themselves. Without rows what the head says is all there is. */
async function placesOfRows(
  tx: Queryable,
  scope: AuditScope,
): Promise<{ readonly base: ChainPlace; readonly last: ChainPlace }> {
  const { head, first, last } = await selectAuditEnds(tx, scope)
  if (first === null || last === null) {
    const place = head ? { position: head.position, hash: head.hash } : CHAIN_START
    return { base: place, last: place }
  }
  const [begin] = await selectAuditRows(tx, scope, { after: first - 1, through: first, limit: 1 })
  const [end] = await selectAuditRows(tx, scope, { after: last - 1, through: last, limit: 1 })
  return {
    base: begin ? { position: first - 1, hash: begin.previousHash } : CHAIN_START,
    last: end ?? CHAIN_START,
  }
}

function resealEntry(tenant: string, found: AuditReport, { by, reason }: ResealOptions) {
  const { findings, findingCount, rows } = found
  return auditRecord(tenant, {
    action: "audit.reseal",
    resource: "audit_log",
    actor: by,
    details: { reason, rows, findingCount, findings: findings.slice(0, MAX_KEPT).map(({ message }) => message) },
  })
}
