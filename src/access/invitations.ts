import { appendAudit } from "../audit/append-audit.ts"
import type { AuditActor } from "../audit/audit-entry.ts"
import { FleetPromptError } from "../errors.ts"
import { newId } from "../signal/id.ts"
import type { JsonObject } from "../signal/json.ts"
import type { Transaction } from "../store/database.ts"
import {
  countOpenInvitations,
  deleteOldInvitations,
  insertInvitation,
  type InvitationRecord,
  lockInvitation,
  lockOpenInvitationOf,
  renewInvitation,
  revokeInvitation,
  selectInvitations,
} from "../store/invitations.ts"
import { type MemberRole, selectMemberByEmail } from "../store/memberships.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { type Acting, type ActingOptions, system } from "./acting.ts"
import { newInvitationToken } from "./invitation-token.ts"
import { lockedOrganisation, type MembersDeps } from "./members.ts"
import { checkedId, checkEmail, checkListLimit, checkRole } from "./person-fields.ts"

const DAY_MS = 86_400_000
const DEFAULT_LIFE_MS = 7 * DAY_MS
const MAX_LIFE_MS = 30 * DAY_MS
/** Invitations of a tenant that are open at once, at most. */
const MAX_OPEN = 500
/** How long an invitation is still listed after its time, milliseconds. */
const KEPT_MS = 90 * DAY_MS
/** How often a token is made for one invitation, at most: so that nobody is flooded with mails. */
const MAX_SENDS = 10

/** Whom to invite. */
export interface InvitationRequest {
  readonly email: string
  /** What they will be. Default `member`. */
  readonly role?: MemberRole
  /** How long it may be accepted, milliseconds, at most 30 days. Default 7 days. */
  readonly livesMs?: number
}

/** An invitation with its token. It is shown here and nowhere again: send it to the address that was invited. */
export interface SentInvitation {
  readonly invitation: InvitationRecord
  readonly token: string
  /** Name of the organisation, for the mail. */
  readonly organisation: string
}

/** Which invitations of a list. */
export interface InvitationListOptions {
  /** Only those made before this one. */
  readonly before?: string
  /** How many, 1 to 500. Default 100. */
  readonly limit?: number
}

/** Some invitations, and where the next page begins. */
export interface InvitationPage {
  readonly invitations: readonly InvitationRecord[]
  /** The `before` of the next page; null after the last. */
  readonly next: string | null
}

/** Asking people to join a tenant. Everything that changes an invitation is in the audit log, in the same commit. */
export interface TenantInvitations {
  /**
   * Invites an address. An open invitation of the same address ends.
   *
   * @throws FleetPromptError `person_invalid`, `member_exists`, `invitations_full`, `organisation_unknown`
   * @example
   * const { token } = await fleet.tenant("acme").invitations.create({ email: "mia@example.com", role: "admin" })
   */
  readonly create: (request: InvitationRequest, options?: ActingOptions) => Promise<SentInvitation>
  /** The latest first. @throws FleetPromptError `query_invalid` */
  readonly list: (options?: InvitationListOptions) => Promise<InvitationPage>
  /**
   * Makes another token for one that is open or expired, with as much time again; the token before ends.
   *
   * @throws FleetPromptError `invitation_invalid` when it was accepted or revoked, `invitations_full` after 10 times
   */
  readonly resend: (id: string, options?: ActingOptions) => Promise<SentInvitation>
  /** Takes one back. @throws FleetPromptError `invitation_invalid` when it is not open any more */
  readonly revoke: (id: string, options?: ActingOptions) => Promise<void>
}

/** The invitations of one tenant. */
export function openInvitations(slug: string, deps: () => MembersDeps): TenantInvitations {
  const within = async <Result>(run: (tx: Transaction, scope: TenantScope) => Promise<Result>): Promise<Result> => {
    const { database, scopeOf } = deps()
    const scope = await scopeOf(slug)
    return withinTenant(database, scope, (tx) => run(tx, scope))
  }
  return Object.freeze({
    create: async (request: InvitationRequest, { by = system }: ActingOptions = {}) => {
      const checked = checkRequest(request)
      return within((tx, scope) => invite(tx, scope, checked, by))
    },
    list: async ({ before, limit }: InvitationListOptions = {}) => {
      const most = checkListLimit(limit)
      const from = before === undefined ? undefined : checkedId(before)
      const found = await within((tx, scope) => selectInvitations(tx, scope, from, most + 1))
      return { invitations: found.slice(0, most), next: found.length > most ? (found[most - 1]?.id ?? null) : null }
    },
    resend: (id: string, { by = system }: ActingOptions = {}) =>
      within((tx, scope) => resend(tx, scope, checkedId(id), by)),
    revoke: (id: string, { by = system }: ActingOptions = {}) =>
      within((tx, scope) => revoke(tx, scope, checkedId(id), by)),
  })
}

