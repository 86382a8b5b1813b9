import { PLATFORM } from "../guard/slug.ts"
import type { Queryable } from "./database.ts"
import { quoteName, SHARED_SCHEMA } from "./tenant-scope.ts"

/** A schema that looks like a tenant's and that no tenant has. */
export interface OrphanSchema {
  readonly name: string
  readonly tables: number
}

/** Schemas of one tenant's own that no tenant has, and that no move has left on purpose. */
export async function selectOrphanSchemas(tx: Queryable): Promise<readonly OrphanSchema[]> {
  return tx.query<OrphanSchema>(
    `/* selectOrphanSchemas */ select nspname::text as name,
       (select count(*)::integer from pg_class where relnamespace = pg_namespace.oid and relkind in ('r', 'p')) as tables
     from pg_namespace
     where (nspname like 'org\\_%' or nspname like 'moved\\_%')
       and not exists (
         select from fleetprompt.tenants where schema_name = nspname and status not in ('deleted', 'elsewhere'))
       and not exists (select from fleetprompt.kept_placements where schema_name = nspname)
       and not exists (select from fleetprompt.arrivals where nspname = 'org_' || tenant)
       and not exists (
         select from fleetprompt.tenant_operations as operation
         where operation.status in ('waiting', 'running') and nspname = 'org_' || operation.tenant)
     order by nspname`,
  )
}

/** A tenant that is not as it should be. */
export interface OddTenant {
  readonly slug: string
  readonly schemaName: string
  readonly status: string
  readonly schemaVersion: number
  readonly hasSchema: boolean
  readonly holdsDeliveries: boolean
  /** Nothing is being done to it. */
  readonly isIdle: boolean
  /** For how long it has been as it is, milliseconds. */
  readonly forMs: number
}

/** Tenants without their schema, behind a version, or in the middle of something that nobody does. */
export async function selectOddTenants(tx: Queryable, latest: number): Promise<readonly OddTenant[]> {
  return tx.query<OddTenant>(
    `/* selectOddTenants */ select * from (
       select slug, schema_name as "schemaName", status, schema_version as "schemaVersion",
         to_regnamespace(quote_ident(schema_name)) is not null as "hasSchema", holds_deliveries as "holdsDeliveries",
         not exists (
           select from fleetprompt.tenant_operations as operation
           where operation.tenant = slug and operation.status in ('waiting', 'running')) as "isIdle",
         (extract(epoch from clock_timestamp() - changed_at) * 1000)::float8 as "forMs"
       from fleetprompt.tenants where status not in ('deleted', 'elsewhere') and slug <> '${PLATFORM}'
     ) as tenant
     where not "hasSchema" or "schemaVersion" < $1 or status in ('provisioning', 'failed')
       or ("isIdle" and (status in ('moving', 'deleting') or "holdsDeliveries"))
     order by slug`,
    [latest],
  )
}

/** Rows of somebody who is no tenant here. */
export interface StrayRows {
  readonly schemaName: string
  readonly table: string
  readonly tenant: string
  readonly rows: number
}

/** Most strangers that are told of one table. */
const MAX_STRANGERS = 100

/** Rows in a table that belong to no tenant, or to one whose rows are elsewhere and were not left here on purpose. */
export async function selectStrayRows(tx: Queryable, schemaName: string, table: string): Promise<readonly StrayRows[]> {
  const isShared = schemaName === SHARED_SCHEMA
  const rows = await tx.query<{ tenant: string; rows: number }>(
    `/* selectStrayRows */ select found.tenant, count(*)::float8 as rows
     from ${quoteName(schemaName)}.${quoteName(table)} as found
     where found.tenant <> '*' and not exists (
       select from fleetprompt.tenants as home
       where home.slug = found.tenant and home.status <> 'deleted'
         and (not $1::boolean or (home.placement = 'shared' and home.status <> 'elsewhere')))
     and not ($1::boolean and (
       exists (select from fleetprompt.kept_placements as kept where kept.tenant = found.tenant and kept.placement = 'shared')
       or exists (select from fleetprompt.arrivals as arrival where arrival.tenant = found.tenant)
       or exists (
         select from fleetprompt.tenant_operations as operation
         where operation.tenant = found.tenant and operation.status in ('waiting', 'running'))))
     group by found.tenant order by found.tenant limit ${MAX_STRANGERS}`,
    [isShared],
  )
  return rows.map((row) => ({ schemaName, table, ...row }))
}
