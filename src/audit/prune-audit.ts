import { FleetPromptError } from "../errors.ts"
import type { AuditScope } from "../store/audit-intake.ts"
import { deleteAuditRows, lockAuditHead, selectAuditRows, updateAuditHead } from "../store/audit-log.ts"
import { insertAuditIntake } from "../store/audit-intake.ts"
import type { Database, Queryable } from "../store/database.ts"
import type { ChainPlace } from "./audit-chain.ts"
import { type AuditActor, auditRecord } from "./audit-entry.ts"
import { type AuditHead, makeHead, placesOf } from "./audit-head.ts"
import { type AuditKeys, requireGoodHead } from "./chain-writer.ts"

/** What is pruned, and on whose word. */
export interface PruneOptions {
  /**
   * The last row to be removed, by its position and hash as the archive has them: so nobody removes what they do not
   * have elsewhere.
   */
  readonly through: ChainPlace
  /** Who decided. */
  readonly by: AuditActor
  /** Where the archive is, for people; kept in the log. */
  readonly archive: string
}

/** Rows that one transaction removes. */
const BATCH = 10_000

/**
 * Removes the oldest rows of a log. Each transaction signs a head that says where the log begins from then on, with the
 * hash of the last row that went, so that a check begins there; and the log says who removed what.
 *
 * @returns how many rows were removed.
 * @throws FleetPromptError `audit_broken`, `data_invalid` when the log has another row there
 */
export async function pruneAudit(
  scope: AuditScope,
  database: Pick<Database, "owner">,
  keys: AuditKeys,
  options: PruneOptions,
): Promise<number> {
  let removed = 0
  while (true) {
    const head = await database.owner.transaction((tx) => pruneBatch(tx, scope, keys, options))
    removed += head.removed
    if (head.base >= options.through.position) return removed
  }
}

interface Pruned {
  readonly base: number
  readonly removed: number
}

async function pruneBatch(tx: Queryable, scope: AuditScope, keys: AuditKeys, options: PruneOptions): Promise<Pruned> {
  const { through } = options
  const locked = await lockAuditHead(tx, scope)
  const head: AuditHead | undefined = locked && { ...locked.head, tenant: scope.slug }
  if (!head || !locked || through.position > head.position) throw otherRow(through)
  requireGoodHead(head, keys)
  const { base, last } = placesOf(head)
  if (through.position <= base.position) return { base: base.position, removed: 0 }
  await requireRow(tx, scope, through)
  const next = await placeAt(tx, scope, Math.min(base.position + BATCH, through.position))
  const removed = await deleteAuditRows(tx, scope, next.position)
  await updateAuditHead(tx, scope, makeHead({ tenant: scope.slug, base: next, last, now: locked.now }, keys.signer))
  await insertAuditIntake(tx, [pruneEntry(scope.slug, base.position + 1, next, options)])
  return { base: next.position, removed }
}

function pruneEntry(tenant: string, from: number, { position, hash }: ChainPlace, { by, archive }: PruneOptions) {
  return auditRecord(tenant, {
    action: "audit.prune",
    resource: "audit_log",
    actor: by,
    details: { from, through: position, hash, archive },
  })
}

async function requireRow(tx: Queryable, scope: AuditScope, through: ChainPlace): Promise<void> {
  const { hash } = await placeAt(tx, scope, through.position)
  if (hash !== through.hash) throw otherRow(through)
}

async function placeAt(tx: Queryable, scope: AuditScope, position: number): Promise<ChainPlace> {
  const [row] = await selectAuditRows(tx, scope, { after: position - 1, through: position, limit: 1 })
  if (!row) throw otherRow({ position })
  return row
}

function otherRow({ position }: Pick<ChainPlace, "position">): FleetPromptError {
  return new FleetPromptError(
    "data_invalid",
    `expected row ${position} of the audit log as the archive has it, the log has another or none; export the log, check both, and prune by the new export`,
  )
}