function checkRequest({
  email,
  role = "member",
  livesMs = DEFAULT_LIFE_MS,
}: InvitationRequest): Required<InvitationRequest> {
  if (!Number.isInteger(livesMs) || livesMs < 1 || livesMs > MAX_LIFE_MS)
    throw new FleetPromptError(
      "person_invalid",
      `expected a whole number of milliseconds from 1 to ${MAX_LIFE_MS} as livesMs, got something else; leave it out for 7 days`,
      { path: "livesMs" },
    )
  return { email: checkEmail(email), role: checkRole(role), livesMs }
}

async function invite(
  tx: Transaction,
  scope: TenantScope,
  { email, role, livesMs }: Required<InvitationRequest>,
  by: Acting,
): Promise<SentInvitation> {
  const organisation = await lockedOrganisation(tx, scope)
  by.authorise("invitations:create", { role })
  if (await selectMemberByEmail(tx, scope, email))
    throw new FleetPromptError(
      "member_exists",
      "expected an address of nobody here, got a member's; change the role instead",
    )
  await deleteOldInvitations(tx, scope, KEPT_MS)
  const open = await lockOpenInvitationOf(tx, scope, email)
  if (open) await end(tx, scope, open, by)
  if ((await countOpenInvitations(tx, scope)) >= MAX_OPEN)
    throw full(`at most ${MAX_OPEN} open invitations`, "revoke those that nobody will accept")
  const id = newId()
  const { token, hash } = newInvitationToken(scope.slug, id)
  const invitedBy = `${by.actor.kind}:${by.actor.id}`
  const invitation = await insertInvitation(tx, scope, { id, email, role, tokenHash: hash, invitedBy, livesMs })
  await noteInvitation(tx, scope, "invitation.create", id, by.actor, { email, role })
  return { invitation, token, organisation }
}

async function resend(tx: Transaction, scope: TenantScope, id: string, by: Acting): Promise<SentInvitation> {
  const organisation = await lockedOrganisation(tx, scope)
  const before = await openInvitation(tx, scope, id)
  by.authorise("invitations:resend", { id, role: before.role })
  if (before.sends >= MAX_SENDS) throw full(`an invitation that was sent at most ${MAX_SENDS} times`, "make a new one")
  const { token, hash } = newInvitationToken(scope.slug, id)
  const invitation = await renewInvitation(tx, scope, id, hash)
  await noteInvitation(tx, scope, "invitation.resend", id, by.actor, { email: before.email, role: before.role })
  return { invitation, token, organisation }
}

async function revoke(tx: Transaction, scope: TenantScope, id: string, by: Acting): Promise<void> {
  await lockedOrganisation(tx, scope)
  const open = await openInvitation(tx, scope, id)
  by.authorise("invitations:revoke", { id, role: open.role })
  await end(tx, scope, open, by)
}

async function end(
  tx: Transaction,
  scope: TenantScope,
  { id, email, role }: InvitationRecord,
  by: Acting,
): Promise<void> {
  // Whoever invites anew ends what was there, so they must be allowed to.
  by.authorise("invitations:revoke", { id, role })
  await revokeInvitation(tx, scope, id)
  await noteInvitation(tx, scope, "invitation.revoke", id, by.actor, { email, role })
}

/** One that may be accepted or sent again. */
async function openInvitation(tx: Transaction, scope: TenantScope, id: string): Promise<InvitationRecord> {
  const invitation = await lockInvitation(tx, scope, id)
  if (invitation && (invitation.status === "open" || invitation.status === "expired")) return invitation
  throw unusable()
}

/** Notes what became of an invitation, in the same transaction. */
export function noteInvitation(
  tx: Transaction,
  scope: TenantScope,
  action: string,
  id: string,
  actor: AuditActor,
  details: JsonObject,
): Promise<void> {
  return appendAudit(tx, scope, [{ action, resource: `invitation:${id}`, actor, details }])
}

/** The same whatever is wrong with an invitation. */
export function unusable(): FleetPromptError {
  return new FleetPromptError(
    "invitation_invalid",
    "expected an invitation that is open, this one is unknown, used, revoked or past its time; ask for a new one",
  )
}

function full(expected: string, todo: string): FleetPromptError {
  return new FleetPromptError("invitations_full", `expected ${expected}, got as many as there may be; ${todo}`)
}
