import { appendAudit } from "../audit/append-audit.ts"
import type { JsonObject } from "../signal/json.ts"
import { FleetPromptError } from "../errors.ts"
import type { Database, Transaction } from "../store/database.ts"
import {
  countOtherOwners,
  deleteMembership,
  insertMembership,
  type MemberRecord,
  type MemberRole,
  selectMember,
  selectMembers,
  updateMembership,
} from "../store/memberships.ts"
import { lockOrganisation } from "../store/organisations.ts"
import { selectOrganisationsOf, selectUser } from "../store/people.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { type Acting, type ActingOptions, isTrusted, system } from "./acting.ts"
import { checkedId, checkListLimit, checkRole } from "./person-fields.ts"

/** Which members of a list. */
export interface MemberListOptions {
  /** Only those after this one, by the order of their ids. */
  readonly after?: string
  /** How many, 1 to 500. Default 100. */
  readonly limit?: number
}

/** Some members, and where the next page begins. */
export interface MemberPage {
  readonly members: readonly MemberRecord[]
  /** The `after` of the next page; null after the last. */
  readonly next: string | null
}

/**
 * The people of one tenant. Everything that changes them is in the tenant's audit log, in the same commit, and holds
 * from the next request on.
 */
export interface TenantMembers {
  /** @throws FleetPromptError `tenant_unknown`, `query_invalid` */
  readonly list: (options?: MemberListOptions) => Promise<MemberPage>
  /** One, or undefined. */
  readonly get: (userId: string) => Promise<MemberRecord | undefined>
  /**
   * Makes a person a member who is known already; who is not yet gets an invitation. Who acts for themselves (`actingAs`)
   * adds people whom they know: those of an organisation that they are in too, and those of none. Others are invited.
   *
   * @throws FleetPromptError `member_exists`, `user_unknown`, `organisation_unknown`, `person_invalid`
   * @example
   * await fleet.tenant("acme").members.add(user.id, "member")
   */
  readonly add: (userId: string, role: MemberRole, options?: ActingOptions) => Promise<MemberRecord>
  /**
   * Gives a member another role.
   *
   * @throws FleetPromptError `member_unknown`, `last_owner` when nobody else would be an owner, `person_invalid`
   */
  readonly changeRole: (userId: string, role: MemberRole, options?: ActingOptions) => Promise<MemberRecord>
  /**
   * Ends a membership: of somebody else, or one's own.
   *
   * @throws FleetPromptError `member_unknown`, `last_owner`
   */
  readonly remove: (userId: string, options?: ActingOptions) => Promise<void>
}

/** What the people of a tenant are kept with. */
export interface MembersDeps {
  readonly database: Database
  /** Where the tenant's rows are. @throws FleetPromptError `tenant_unknown` */
  readonly scopeOf: (slug: string) => Promise<TenantScope>
}

/** The people of one tenant. */
export function openMembers(slug: string, deps: () => MembersDeps): TenantMembers {
  const within = async <Result>(run: (tx: Transaction, scope: TenantScope) => Promise<Result>): Promise<Result> => {
    const { database, scopeOf } = deps()
    const scope = await scopeOf(slug)
    return withinTenant(database, scope, (tx) => run(tx, scope))
  }
  return Object.freeze({
    list: async ({ after, limit }: MemberListOptions = {}) => {
      const most = checkListLimit(limit)
      const from = after === undefined ? undefined : checkedId(after)
      const members = await within((tx, scope) => selectMembers(tx, scope, from, most + 1))
      return {
        members: members.slice(0, most),
        next: members.length > most ? (members[most - 1]?.userId ?? null) : null,
      }
    },
    get: (userId: string) => within((tx, scope) => selectMember(tx, scope, checkedId(userId))),
    add: async (userId: string, role: MemberRole, { by = system }: ActingOptions = {}) => {
      const joining: Joining = { userId: checkedId(userId), role: checkRole(role), by }
      await activeUser(deps().database, joining.userId)
      await checkKnownTo(deps().database, slug, joining)
      return within((tx, scope) => addMember(tx, scope, joining))
    },
    changeRole: async (userId: string, role: MemberRole, { by = system }: ActingOptions = {}) => {
      const change: Joining = { userId: checkedId(userId), role: checkRole(role), by }
      return within((tx, scope) => changeRole(tx, scope, change))
    },
    remove: (userId: string, { by = system }: ActingOptions = {}) =>
      within((tx, scope) => removeMember(tx, scope, checkedId(userId), by)),
  })
}

