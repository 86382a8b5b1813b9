import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** A caller of a tenant that is no person: a program, a machine. */
export interface ServiceAccountRecord {
  readonly id: string
  /** One of its own in the tenant. */
  readonly name: string
  /** The most that its keys may. */
  readonly role: "owner" | "admin" | "member"
  /** Whether its keys work. */
  readonly enabled: boolean
  /** Who made it, `kind:id`. */
  readonly createdBy: string | null
  readonly createdAt: Date
}

/** A service account to be recorded. */
export type NewServiceAccount = Pick<ServiceAccountRecord, "id" | "name" | "role" | "createdBy">

/** What of an account may change; what is left out stays. */
export type ServiceAccountChange = Partial<Pick<ServiceAccountRecord, "name" | "role" | "enabled">>

const COLUMNS = `id, name, role, enabled, created_by as "createdBy", created_at as "createdAt"`

/** Records an account; undefined when the tenant has one of that name, or as many as it may. */
export async function insertServiceAccount(
  tx: Queryable,
  scope: TenantScope,
  { id, name, role, createdBy }: NewServiceAccount,
  limit: number,
): Promise<ServiceAccountRecord | undefined> {
  const [row] = await tx.query<ServiceAccountRecord>(
    `/* insertServiceAccount */ insert into fleetprompt.service_accounts (tenant, id, name, role, created_by)
     select $1, $2::text::uuid, $3, $4, $5
     where (select count(*) from fleetprompt.service_accounts where tenant = $1) < $6::integer
     on conflict do nothing returning ${COLUMNS}`,
    [scope.slug, id, name, role, createdBy, limit],
  )
  return row
}

/** A tenant's accounts by name. */
export function selectServiceAccounts(tx: Queryable, scope: TenantScope): Promise<readonly ServiceAccountRecord[]> {
  return tx.query<ServiceAccountRecord>(
    `/* selectServiceAccounts */ select ${COLUMNS} from fleetprompt.service_accounts where tenant = $1 order by name`,
    [scope.slug],
  )
}

/** One account, or undefined; locked until the transaction ends. */
export async function lockServiceAccount(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<ServiceAccountRecord | undefined> {
  const [row] = await tx.query<ServiceAccountRecord>(
    `/* lockServiceAccount */ select ${COLUMNS} from fleetprompt.service_accounts
     where tenant = $1 and id = $2::text::uuid for update`,
    [scope.slug, id],
  )
  return row
}

/** Changes an account that the caller has locked. @returns the account as it is now */
export async function updateServiceAccount(
  tx: Queryable,
  scope: TenantScope,
  id: string,
  { name, role, enabled }: ServiceAccountChange,
): Promise<ServiceAccountRecord> {
  const [row] = await tx.query<ServiceAccountRecord>(
    `/* updateServiceAccount */ update fleetprompt.service_accounts
     set name = coalesce($3, name), role = coalesce($4, role), enabled = coalesce($5::boolean, enabled)
     where tenant = $1 and id = $2::text::uuid returning ${COLUMNS}`,
    [scope.slug, id, name ?? null, role ?? null, enabled ?? null],
  )
  // It is locked, so it is there.
  return row as ServiceAccountRecord
}

/** Removes an account. @returns whether there was one */
export async function deleteServiceAccount(tx: Queryable, scope: TenantScope, id: string): Promise<boolean> {
  const rows = await tx.query(
    `/* deleteServiceAccount */ delete from fleetprompt.service_accounts
     where tenant = $1 and id = $2::text::uuid returning id`,
    [scope.slug, id],
  )
  return rows.length > 0
}
