import type { Queryable } from "./database.ts"
import type { NewTenant } from "./tenants.ts"

/** The name of the first database of a fleet, in which it stands where each tenant's rows are. */
export const MAIN_CELL = "main"

/** Notes in the directory that a new tenant's rows are to be in another database; leaves a tenant that is there as it is. */
export async function insertElsewhere(tx: Queryable, tenant: NewTenant, cell: string): Promise<void> {
  await tx.query(
    `/* insertElsewhere */ insert into fleetprompt.tenants (slug, schema_name, placement, class, status, cell)
     values ($1, $2, $3, $4, 'elsewhere', $5) on conflict do nothing`,
    [tenant.slug, tenant.schemaName, tenant.placement, tenant.class, cell],
  )
}

/** As `insertElsewhere`, for a tenant that was deleted here and whose slug is free again. @returns whether it was. */
export async function reviveElsewhere(tx: Queryable, tenant: NewTenant, cell: string): Promise<boolean> {
  const rows = await tx.query(
    `/* reviveElsewhere */ update fleetprompt.tenants
     set status = 'elsewhere', cell = $5, schema_name = $2, placement = $3, class = $4, schema_version = 0,
       status_reason = null, status_before = null, deleted_at = null, free_after = null, suspended_at = null,
       holds_deliveries = false, generation = generation + 1, created_at = now(), ready_at = null
     where slug = $1 and status = 'deleted' and free_after <= now() returning slug`,
    [tenant.slug, tenant.schemaName, tenant.placement, tenant.class, cell],
  )
  return rows.length > 0
}
