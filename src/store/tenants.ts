import { PLATFORM } from "../guard/slug.ts"
import type { Queryable } from "./database.ts"
import type { Placement } from "./tenant-scope.ts"

/** How much of the workers a tenant gets while others want them too. */
export type TenantClass = "standard" | "premium" | "enterprise"

/**
 * What a tenant may be. provisioning: recorded, its schema is not complete; ready: may be used; suspended: nothing comes
 * in and nothing is run; moving: as suspended, while its rows are copied; deleting: as suspended, until `deleteAfter`;
 * deleted: its rows are gone; failed: somebody has to look; elsewhere: its rows are in another database of the fleet.
 */
export type TenantStatus =
  | "provisioning"
  | "ready"
  | "suspended"
  | "moving"
  | "deleting"
  | "deleted"
  | "failed"
  | "elsewhere"

/** A tenant as the control schema has it. */
export interface TenantRecord {
  readonly slug: string
  readonly schemaName: string
  readonly placement: Placement
  readonly class: TenantClass
  readonly status: TenantStatus
  /** Why it is not ready, for people. */
  readonly statusReason: string | null
  /** Its deliveries are not claimed, whatever its status is. */
  readonly holdsDeliveries: boolean
  /** Number of the last migration its schema has. */
  readonly schemaVersion: number
  /** The last migration that its schema has after which older releases cannot work with it; 0 when there is none. */
  readonly breakingVersion: number
  /** Why its deliveries are held back: a migration of its schema failed. */
  readonly quarantineReason: string | null
  /** Grows with each move that turns the order of signals into another. */
  readonly generation: number
  /** When its rows are removed, while it is `deleting`. */
  readonly deleteAfter: Date | null
  /** From when on the slug of a deleted tenant may be taken. */
  readonly freeAfter: Date | null
  /** The further database of the fleet that has its rows, by name; null: the first one. */
  readonly cell: string | null
}

/** A tenant to be recorded. */
export type NewTenant = Pick<TenantRecord, "slug" | "schemaName" | "placement" | "class">

const COLUMNS = `slug, schema_name as "schemaName", placement, class, status, status_reason as "statusReason",
  holds_deliveries as "holdsDeliveries", schema_version as "schemaVersion",
  breaking_version as "breakingVersion", quarantine_reason as "quarantineReason", generation, delete_after as "deleteAfter",
  free_after as "freeAfter", cell`

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

/** Which tenants of a list; what is left out asks for nothing. */
export interface TenantPlace {
  /** Only those behind this slug. */
  readonly after?: string | undefined
  readonly limit?: number | undefined
}

/** Tenants by slug, without the platform itself. */
export async function selectTenants(
  tx: Queryable,
  { after, limit }: TenantPlace = {},
): Promise<readonly TenantRecord[]> {
  return tx.query<TenantRecord>(
    `/* selectTenants */ select ${COLUMNS} from fleetprompt.tenants
     where slug <> '${PLATFORM}' and ($1::text is null or slug > $1::text) order by slug limit $2::integer`,
    [after ?? null, limit ?? null],
  )
}

/** One tenant, or undefined. */
export async function selectTenant(tx: Queryable, slug: string): Promise<TenantRecord | undefined> {
  const [row] = await tx.query<TenantRecord>(
    `/* selectTenant */ select ${COLUMNS} from fleetprompt.tenants where slug = $1`,
    [slug],
  )
  return row
}

/**
 * Tenants that changed within so long, by the database's clock.
 *
 * @param withinMs a little more than the time since it was last asked, for what was changed then and committed later.
 */
export async function selectChangedTenants(tx: Queryable, withinMs: number): Promise<readonly TenantRecord[]> {
  return tx.query<TenantRecord>(
    `/* selectChangedTenants */ select ${COLUMNS} from fleetprompt.tenants
     where changed_at > clock_timestamp() - $1::float8 * interval '1 millisecond'`,
    [withinMs],
  )
}

/** A change of a tenant's status. What is left out stays as it is. */
export interface TenantChange {
  readonly from: readonly TenantStatus[]
  readonly to: TenantStatus
  readonly reason?: string | null
  /** Kept, to go back to. */
  readonly statusBefore?: TenantStatus | null
  /** For `deleting`: how long from now, milliseconds. */
  readonly deleteInMs?: number
  /** For `deleted`: how long the slug is kept back, milliseconds. */
  readonly freeInMs?: number
}

/**
 * Changes a tenant's status, when it is one of those that are expected.
 *
 * @returns undefined when it is not.
 */
export async function changeTenantStatus(
  tx: Queryable,
  slug: string,
  { from, to, reason = null, statusBefore = null, deleteInMs, freeInMs }: TenantChange,
): Promise<TenantRecord | undefined> {
  const [row] = await tx.query<TenantRecord>(
    `/* changeTenantStatus */ update fleetprompt.tenants set status = $3, status_reason = $4, status_before = $5,
       suspended_at = case when $3 = 'suspended' then coalesce(suspended_at, now()) when $3 = 'ready' then null else suspended_at end,
       delete_after = case when $3 = 'deleting' then now() + $6::float8 * interval '1 millisecond' end,
       deleted_at = case when $3 = 'deleted' then now() end,
       free_after = case when $3 = 'deleted' then now() + $7::float8 * interval '1 millisecond' end
     where slug = $1 and status in (select json_array_elements_text($2::text::json))
     returning ${COLUMNS}`,
    [slug, JSON.stringify(from), to, reason, statusBefore, deleteInMs ?? null, freeInMs ?? null],
  )
  return row
}

/** What a tenant was before it was moved or was to be deleted. */
export async function selectStatusBefore(tx: Queryable, slug: string): Promise<TenantStatus | undefined> {
  const [row] = await tx.query<{ before: TenantStatus | null }>(
    `/* selectStatusBefore */ select status_before as before from fleetprompt.tenants where slug = $1`,
    [slug],
  )
  return row?.before ?? undefined
}

/** Whether a tenant's deliveries are claimed. */
export async function holdDeliveries(tx: Queryable, slug: string, isHeld: boolean): Promise<void> {
  await tx.query(`/* holdDeliveries */ update fleetprompt.tenants set holds_deliveries = $2 where slug = $1`, [
    slug,
    isHeld,
  ])
}

/** Gives a tenant that is being moved, or made anew, another place. */
export async function placeTenant(
  tx: Queryable,
  slug: string,
  { schemaName, placement }: Pick<TenantRecord, "schemaName" | "placement">,
  schemaVersion: number,
): Promise<void> {
  await tx.query(
    `/* placeTenant */ update fleetprompt.tenants set schema_name = $2, placement = $3, schema_version = $4 where slug = $1`,
    [slug, schemaName, placement, schemaVersion],
  )
}

/** A deleted tenant whose slug is free again is recorded anew. @returns whether it was. */
export async function reviveTenant(tx: Queryable, tenant: NewTenant): Promise<boolean> {
  const rows = await tx.query(
    `/* reviveTenant */ update fleetprompt.tenants
     set status = 'provisioning', schema_name = $2, placement = $3, class = $4, schema_version = 0, status_reason = null,
       status_before = null, deleted_at = null, free_after = null, suspended_at = null, holds_deliveries = false,
       generation = generation + 1, created_at = now(), ready_at = null
     where slug = $1 and status = 'deleted' and free_after <= now() returning slug`,
    [tenant.slug, tenant.schemaName, tenant.placement, tenant.class],
  )
  return rows.length > 0
}
