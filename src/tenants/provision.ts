import type { Database } from "../store/database.ts"
import { LATEST_TENANT_VERSION, migrateTenant } from "../store/migrate.ts"
import { schemaOf } from "../guard/slug.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { insertTenant, lockTenant, markTenantReady, selectTenants, type TenantRecord } from "../store/tenants.ts"

/**
 * Creates a tenant, or completes one whose provisioning was cut short, or brings one that is behind up
 * to date: record, schema, migrations, ready. Safe to repeat and to run by several processes at once.
 *
 * @throws FleetPromptError `tenant_invalid`
 */
export async function provisionTenant(database: Database, slug: string): Promise<TenantRecord> {
  const scope = tenantScope(slug)
  await insertTenant(database, slug, schemaOf(slug))
  return database.transaction(async (tx) => {
    const tenant = await lockTenant(tx, slug)
    if (!tenant) throw new Error(`tenant ${slug} was removed while it was provisioned`)
    if (tenant.status === "ready" && tenant.schemaVersion >= LATEST_TENANT_VERSION) return tenant
    await migrateTenant(tx, scope, tenant.schemaVersion)
    await markTenantReady(tx, slug, LATEST_TENANT_VERSION)
    return { ...tenant, status: "ready", schemaVersion: LATEST_TENANT_VERSION }
  })
}

/** Completes every tenant that is not ready or is behind this release. */
export async function repairTenants(database: Database): Promise<void> {
  const tenants = await selectTenants(database)
  for (const { slug, status, schemaVersion } of tenants) {
    if (status !== "ready" || schemaVersion < LATEST_TENANT_VERSION) await provisionTenant(database, slug)
  }
}
