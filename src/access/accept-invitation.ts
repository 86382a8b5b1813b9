import type { AuditActor } from "../audit/audit-entry.ts"
import { FleetPromptError, isFleetPromptError } from "../errors.ts"
import type { Transaction } from "../store/database.ts"
import { acceptInvitation, type InvitationRecord, lockInvitationOfToken } from "../store/invitations.ts"
import { insertMembership, type MemberRole, selectMember } from "../store/memberships.ts"
import { selectOrganisation } from "../store/organisations.ts"
import { selectUser, updateChosenTenant } from "../store/people.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { actingFor } from "./acting.ts"
import { parseInvitationToken } from "./invitation-token.ts"
import { noteInvitation, unusable } from "./invitations.ts"
import { lockedOrganisation, type MembersDeps, note } from "./members.ts"
import { checkedId } from "./person-fields.ts"

/** What an invitation's page shows to whoever holds the token. */
export interface ShownInvitation {
  readonly tenant: string
  /** Name of the organisation. */
  readonly organisation: string
  readonly email: string
  readonly role: MemberRole
}

/** The invitation of a token while it may be accepted, or undefined. */
export async function readInvitation(
  token: string,
  { database, scopeOf }: MembersDeps,
): Promise<ShownInvitation | undefined> {
  const parsed = parseInvitationToken(token)
  const scope = parsed && (await scopeOf(parsed.tenant).catch(() => undefined))
  if (!scope) return undefined
  return withinTenant(database, scope, async (tx) => {
    const invitation = await lockInvitationOfToken(tx, scope, parsed.id, parsed.hash)
    const organisation = await selectOrganisation(tx, scope)
    if (!invitation || !organisation) return undefined
    return { tenant: scope.slug, organisation: organisation.name, email: invitation.email, role: invitation.role }
  })
}

/** What somebody became by accepting. */
export interface AcceptedInvitation {
  readonly tenant: string
  readonly role: MemberRole
}

/**
 * Makes the person a member whom an invitation is for. Only the person with the invited address may: a link that was
 * passed on or read by somebody else opens nothing to them. Who is a member already stays what they are.
 *
 * @throws FleetPromptError `invitation_invalid`, the same whatever is wrong with the token; `forbidden` for somebody
 * with another address; `user_unknown`
 */
export async function accept(
  token: string,
  userId: string,
  { database, scopeOf }: MembersDeps,
): Promise<AcceptedInvitation> {
  const parsed = parseInvitationToken(token)
  if (!parsed) throw unusable()
  const user = await selectUser(database, checkedId(userId))
  if (user?.status !== "active")
    throw new FleetPromptError("user_unknown", "expected the id of a person who is known and not disabled, got another")
  const scope = await scopeOf(parsed.tenant).catch(hideTenant)
  const accepted = await withinTenant(database, scope, async (tx) => {
    await lockedOrganisation(tx, scope).catch(hideTenant)
    const invitation = await lockInvitationOfToken(tx, scope, parsed.id, parsed.hash)
    if (!invitation) throw unusable()
    if (invitation.email !== user.email) throw othersInvitation()
    return join(tx, scope, invitation, user.id)
  })
  await updateChosenTenant(database, user.id, scope.slug)
  return accepted
}

async function join(
  tx: Transaction,
  scope: TenantScope,
  { id, email, role }: InvitationRecord,
  userId: string,
): Promise<AcceptedInvitation> {
  const isNew = await insertMembership(tx, scope, userId, role)
  await acceptInvitation(tx, scope, id, userId)
  const actor: AuditActor = { kind: "user", id: userId }
  await noteInvitation(tx, scope, "invitation.accept", id, actor, { email, role })
  if (isNew) await note(tx, scope, "member.add", userId, actingFor(actor), { role })
  const member = await selectMember(tx, scope, userId)
  return { tenant: scope.slug, role: member?.role ?? role }
}

/** Which tenants there are is not told to whoever makes tokens up. */
function hideTenant(error: unknown): never {
  const isUnknown =
    isFleetPromptError(error) && ["tenant_unknown", "tenant_invalid", "organisation_unknown"].includes(error.code)
  throw isUnknown ? unusable() : error
}

function othersInvitation(): FleetPromptError {
  return new FleetPromptError(
    "forbidden",
    "expected the person with the address that was invited, got somebody else; sign in with that address",
  )
}
