import { appendPlatformAudit } from "../audit/append-audit.ts"
import type { AuditEntry } from "../audit/audit-entry.ts"
import { FleetPromptError } from "../errors.ts"
import { newId } from "../signal/id.ts"
import type { Queryable, Transaction } from "../store/database.ts"
import { countOtherOwners } from "../store/memberships.ts"
import {
  deleteIdentity,
  deleteUser,
  hasUsers,
  type Identity,
  insertIdentity,
  insertUser,
  lockOrganisationsOf,
  lockUser,
  type OwnOrganisation,
  selectIdentities,
  selectOrganisationsOf,
  selectUser,
  selectUserByEmail,
  selectUsers,
  updateUser,
  type UserChange,
  type UserRecord,
} from "../store/people.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { accept, type AcceptedInvitation, readInvitation, type ShownInvitation } from "./accept-invitation.ts"
import { type Acting, type ActingOptions, system } from "./acting.ts"
import { type MembersDeps, removeMember } from "./members.ts"
import { checkedId, checkEmail, checkListLimit, checkName } from "./person-fields.ts"
import type { Principal } from "./principal.ts"
import { type SignedIn, userOfSignIn } from "./signed-in.ts"
import { chooseTenant, type PrincipalOptions, principalOf } from "./standing.ts"

/** A person to be made. */
export interface NewPerson {
  readonly email: string
  readonly name: string
  /** Whether they are one of the platform's own people, who may look into every tenant, on record. Default false. */
  readonly isOperator?: boolean
}

/** What of a person may change; what is left out stays. */
export type PersonChange = Partial<Pick<NewPerson, "email" | "name">>

/** Which people of a list. */
export interface PeopleListOptions {
  /** Only those after this one, by the order of their ids. */
  readonly after?: string
  /** How many, 1 to 500. Default 100. */
  readonly limit?: number
}

/**
 * The people of all organisations: who they are, by what they sign in, and what they are where. For the program that
 * runs the fleet: nothing here is checked against policies. What is privileged is in the platform's audit log.
 */
export interface People {
  /** @throws FleetPromptError `person_invalid`, `user_exists` when the address is somebody's */
  readonly create: (person: NewPerson, options?: ActingOptions) => Promise<UserRecord>
  /** One, or undefined. */
  readonly get: (userId: string) => Promise<UserRecord | undefined>
  /** The one with an address, or undefined. */
  readonly find: (email: string) => Promise<UserRecord | undefined>
  /** By the order of their ids. @throws FleetPromptError `query_invalid` */
  readonly list: (options?: PeopleListOptions) => Promise<readonly UserRecord[]>
  /** Whether nobody is known yet. */
  readonly areNone: () => Promise<boolean>
  /** @throws FleetPromptError `user_unknown`, `user_exists`, `person_invalid` */
  readonly change: (userId: string, change: PersonChange, options?: ActingOptions) => Promise<UserRecord>
  /**
   * Makes a person nobody, anywhere, from the next request on; `enable` takes it back.
   *
   * @throws FleetPromptError `user_unknown`, `last_owner` when an organisation has no other owner
   */
  readonly disable: (userId: string, options?: ActingOptions) => Promise<UserRecord>
  /** @throws FleetPromptError `user_unknown` */
  readonly enable: (userId: string, options?: ActingOptions) => Promise<UserRecord>
  /** Makes somebody one of the platform's own people, or takes it back. @throws FleetPromptError `user_unknown` */
  readonly setOperator: (userId: string, isOperator: boolean, options?: ActingOptions) => Promise<UserRecord>
  /**
   * Removes a person from all organisations and for good. Audit logs keep the id.
   *
   * @throws FleetPromptError `user_unknown`, `last_owner` when an organisation has no other owner
   */
  readonly remove: (userId: string, options?: ActingOptions) => Promise<void>
  /**
   * The person of a sign-in that a provider vouches for: the one with that identity, else the one with that verified
   * address, else a new one.
   *
   * @throws FleetPromptError `identity_conflict` when the address is somebody's and the provider did not verify it,
   * `forbidden` for somebody disabled, `person_invalid`
   */
  readonly signedIn: (signedIn: SignedIn) => Promise<UserRecord>
  /** Lets a person sign in by this too. @throws FleetPromptError `identity_conflict` when it is somebody else's, `user_unknown` */
  readonly link: (userId: string, identity: Identity, options?: ActingOptions) => Promise<void>
  /** Takes a way to sign in away. @returns whether there was one. */
  readonly unlink: (userId: string, identity: Identity, options?: ActingOptions) => Promise<boolean>
  /** By what a person signs in. */
  readonly identities: (userId: string) => Promise<readonly Identity[]>
  /** The organisations that a person is in, by slug. */
  readonly organisationsOf: (userId: string) => Promise<readonly OwnOrganisation[]>
  /**
   * Remembers in which organisation a person works from now on; undefined: in none.
   *
   * @throws FleetPromptError `not_found` when they are not in it, whether it exists or not
   */
  readonly choose: (userId: string, tenant: string | undefined) => Promise<void>
  /**
   * What a person who has signed in is at this moment: call it for each request. The tenant is the wanted one, else
   * the one they chose, else their only one, else none.
   *
   * @returns undefined when nobody active has this id.
   * @throws FleetPromptError `not_found` when they are not in the wanted tenant, whether it exists or not
   */
  readonly principalOf: (userId: string, options?: PrincipalOptions) => Promise<Principal | undefined>
  /** The invitation of a token while it may be accepted, or undefined: for the page that asks its holder to join. */
  readonly invitationOf: (token: string) => Promise<ShownInvitation | undefined>
  /**
   * Makes a person a member by an invitation's token.
   *
   * @throws FleetPromptError `invitation_invalid`, `forbidden` for somebody with another address, `user_unknown`
   */
  readonly accept: (token: string, userId: string) => Promise<AcceptedInvitation>
}

