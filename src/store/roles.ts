import { FleetPromptError } from "../errors.ts"
import type { DatabaseRole, Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Sees the rows of the tenants that a transaction names, no others. */
export const TENANT_ROLE = "fleetprompt_tenant"
/** Sees the platform's own tables, and of tenants' tables no contents. */
export const ENGINE_ROLE = "fleetprompt_engine"

/** The setting with which a session begins in a role. */
export function sessionRole(role: "engine"): string {
  return `-c role=${roleName(role)} -c search_path=pg_catalog,pg_temp`
}

/** The role's name in Postgres; `none` stands for the login. */
function roleName(role: DatabaseRole): string {
  if (role === "login") return "none"
  return role === "engine" ? ENGINE_ROLE : TENANT_ROLE
}

/**
 * What a transaction begins with, so that its statements run in a role until it ends, and find no function or operator
 * but those of Postgres. It reads nothing, so that the isolation level may still be chosen. Slugs need no escaping in a literal: only `tenantScope` makes scopes.
 */
export function takeRole(role: DatabaseRole): string {
  const taken = `set local role ${roleName(role)}`
  if (role === "login") return taken
  const safely = `${taken}; set local search_path = pg_catalog, pg_temp`
  return role === "engine" ? safely : `${safely}; set local fleetprompt.tenants = '${slugsOf(role.tenants)}'`
}

/** What an owner's transaction begins with: rows of all tenants are open to migrations. */
export const TAKE_OWNERSHIP = "set local role none; set local fleetprompt.owner = 'on'"

/** As the walls read it. */
function slugsOf(scopes: readonly TenantScope[]): string {
  return scopes.map(({ slug }) => slug).join()
}

/** Whether the session's login may take a role of `pg_roles`. From Postgres 16 on a membership may be without that. */
export const MAY_TAKE = `case when current_setting('server_version_num')::integer >= 160000
         then pg_has_role(session_user, oid, 'SET') else pg_has_role(session_user, oid, 'MEMBER') end`

interface Before {
  readonly role: string
  readonly tenants: string | null
  readonly path: string
}

/**
 * Runs statements on one tenant's rows within a transaction that somebody else opened, whoever it runs for: takes the
 * tenant's role and puts back what was before.
 *
 * @throws FleetPromptError `transaction_unsupported` when the transaction's login may not take the role
 * @example
 * await database.transaction((tx) => asTenant(tx, scope, () => appendAudit(tx, scope, entries)))
 */
export async function asTenant<Result>(
  tx: Queryable,
  scope: TenantScope,
  run: (tx: Queryable) => Promise<Result>,
): Promise<Result> {
  const before = await takeTenantRole(tx, scope)
  try {
    return await run(tx)
  } finally {
    // In a transaction that failed nothing can be said any more; taking it back puts the role back.
    await putBackRole(tx, before).catch(() => undefined)
  }
}

async function takeTenantRole(tx: Queryable, scope: TenantScope): Promise<Before> {
  // Asked before it is taken, since an error would end the caller's transaction.
  const [row] = await tx.query<Before & { readonly taken: string | null }>(
    `/* takeTenantRole */ select before.role, before.tenants, before.path,
       case when before.may then set_config('role', '${TENANT_ROLE}', true) end as taken,
       case when before.may then set_config('fleetprompt.tenants', $1::text, true) end as named,
       case when before.may then set_config('search_path', 'pg_catalog, pg_temp', true) end as searched
     from (
       select current_setting('role') as role, current_setting('fleetprompt.tenants', true) as tenants,
         current_setting('search_path') as path,
         (select ${MAY_TAKE} from pg_roles where rolname = '${TENANT_ROLE}') as may
       offset 0
     ) as before`,
    [scope.slug],
  )
  if (row && row.taken === TENANT_ROLE) return row
  throw new FleetPromptError(
    "transaction_unsupported",
    `expected a transaction whose login may take the role ${TENANT_ROLE}, this one's may not; run as the owner: grant ${TENANT_ROLE} to that login`,
  )
}

async function putBackRole(tx: Queryable, { role, tenants, path }: Before): Promise<void> {
  await tx.query(
    `/* putBackRole */ select set_config('role', $1::text, true), set_config('fleetprompt.tenants', $2::text, true),
       set_config('search_path', $3::text, true)`,
    [role, tenants ?? "", path],
  )
}
