import type { Queryable } from "./database.ts"

/** A tenant as the control schema has it. */
export interface TenantRecord {
  readonly slug: string
  readonly schemaName: string
  /** provisioning: recorded, its schema is not complete; ready: may be used. */
  readonly status: "provisioning" | "ready"
  /** Number of the last migration its schema has. */
  readonly schemaVersion: number
}

const COLUMNS = `slug, schema_name as "schemaName", status, schema_version as "schemaVersion"`

/** Records a tenant as provisioning; leaves one that is there as it is. */
export async function insertTenant(tx: Queryable, slug: string, schemaName: string): Promise<void> {
  await tx.query(
    `insert into fleetprompt.tenants (slug, schema_name, status) values ($1, $2, 'provisioning') on conflict do nothing`,
    [slug, schemaName],
  )
}

/** One tenant, locked until the transaction ends, so that two provisioners take turns. */
export async function lockTenant(tx: Queryable, slug: string): Promise<TenantRecord | undefined> {
  const [row] = await tx.query<TenantRecord>(`select ${COLUMNS} from fleetprompt.tenants where slug = $1 for update`, [
    slug,
  ])
  return row
}

/** Notes that a tenant's schema is complete up to a migration. */
export async function markTenantReady(tx: Queryable, slug: string, schemaVersion: number): Promise<void> {
  await tx.query(
    `update fleetprompt.tenants set status = 'ready', schema_version = $2, ready_at = coalesce(ready_at, now()) where slug = $1`,
    [slug, schemaVersion],
  )
}

/** All tenants by slug. */
export async function selectTenants(tx: Queryable): Promise<readonly TenantRecord[]> {
  return tx.query<TenantRecord>(`select ${COLUMNS} from fleetprompt.tenants order by slug`)
}

/** One tenant, or undefined. */
export async function selectTenant(tx: Queryable, slug: string): Promise<TenantRecord | undefined> {
  const [row] = await tx.query<TenantRecord>(`select ${COLUMNS} from fleetprompt.tenants where slug = $1`, [slug])
  return row
}
