import { insertAuditIntake, PLATFORM_LOG } from "../store/audit-intake.ts"
import type { Queryable } from "../store/database.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { type AuditEntry, auditRecord } from "./audit-entry.ts"

/**
 * Adds entries to a tenant's audit log, in the caller's transaction: they are kept if and only if it commits. One
 * statement, which waits for nobody; the entries get their places in the chain within about a second after the commit,
 * and before anybody reads the log.
 *
 * @throws FleetPromptError `data_invalid` for an action that is no dotted name, `data_not_json`, `data_too_deep`
 * @example
 * await withinTenant(database, scope, async (tx) => {
 *   await updateMemberRole(tx, scope, member, "admin")
 *   await appendAudit(tx, scope, [{ action: "member.role.change", resource: `member:${member}`, actor, details: { to: "admin" } }])
 * })
 */
export async function appendAudit(tx: Queryable, scope: TenantScope, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length > 0)
    await insertAuditIntake(
      tx,
      entries.map((entry) => auditRecord(scope.slug, entry)),
    )
}

/**
 * Adds entries to the platform's own log: what operators do to the platform, and what happens to a tenant before it is
 * there or after it has gone. As `appendAudit`, but not inside `withinTenant`, whose walls keep it out.
 */
export async function appendPlatformAudit(tx: Queryable, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length > 0)
    await insertAuditIntake(
      tx,
      entries.map((entry) => auditRecord(PLATFORM_LOG, entry)),
    )
}
