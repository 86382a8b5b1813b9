import { FleetPromptError } from "../errors.ts"
import {
  adoptAuditIntake,
  type AuditScope,
  PLATFORM_LOG,
  PLATFORM_SCOPE,
  selectAuditWaiting,
  takeAuditIntake,
} from "../store/audit-intake.ts"
import {
  insertAuditHead,
  insertAuditRows,
  lockAuditHead,
  lockAuditTenant,
  selectAuditTime,
  type LockedHead,
  updateAuditHead,
} from "../store/audit-log.ts"
import type { Database, Queryable } from "../store/database.ts"
import { tenantFeatures } from "../store/tenant-features.ts"
import type { TenantStatus } from "../store/tenants.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { linkEntries, rawRow } from "./audit-chain.ts"
import { forwardAudit } from "./forward-audit.ts"
import { type AuditHead, checkHead, type HeadState, makeHead, placesOf } from "./audit-head.ts"
import type { AuditSigner, AuditVerifier } from "./audit-keys.ts"

/** Who signs the heads of logs, and whose signatures are believed. */
export interface AuditKeys {
  /** Undefined: heads are not signed. */
  readonly signer: AuditSigner | undefined
  /** Trusts the signer's own key and those that signed before it. */
  readonly verifier: AuditVerifier
}

/** What a chain is written with. */
export interface ChainDeps {
  readonly database: Pick<Database, "transaction">
  /** Is asked each time, and remembers by itself. */
  readonly keys: () => Promise<AuditKeys>
  /** The other databases of the fleet. Default: there are none. */
  readonly logs?: AuditCells
}

/** Where the logs are that are not in this database. */
export interface AuditCells {
  /** The database of this name. @throws FleetPromptError `cell_unknown`, `database_unreachable` */
  readonly find: (cell: string) => Pick<Database, "transaction">
  /** The name of the one with the platform's own log; undefined: it is this one. */
  readonly platform: string | undefined
}

/** Most entries that get their places in one transaction. */
const BATCH = 500

/**
 * Gives the entries of one log that wait in the intake their places in its chain, until none waits. While its tenant
 * is moved or migrated they wait on; those of a log in another database are passed on to it.
 *
 * The row in `audit_heads` is the authority: it says where the chain ends, and whoever holds its lock is the one
 * writer. A transaction takes entries out of the intake, adds their rows and moves the head on, signed anew. So no
 * entry gets two places or none, and two processes never write two rows behind the same one. A head whose
 * signature is not good is never built on: signing what stands before it would make a forgery look genuine.
 *
 * @param log slug of the tenant, or `PLATFORM_LOG`.
 * @returns how many.
 * @throws FleetPromptError `audit_broken`
 */
export async function chainAudit(log: string, { database, keys, logs }: ChainDeps): Promise<number> {
  if (log === PLATFORM_LOG && logs?.platform !== undefined) return forwardAudit(log, database, logs.find(logs.platform))
  let chained = 0
  while (true) {
    const known = await keys()
    const count = await database.transaction(
      async (tx) => {
        const home = await homeOf(tx, log)
        if (home === undefined) return 0
        return "cell" in home ? home.cell : chainBatch(tx, home, known)
      },
      { role: "engine" },
    )
    if (typeof count === "string") return logs ? forwardAudit(log, database, logs.find(count)) : chained
    chained += count
    if (count < BATCH) return chained
  }
}

/** States in which a tenant's tables are there and stay where they are. */
const WRITABLE: ReadonlySet<TenantStatus> = new Set(["ready", "suspended", "deleting", "failed"])

/**
 * Where a log may be written until the transaction ends, or which other database has it; undefined while it may not,
 * and its entries wait. What is left of a tenant that has gone becomes the platform's.
 */
async function homeOf(tx: Queryable, log: string): Promise<AuditScope | { readonly cell: string } | undefined> {
  if (log === PLATFORM_LOG) return PLATFORM_SCOPE
  const tenant = await lockAuditTenant(tx, log)
  if (!tenant || tenant.status === "deleted") {
    await adoptAuditIntake(tx, log)
    return undefined
  }
  if (tenant.cell !== null) return { cell: tenant.cell }
  const isWritable = WRITABLE.has(tenant.status) && tenant.schemaVersion >= tenantFeatures.audit
  return isWritable ? tenantScope(log, tenant.placement) : undefined
}

async function chainBatch(tx: Queryable, scope: AuditScope, { signer, verifier }: AuditKeys): Promise<number> {
  const tenant = scope.slug
  const locked = await lockedHead(tx, scope, signer)
  if (!locked) return 0
  const { head, now } = locked
  requireGoodHead({ ...head, tenant }, { signer, verifier })
  const entries = await takeAuditIntake(tx, scope, BATCH)
  if (entries.length === 0) return 0
  const { base, last } = placesOf(head)
  const rows = linkEntries(tenant, last, entries)
  await insertAuditRows(tx, scope, rows.map(rawRow))
  await updateAuditHead(tx, scope, makeHead({ tenant, base, last: rows.at(-1) ?? last, now }, signer))
  return entries.length
}

/** Locks the head. Where there is none it is made for the first entry; undefined while that has not come. */
async function lockedHead(
  tx: Queryable,
  scope: AuditScope,
  signer: AuditSigner | undefined,
): Promise<LockedHead | undefined> {
  const locked = await lockAuditHead(tx, scope)
  if (locked) return locked
  if ((await selectAuditWaiting(tx, scope)).count === 0) return undefined
  await insertAuditHead(tx, scope, makeHead({ tenant: scope.slug, now: await selectAuditTime(tx) }, signer))
  const made = await lockAuditHead(tx, scope)
  if (!made) throw new Error(`the head of the audit log of ${scope.slug} went away while it was made`)
  return made
}

const CAME: Readonly<Record<HeadState, string>> = {
  good: "a signed one",
  unsigned: "one without a signature",
  unknown_key: "one of a key that this process does not know",
  forged: "a wrong signature",
}

/**
 * Whoever signs builds on what was signed; whoever has no key builds on what nobody signed.
 *
 * @throws FleetPromptError `audit_broken`
 */
export function requireGoodHead(head: AuditHead, { signer, verifier }: AuditKeys): void {
  const state = checkHead(head, verifier)
  if (signer ? state === "good" : state === "unsigned") return
  throw new FleetPromptError(
    "audit_broken",
    `expected ${signer ? "a signature of a trusted key" : "no signature, since this process has no key"} at the head of the audit log of ${head.tenant}, got ${CAME[state]}; its new entries wait: look with fleetprompt audit verify, then give the process its keys or run fleetprompt audit reseal`,
  )
}