interface Joining {
  readonly userId: string
  readonly role: MemberRole
  readonly by: Acting
}

/**
 * A member's name and address are shown to whoever adds them, and ids are no secrets: they stand in logs and addresses. So
 * somebody of another organisation is answered as if there were nobody with that id.
 *
 * @throws FleetPromptError `user_unknown`
 */
async function checkKnownTo(database: Database, slug: string, { userId, by }: Joining): Promise<void> {
  if (isTrusted(by)) return
  const theirs = await selectOrganisationsOf(database, userId)
  const { kind, id } = by.actor
  const own = kind === "user" ? await selectOrganisationsOf(database, checkedId(id)) : []
  const known = new Set([slug, ...own.map(({ tenant }) => tenant)])
  if (theirs.length > 0 && !theirs.some(({ tenant }) => known.has(tenant))) throw unknownUser()
}

async function addMember(tx: Transaction, scope: TenantScope, { userId, role, by }: Joining): Promise<MemberRecord> {
  await lockedOrganisation(tx, scope)
  by.authorise("members:add", { role })
  if (!(await insertMembership(tx, scope, userId, role)))
    throw new FleetPromptError(
      "member_exists",
      "expected a person who is no member yet, got one who is; change the role instead",
    )
  await note(tx, scope, "member.add", userId, by, { role })
  return memberOf(tx, scope, userId)
}

async function changeRole(tx: Transaction, scope: TenantScope, { userId, role, by }: Joining): Promise<MemberRecord> {
  await lockedOrganisation(tx, scope)
  const member = await memberOf(tx, scope, userId)
  // Neither an owner's role to be taken by an admin, nor to be given.
  by.authorise("members:change_role", { id: userId, role: member.role })
  by.authorise("members:change_role", { id: userId, role })
  if (member.role === role) return member
  if (member.role === "owner") await checkOwnerLeft(tx, scope, userId)
  await updateMembership(tx, scope, userId, role)
  await note(tx, scope, "member.role.change", userId, by, { from: member.role, to: role })
  return { ...member, role }
}

/** Ends a membership, in the caller's transaction. */
export async function removeMember(tx: Transaction, scope: TenantScope, userId: string, by: Acting): Promise<void> {
  await lockedOrganisation(tx, scope)
  const member = await memberOf(tx, scope, userId)
  by.authorise("members:remove", { id: userId, belongsTo: userId, role: member.role })
  if (member.role === "owner") await checkOwnerLeft(tx, scope, userId)
  await deleteMembership(tx, scope, userId)
  await note(tx, scope, "member.remove", userId, by, { role: member.role })
}

/** Whoever changes the people of a tenant takes turns. @throws FleetPromptError `organisation_unknown` */
export async function lockedOrganisation(tx: Transaction, scope: TenantScope): Promise<string> {
  const organisation = await lockOrganisation(tx, scope)
  if (organisation) return organisation.name
  throw new FleetPromptError(
    "organisation_unknown",
    `expected a tenant with an organisation, "${scope.slug}" has none; call fleet.organisations.create for it first`,
  )
}

/** @throws FleetPromptError `last_owner` */
async function checkOwnerLeft(tx: Transaction, scope: TenantScope, userId: string): Promise<void> {
  if ((await countOtherOwners(tx, scope, userId)) > 0) return
  throw new FleetPromptError(
    "last_owner",
    "expected another owner who stays, this is the only one; make somebody else an owner first",
  )
}

/** @throws FleetPromptError `user_unknown` */
export async function activeUser(database: Database, userId: string): Promise<void> {
  const user = await selectUser(database, userId)
  if (user?.status !== "active") throw unknownUser()
}

function unknownUser(): FleetPromptError {
  return new FleetPromptError(
    "user_unknown",
    "expected the id of a person who is known and not disabled, got another; create them or send an invitation",
  )
}

async function memberOf(tx: Transaction, scope: TenantScope, userId: string): Promise<MemberRecord> {
  const member = await selectMember(tx, scope, userId)
  if (member) return member
  throw new FleetPromptError("member_unknown", "expected the id of a member of this tenant, got another; list them")
}

/** Notes what was done to a member, in the same transaction. */
export function note(
  tx: Transaction,
  scope: TenantScope,
  action: string,
  userId: string,
  { actor }: Acting,
  details: JsonObject,
): Promise<void> {
  return appendAudit(tx, scope, [{ action, resource: `member:${userId}`, actor, details }])
}
