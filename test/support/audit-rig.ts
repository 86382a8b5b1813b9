import { createHash } from "node:crypto"
import { AuditVerifier, createAuditSigner } from "../../src/audit/audit-keys.ts"
import { appendAudit } from "../../src/audit/append-audit.ts"
import type { AuditEntry } from "../../src/audit/audit-entry.ts"
import { type AuditLog, openAuditLog } from "../../src/audit/audit-door.ts"
import type { AuditKeys } from "../../src/audit/chain-writer.ts"
import type { Database } from "../../src/store/database.ts"
import { LATEST_TENANT_VERSION, migrateControl } from "../../src/store/migrate.ts"
import type { SchemaState } from "../../src/store/tenant-features.ts"
import { type Placement, type TenantScope, tenantScope } from "../../src/store/tenant-scope.ts"
import { withinTenant } from "../../src/store/within-tenant.ts"
import { provisionTenant } from "../../src/tenants/provision.ts"

/** Keys that are the same each time for one name. */
export function auditKeys(name = "the audit logs of the tests"): AuditKeys {
  const signer = createAuditSigner(createHash("sha256").update(name).digest())
  return { signer, verifier: new AuditVerifier([signer.publicKey]) }
}

/** A tenant with its audit log, without a fleet. */
export interface AuditRig {
  readonly scope: TenantScope
  readonly log: AuditLog
  /** Appends entries in a transaction of their own. */
  readonly append: (...entries: readonly AuditEntry[]) => Promise<void>
}

/** Makes a tenant and opens its log. */
export async function auditRig(
  database: Database,
  slug: string,
  { placement = "own", keys = auditKeys() }: { readonly placement?: Placement; readonly keys?: AuditKeys } = {},
): Promise<AuditRig> {
  await migrateControl(database)
  await provisionTenant(database, slug, { placement })
  const scope = tenantScope(slug, placement)
  const deps = {
    database,
    keys: async () => keys,
    placements: { findToRead: async () => ({ scope, schema: upToDate(scope) }) },
  }
  return {
    scope,
    log: openAuditLog(slug, () => deps),
    append: (...entries) => withinTenant(database, scope, (tx) => appendAudit(tx, scope, entries)),
  }
}

/** An entry that differs from others by its number. */
export function entry(n: number, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    action: "member.role.change",
    resource: `member:${n}`,
    actor: { kind: "user", id: `user-${n % 3}`, role: "owner" },
    details: { n },
    ...more,
  }
}

function upToDate({ slug }: TenantScope): SchemaState {
  return { slug, schemaVersion: LATEST_TENANT_VERSION, breakingVersion: 0 }
}
