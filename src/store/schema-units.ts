import { FleetPromptError } from "../errors.ts"
import { PLATFORM } from "../guard/slug.ts"
import type { Queryable, Transaction } from "./database.ts"
import { ALL } from "./pauses.ts"
import { engineScope, SHARED_SCHEMA, schemaName, type TenantScope } from "./tenant-scope.ts"

/** What is migrated as one: a tenant's own schema, or the schema that small tenants share. */
export interface SchemaUnit {
  /** The tenant's slug, or `*` for all tenants of the shared schema. */
  readonly tenant: string
  /** Name of the schema, not quoted. */
  readonly schemaName: string
  /** Whose tables its migrations make. */
  readonly scope: TenantScope
}

/**
 * The unit of a tenant with a schema of its own, or with `*` of those that share one.
 *
 * @throws FleetPromptError `tenant_invalid`
 */
export function schemaUnit(tenant: string): SchemaUnit {
  const isShared = tenant === ALL
  // The shared tables name no tenant, so any slug does.
  const scope = isShared ? engineScope(PLATFORM, "shared") : engineScope(tenant)
  return { tenant, schemaName: schemaName(scope.slug, scope.placement), scope }
}

/** A unit whose schema is not what this release makes. */
export interface BehindUnit {
  readonly tenant: string
  readonly version: number
  /** Whether its schema was complete once. */
  readonly isReady: boolean
}

/**
 * Units that are behind a version or were never completed, by name. Not the platform itself, tenants that are gone, nor
 * those that are on their way to another placement.
 *
 * @param tenant only this one, or `*` for the shared schema.
 * @param unfinishedForMs one that was not completed counts only when nothing happened to it for so long.
 */
export async function selectBehind(
  tx: Queryable,
  version: number,
  tenant?: string,
  unfinishedForMs = 0,
): Promise<readonly BehindUnit[]> {
  return tx.query<BehindUnit>(
    `/* selectBehind */ select case placement when 'shared' then '${ALL}' else slug end as tenant,
       min(schema_version) as version, bool_and(status <> 'provisioning') as "isReady"
     from fleetprompt.tenants
     where (schema_version < $1 or status = 'provisioning') and status not in ('deleted', 'moving', 'elsewhere') and slug <> '${PLATFORM}'
       and ($2::text is null or case placement when 'shared' then '${ALL}' else slug end = $2)
       and (status <> 'provisioning' or changed_at <= clock_timestamp() - $3::float8 * interval '1 millisecond')
     group by 1 order by 1`,
    [version, tenant ?? null, unfinishedForMs],
  )
}

/** Whether a tenant is being provisioned, to which something happened within this time. */
export async function selectIsProvisioning(tx: Queryable, withinMs: number): Promise<boolean> {
  const [row] = await tx.query<{ isSo: boolean }>(
    `/* selectIsProvisioning */ select exists (
       select from fleetprompt.tenants
       where status = 'provisioning' and changed_at > clock_timestamp() - $1::float8 * interval '1 millisecond'
     ) as "isSo"`,
    [withinMs],
  )
  return row?.isSo === true
}

/** Two processes that migrate the shared schema take turns on this lock; the number is arbitrary and must stay. */
const SHARED_LOCK = 2_316_151_410

/**
 * Locks a unit until the transaction ends, so that two who migrate it take turns.
 *
 * @returns the version of its schema; undefined when there is no such tenant, or none with a schema of its own.
 * @throws FleetPromptError `tenant_moving`
 */
export async function lockUnit(tx: Transaction, { tenant }: SchemaUnit): Promise<number | undefined> {
  if (tenant === ALL) {
    // As a script, because a script may wait for minutes and a query is given up after seconds.
    await tx.script(`select pg_advisory_xact_lock(${SHARED_LOCK})`)
    return sharedVersion(tx)
  }
  const [row] = await tx.query<{ version: number; isMoving: boolean }>(
    `/* lockUnit */ select schema_version as version, status = 'moving' as "isMoving" from fleetprompt.tenants
     where slug = $1 and placement = 'own' and status not in ('deleted', 'elsewhere') for update`,
    [tenant],
  )
  if (row?.isMoving)
    throw new FleetPromptError(
      "tenant_moving",
      `expected tenant "${tenant}" to stay where it is while its schema is migrated, it is being moved; try again when it has arrived`,
    )
  return row?.version
}

/** The shared schema's version stands in its own comment, since it belongs to no tenant. */
async function sharedVersion(tx: Queryable): Promise<number> {
  const [row] = await tx.query<{ comment: string | null }>(
    `/* selectSharedVersion */ select obj_description(to_regnamespace($1)::oid, 'pg_namespace') as comment`,
    [SHARED_SCHEMA],
  )
  return Number(row?.comment ?? 0)
}

/** What a unit's schema came to. */
export interface UnitVersion {
  readonly version: number
  /** The last breaking migration that it has, 0 for none. */
  readonly breaking: number
  /** Whether nothing is missing that was asked for, so that a tenant that was being provisioned may be used. */
  readonly isComplete: boolean
}

/**
 * The tenants of the unit `$1`, locked by their names, so that two who change them all do not wait for each other.
 *
 * @param changing a condition for those that are changed at all.
 */
function lockedTenants(changing: string): string {
  return `slug = any (array(
      select slug from fleetprompt.tenants
      where case $1::text when '${ALL}' then placement = 'shared' else slug = $1::text end and status <> 'elsewhere' and (${changing})
      order by slug for update))`
}

/** Notes the version of a unit's schema, for all tenants of the unit. */
export async function updateUnitVersion(
  tx: Transaction,
  { tenant, scope }: SchemaUnit,
  { version, breaking, isComplete }: UnitVersion,
): Promise<void> {
  if (tenant === ALL) await tx.script(`comment on schema ${scope.schema} is '${version}'`)
  await tx.query(
    `/* updateUnitVersion */ update fleetprompt.tenants set schema_version = $2,
       breaking_version = greatest(breaking_version, $3),
       status = case when $4 and status = 'provisioning' then 'ready' else status end,
       ready_at = case when $4 then coalesce(ready_at, now()) else ready_at end
     where ${lockedTenants("schema_version <> $2 or breaking_version < $3 or ($4 and (status = 'provisioning' or ready_at is null))")}`,
    [tenant, version, breaking, isComplete],
  )
}

/** Holds back the deliveries of a unit's tenants, since a migration failed. */
export async function quarantine(tx: Queryable, tenant: string, reason: string): Promise<void> {
  await tx.query(
    `/* quarantine */ update fleetprompt.tenants set quarantined_at = coalesce(quarantined_at, now()), quarantine_reason = $2,
       holds_deliveries = true
     where ${lockedTenants("true")}`,
    [tenant, reason],
  )
}

/**
 * Lets the deliveries of a unit's tenants go on.
 *
 * @returns whether they were held back.
 */
export async function endQuarantine(tx: Queryable, tenant: string): Promise<boolean> {
  const rows = await tx.query(
    `/* endQuarantine */ update fleetprompt.tenants set quarantined_at = null, quarantine_reason = null, holds_deliveries = false
     where ${lockedTenants("quarantined_at is not null")}
     returning slug`,
    [tenant],
  )
  return rows.length > 0
}