/** The people of a fleet. */
export function openPeople(deps: () => MembersDeps): People {
  const inTransaction = <Result>(run: (tx: Transaction) => Promise<Result>): Promise<Result> =>
    deps().database.transaction(run)
  const changed = async (userId: string, change: UserChange, action: string, by: Acting): Promise<UserRecord> =>
    inTransaction((tx) => changeUser(tx, checkedId(userId), change, action, by))
  return Object.freeze({
    create: (person: NewPerson, { by = system }: ActingOptions = {}) => inTransaction((tx) => create(tx, person, by)),
    get: async (userId: string) => selectUser(deps().database, checkedId(userId)),
    find: async (email: string) => selectUserByEmail(deps().database, checkEmail(email)),
    list: async ({ after, limit }: PeopleListOptions = {}) =>
      selectUsers(deps().database, after === undefined ? undefined : checkedId(after), checkListLimit(limit)),
    areNone: async () => !(await hasUsers(deps().database)),
    change: async (userId: string, { email, name }: PersonChange, { by = system }: ActingOptions = {}) => {
      const change = {
        ...(email !== undefined && { email: checkEmail(email) }),
        ...(name !== undefined && { name: checkName(name) }),
      }
      return changed(userId, change, "user.change", by)
    },
    disable: async (userId: string, { by = system }: ActingOptions = {}) =>
      changed(userId, { status: "disabled" }, "user.disable", by),
    enable: async (userId: string, { by = system }: ActingOptions = {}) =>
      changed(userId, { status: "active" }, "user.enable", by),
    setOperator: async (userId: string, isOperator: boolean, { by = system }: ActingOptions = {}) =>
      changed(userId, { isOperator }, isOperator ? "operator.add" : "operator.remove", by),
    remove: async (userId: string, { by = system }: ActingOptions = {}) =>
      inTransaction((tx) => remove(tx, checkedId(userId), by)),
    signedIn: async (signedIn: SignedIn) => inTransaction((tx) => userOfSignIn(tx, signedIn)),
    link: async (userId: string, identity: Identity, { by = system }: ActingOptions = {}) =>
      inTransaction((tx) => link(tx, checkedId(userId), identity, by)),
    unlink: async (userId: string, identity: Identity, { by = system }: ActingOptions = {}) =>
      inTransaction((tx) => unlink(tx, checkedId(userId), identity, by)),
    identities: async (userId: string) => selectIdentities(deps().database, checkedId(userId)),
    organisationsOf: async (userId: string) => selectOrganisationsOf(deps().database, checkedId(userId)),
    choose: (userId: string, tenant: string | undefined) => chooseTenant(checkedId(userId), tenant, deps()),
    principalOf: (userId: string, options: PrincipalOptions = {}) => principalOf(checkedId(userId), options, deps()),
    invitationOf: (token: string) => readInvitation(token, deps()),
    accept: (token: string, userId: string) => accept(token, userId, deps()),
  })
}

