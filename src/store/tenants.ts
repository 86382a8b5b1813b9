import type { Queryable } from "./database.ts"
import type { Placement } from "./tenant-scope.ts"

/** How much of the workers a tenant gets while others want them too. */
export type TenantClass = "standard" | "premium" | "enterprise"

/** A tenant as the control schema has it. */
export interface TenantRecord {
  readonly slug: string
  readonly schemaName: string
  readonly placement: Placement
  readonly class: TenantClass
  /** provisioning: recorded, its schema is not complete; ready: may be used. */
  readonly status: "provisioning" | "ready"
  /** Number of the last migration its schema has. */
  readonly schemaVersion: number
}

/** A tenant to be recorded. */
export type NewTenant = Pick<TenantRecord, "slug" | "schemaName" | "placement" | "class">

const COLUMNS = `slug, schema_name as "schemaName", placement, class, status, schema_version as "schemaVersion"`

/** Records a tenant as provisioning; leaves one that is there as it is. */
export async function insertTenant(tx: Queryable, tenant: NewTenant): Promise<void> {
  await tx.query(
    `/* insertTenant */ insert into fleetprompt.tenants (slug, schema_name, placement, class, status)
     values ($1, $2, $3, $4, 'provisioning') on conflict do nothing`,
    [tenant.slug, tenant.schemaName, tenant.placement, tenant.class],
  )
}

/** One tenant, locked until the transaction ends, so that two provisioners take turns. */
export async function lockTenant(tx: Queryable, slug: string): Promise<TenantRecord | undefined> {
  const [row] = await tx.query<TenantRecord>(
    `/* lockTenant */ select ${COLUMNS} from fleetprompt.tenants where slug = $1 for update`,
    [slug],
  )
  return row
}

/** Notes that a tenant's schema is complete up to a migration. */
export async function markTenantReady(tx: Queryable, slug: string, schemaVersion: number): Promise<void> {
  await tx.query(
    `/* markTenantReady */ update fleetprompt.tenants
     set status = 'ready', schema_version = $2, ready_at = coalesce(ready_at, now()) where slug = $1`,
    [slug, schemaVersion],
  )
}

/** Gives a tenant another class. */
export async function updateTenantClass(tx: Queryable, slug: string, tenantClass: TenantClass): Promise<void> {
  await tx.query(`/* updateTenantClass */ update fleetprompt.tenants set class = $2 where slug = $1`, [
    slug,
    tenantClass,
  ])
}

/** All tenants by slug. */
export async function selectTenants(tx: Queryable): Promise<readonly TenantRecord[]> {
  return tx.query<TenantRecord>(`/* selectTenants */ select ${COLUMNS} from fleetprompt.tenants order by slug`)
}

/** One tenant, or undefined. */
export async function selectTenant(tx: Queryable, slug: string): Promise<TenantRecord | undefined> {
  const [row] = await tx.query<TenantRecord>(
    `/* selectTenant */ select ${COLUMNS} from fleetprompt.tenants where slug = $1`,
    [slug],
  )
  return row
}
