import { z } from "zod"
import { count, named, next, noted, role, text, time, uuid } from "./fields.ts"

/** What the caller is. */
export const me = named(
  "Me",
  z.object({
    kind: noted(z.enum(["user", "api_key", "service_account", "operator", "host"]), "What is calling."),
    id: text("Of the person, key or account."),
    tenant: noted(z.string().nullable(), "Slug of the tenant; null for who has chosen none."),
    role: noted(z.enum(["owner", "admin", "member", "operator"]).nullable(), "Null for who has chosen no tenant."),
    scopes: noted(z.array(z.string()), "What a key is limited to.").optional(),
    email: text("Of a person.").optional(),
    name: text("Of a person.").optional(),
    permissions: noted(z.array(z.string()), "For showing and hiding: each request is decided anew."),
  }),
)

/** An organisation that the caller is in. */
export const ownOrganisation = named(
  "OwnOrganisation",
  z.object({
    tenant: text("Its slug."),
    name: text("For people."),
    role,
    isChosen: noted(z.boolean(), "Whether the caller's requests are about it."),
  }),
)

/** Whose the tenant is. */
export const organisation = named(
  "Organisation",
  z.object({ tenant: text("Its slug."), name: text("For people."), createdAt: time("When it was made.") }),
)

/** A person of the tenant. */
export const member = named(
  "Member",
  z.object({
    userId: uuid("Of the person."),
    email: text("Their address."),
    name: text("Their name."),
    role,
    status: noted(z.enum(["active", "disabled"]), "disabled: may do nothing, anywhere."),
    joinedAt: time("Since when."),
  }),
)

/** Some members. */
export const memberPage = named("MemberPage", z.object({ members: z.array(member), next }))

/** Somebody who was asked to join. */
export const invitation = named(
  "Invitation",
  z.object({
    id: uuid("Of the invitation."),
    email: text("Who may accept it."),
    role,
    invitedBy: text("Who asked, `kind:id`."),
    status: noted(z.enum(["open", "expired", "accepted", "revoked"]), "expired: might be sent again."),
    sends: count("How often a token was made for it."),
    createdAt: time("When it was made."),
    expiresAt: time("Until when it may be accepted."),
  }),
)

/** Some invitations. */
export const invitationPage = named("InvitationPage", z.object({ invitations: z.array(invitation), next }))

/** An invitation that was made. */
export const sentInvitation = named(
  "SentInvitation",
  z.object({
    invitation,
    token: text("To pass on, where the server sends no mail.").optional(),
    isSent: noted(z.boolean(), "Whether the mail went out, where the server sends one.").optional(),
  }),
)

/** What came of joining. */
export const joined = named("Joined", z.object({ tenant: text("Slug of the tenant."), role }))
