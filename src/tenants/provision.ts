import type { Database } from "../store/database.ts"
import { LATEST_TENANT_VERSION, migrateShared, migrateTenant } from "../store/migrate.ts"
import {
  insertTenant,
  lockTenant,
  markTenantReady,
  selectTenants,
  type TenantClass,
  type TenantRecord,
} from "../store/tenants.ts"
import { type Placement, schemaName, tenantScope } from "../store/tenant-scope.ts"

/** How a tenant is created. A tenant that is there keeps what it has. */
export interface ProvisionOptions {
  /** own: a schema of its own, the default; shared: the schema that small tenants share. */
  readonly placement?: Placement
  /** How much of the workers it gets while others want them too. Default `standard`. */
  readonly class?: TenantClass
}

/**
 * Creates a tenant, or completes one whose provisioning was cut short, or brings one that is behind up
 * to date: record, schema, migrations, ready. Safe to repeat and to run by several processes at once.
 *
 * @throws FleetPromptError `tenant_invalid`
 */
export async function provisionTenant(
  database: Database,
  slug: string,
  { placement = "own", class: tenantClass = "standard" }: ProvisionOptions = {},
): Promise<TenantRecord> {
  tenantScope(slug)
  await insertTenant(database, { slug, schemaName: schemaName(slug, placement), placement, class: tenantClass })
  return database.transaction(async (tx) => {
    const tenant = await lockTenant(tx, slug)
    if (!tenant) throw new Error(`tenant ${slug} was removed while it was provisioned`)
    if (tenant.status === "ready" && tenant.schemaVersion >= LATEST_TENANT_VERSION) return tenant
    const scope = tenantScope(slug, tenant.placement)
    if (tenant.placement === "shared") await migrateShared(tx, scope)
    else await migrateTenant(tx, scope, tenant.schemaVersion)
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
