import { appendAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import type { Database, Transaction } from "../store/database.ts"
import { insertMembership } from "../store/memberships.ts"
import {
  insertOrganisation,
  type OrganisationRecord,
  selectOrganisation,
  updateOrganisation,
} from "../store/organisations.ts"
import { updateChosenTenant } from "../store/people.ts"
import { selectTenant, type TenantClass, type TenantRecord } from "../store/tenants.ts"
import { type Placement, type TenantScope, tenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { type Acting, type ActingOptions, system } from "./acting.ts"
import { activeUser, type MembersDeps, note } from "./members.ts"
import { checkedId, checkName } from "./person-fields.ts"

/** An organisation to be made. */
export interface NewOrganisation {
  /** The slug of its tenant, for good. */
  readonly tenant: string
  /** For people. */
  readonly name: string
  /** Id of the person who is to be its first owner. */
  readonly ownerId: string
  /**
   * new: its tenant is made with it, and must not be there; existing: it gets the people of a tenant that was
   * provisioned before, with all that is in it. Default `new`, so that nobody gets hold of what is there by its slug.
   */
  readonly of?: "new" | "existing"
  /** Of a new tenant. Default `own`. */
  readonly placement?: Placement
  /** Of a new tenant. Default `standard`. */
  readonly class?: TenantClass
  /** Of a new tenant: the database of the fleet that it is to be in. Default `main`. */
  readonly cell?: string
}

/** Organisations: whose the tenants are. */
export interface Organisations {
  /**
   * Makes an organisation with its tenant and its first owner. When it was cut short, the tenant is completed by
   * `fleet.tenants.provision`.
   *
   * @throws FleetPromptError `tenant_invalid`, `person_invalid`, `organisation_exists`, `user_unknown`; for an existing
   * tenant `tenant_unknown`
   * @example
   * const owner = await fleet.people.create({ email: "anna@example.com", name: "Anna" })
   * await fleet.organisations.create({ tenant: "acme", name: "Acme", ownerId: owner.id })
   */
  readonly create: (organisation: NewOrganisation, options?: ActingOptions) => Promise<OrganisationRecord>
}

/** The organisation of one tenant. */
export interface TenantOrganisation {
  /** Undefined when the tenant has none: it is used by the host application alone. */
  readonly get: () => Promise<OrganisationRecord | undefined>
  /** Gives it another name; the slug stays. @throws FleetPromptError `organisation_unknown`, `person_invalid` */
  readonly rename: (name: string, options?: ActingOptions) => Promise<OrganisationRecord>
}

/** What organisations are made with. */
export interface OrganisationsDeps extends MembersDeps {
  /** Makes a tenant or completes one; see `fleet.tenants.provision`. */
  readonly provision: (
    slug: string,
    options: { readonly placement?: Placement; readonly class?: TenantClass; readonly cell?: string },
  ) => Promise<TenantRecord>
}

/** The organisations of a fleet. */
export function openOrganisations(deps: () => OrganisationsDeps): Organisations {
  return Object.freeze({
    create: async (wanted: NewOrganisation, { by = system }: ActingOptions = {}) => {
      const { database, provision, scopeOf } = deps()
      const { placement, class: tenantClass, cell, of = "new" } = wanted
      const organisation = { ...wanted, name: checkName(wanted.name), ownerId: checkedId(wanted.ownerId), of }
      tenantScope(organisation.tenant)
      await activeUser(database, organisation.ownerId)
      if (of === "existing") await scopeOf(organisation.tenant)
      const made = await database.transaction((tx) => create(tx, organisation, by))
      if (of === "new") {
        await provision(organisation.tenant, {
          ...(placement !== undefined && { placement }),
          ...(tenantClass !== undefined && { class: tenantClass }),
          ...(cell !== undefined && { cell }),
        })
      }
      return made
    },
  })
}

/** The slug is taken by whoever's transaction commits first; the tenant is made after that. */
async function create(
  tx: Transaction,
  { tenant, name, ownerId, of }: Required<Pick<NewOrganisation, "tenant" | "name" | "ownerId" | "of">>,
  by: Acting,
): Promise<OrganisationRecord> {
  const scope = tenantScope(tenant)
  const organisation = await insertOrganisation(tx, scope, name)
  if (!organisation || (of === "new" && isTaken(await selectTenant(tx, tenant)))) {
    throw new FleetPromptError(
      "organisation_exists",
      `expected a slug that is free, "${tenant}" is taken; choose another`,
    )
  }
  await insertMembership(tx, scope, ownerId, "owner")
  await updateChosenTenant(tx, ownerId, tenant)
  await appendAudit(tx, scope, [
    { action: "organisation.create", resource: `organisation:${tenant}`, actor: by.actor, details: { name } },
  ])
  await note(tx, scope, "member.add", ownerId, by, { role: "owner" })
  return organisation
}

/** The slug of a tenant that was deleted long enough ago is free. */
function isTaken(tenant: TenantRecord | undefined): boolean {
  if (!tenant) return false
  return tenant.status !== "deleted" || tenant.freeAfter === null || tenant.freeAfter > new Date()
}

/** The organisation of one tenant. */
export function openOrganisation(slug: string, deps: () => MembersDeps): TenantOrganisation {
  const within = async <Result>(
    run: (tx: Transaction, scope: TenantScope) => Promise<Result>,
    { database, scopeOf }: { readonly database: Database; readonly scopeOf: MembersDeps["scopeOf"] } = deps(),
  ): Promise<Result> => {
    const scope = await scopeOf(slug)
    return withinTenant(database, scope, (tx) => run(tx, scope))
  }
  return Object.freeze({
    get: () => within(selectOrganisation),
    rename: async (name: string, { by = system }: ActingOptions = {}) => {
      const checked = checkName(name)
      return within((tx, scope) => rename(tx, scope, checked, by))
    },
  })
}

async function rename(tx: Transaction, scope: TenantScope, name: string, by: Acting): Promise<OrganisationRecord> {
  by.authorise("organisations:change", {})
  const organisation = await updateOrganisation(tx, scope, name)
  if (!organisation)
    throw new FleetPromptError(
      "organisation_unknown",
      `expected a tenant with an organisation, "${scope.slug}" has none`,
    )
  await appendAudit(tx, scope, [
    { action: "organisation.rename", resource: `organisation:${scope.slug}`, actor: by.actor, details: { name } },
  ])
  return organisation
}