async function create(
  tx: Transaction,
  { email, name, isOperator = false }: NewPerson,
  by: Acting,
): Promise<UserRecord> {
  const user = await insertUser(tx, { id: newId(), email: checkEmail(email), name: checkName(name), isOperator })
  if (!user) throw addressTaken()
  await noteUser(tx, "user.create", user.id, by, isOperator ? { isOperator } : undefined)
  return user
}

async function changeUser(
  tx: Transaction,
  userId: string,
  change: UserChange,
  action: string,
  by: Acting,
): Promise<UserRecord> {
  if (change.status === "disabled") await checkOthersOwn(tx, userId)
  const before = await lockUser(tx, userId)
  if (!before) throw unknownUser()
  const other = change.email === undefined ? undefined : await selectUserByEmail(tx, change.email)
  if (other && other.id !== userId) throw addressTaken()
  const user = await updateUser(tx, userId, change)
  if (!user) throw unknownUser()
  await noteUser(tx, action, userId, by)
  return user
}

async function remove(tx: Transaction, userId: string, by: Acting): Promise<void> {
  // In the order in which everybody locks: organisations, then people.
  await lockOrganisationsOf(tx, userId)
  if (!(await lockUser(tx, userId))) throw unknownUser()
  for (const { tenant } of await selectOrganisationsOf(tx, userId)) {
    await removeMember(tx, tenantScope(tenant), userId, by)
  }
  await deleteUser(tx, userId)
  await noteUser(tx, "user.remove", userId, by)
}

/** @throws FleetPromptError `last_owner` when an organisation would have no owner who can act */
async function checkOthersOwn(tx: Queryable, userId: string): Promise<void> {
  await lockOrganisationsOf(tx, userId)
  for (const { tenant, role } of await selectOrganisationsOf(tx, userId)) {
    if (role !== "owner" || (await countOtherOwners(tx, tenantScope(tenant), userId)) > 0) continue
    throw new FleetPromptError(
      "last_owner",
      `expected every organisation of this person to have another owner, "${tenant}" has none; make somebody else an owner first`,
    )
  }
}

async function link(tx: Transaction, userId: string, identity: Identity, by: Acting): Promise<void> {
  if (!(await lockUser(tx, userId))) throw unknownUser()
  if (!(await insertIdentity(tx, userId, identity))) {
    const linked = await selectIdentities(tx, userId)
    if (linked.some(({ provider, subject }) => provider === identity.provider && subject === identity.subject)) return
    throw new FleetPromptError(
      "identity_conflict",
      "expected an identity that is nobody's, this one is somebody else's; they have to unlink it first",
    )
  }
  await noteUser(tx, "identity.link", userId, by, { provider: identity.provider })
}

async function unlink(tx: Transaction, userId: string, identity: Identity, by: Acting): Promise<boolean> {
  const wasLinked = await deleteIdentity(tx, userId, identity)
  if (wasLinked) await noteUser(tx, "identity.unlink", userId, by, { provider: identity.provider })
  return wasLinked
}

/** People belong to no tenant, so what is done to them stands in the platform's own log. */
export function noteUser(
  tx: Transaction,
  action: string,
  userId: string,
  { actor }: Pick<Acting, "actor">,
  details?: AuditEntry["details"],
): Promise<void> {
  return appendPlatformAudit(tx, [
    { action, resource: `user:${userId}`, actor, ...(details !== undefined && { details }) },
  ])
}

function unknownUser(): FleetPromptError {
  return new FleetPromptError("user_unknown", "expected the id of a person who is known, got another; list them")
}

function addressTaken(): FleetPromptError {
  return new FleetPromptError("user_exists", "expected an address that is nobody's, got somebody's; look them up by it")
}
