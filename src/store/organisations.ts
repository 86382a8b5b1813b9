import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** An organisation: whose a tenant is. */
export interface OrganisationRecord {
  /** Slug of its tenant. */
  readonly tenant: string
  /** For people. */
  readonly name: string
  readonly createdAt: Date
}

const COLUMNS = `tenant, name, created_at as "createdAt"`

/** Records an organisation; undefined when the tenant has one. */
export async function insertOrganisation(
  tx: Queryable,
  scope: TenantScope,
  name: string,
): Promise<OrganisationRecord | undefined> {
  const [row] = await tx.query<OrganisationRecord>(
    `/* insertOrganisation */ insert into fleetprompt.organisations (tenant, name) values ($1, $2)
     on conflict do nothing returning ${COLUMNS}`,
    [scope.slug, name],
  )
  return row
}

/** A tenant's organisation, or undefined. */
export async function selectOrganisation(tx: Queryable, scope: TenantScope): Promise<OrganisationRecord | undefined> {
  const [row] = await tx.query<OrganisationRecord>(
    `/* selectOrganisation */ select ${COLUMNS} from fleetprompt.organisations where tenant = $1`,
    [scope.slug],
  )
  return row
}

/** As `selectOrganisation`, locked until the transaction ends: whoever changes its people takes turns on it. */
export async function lockOrganisation(tx: Queryable, scope: TenantScope): Promise<OrganisationRecord | undefined> {
  const [row] = await tx.query<OrganisationRecord>(
    `/* lockOrganisation */ select ${COLUMNS} from fleetprompt.organisations where tenant = $1 for update`,
    [scope.slug],
  )
  return row
}

/** Gives a tenant's organisation another name; undefined when there is none. */
export async function updateOrganisation(
  tx: Queryable,
  scope: TenantScope,
  name: string,
): Promise<OrganisationRecord | undefined> {
  const [row] = await tx.query<OrganisationRecord>(
    `/* updateOrganisation */ update fleetprompt.organisations set name = $2 where tenant = $1 returning ${COLUMNS}`,
    [scope.slug, name],
  )
  return row
}
