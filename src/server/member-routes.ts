import { z } from "zod"
import type { SentInvitation } from "../access/invitations.ts"
import { permissions } from "../access/policies.ts"
import { NO_TENANT } from "../access/policy.ts"
import type { Principal } from "../access/principal.ts"
import { FleetPromptError } from "../errors.ts"
import { notFound } from "./problem.ts"
import { byCaller, type Call, may, mayAct, route, type Route, tenantOf } from "./route.ts"
import { limit, noted, place, role, text, uuid } from "./schemas/fields.ts"
import {
  invitationPage,
  joined,
  me,
  member,
  memberPage,
  organisation,
  ownOrganisation,
  sentInvitation,
} from "./schemas/people-schemas.ts"

const tag = "People"
const known = { kind: "known" } as const
const refusedAs = "person_invalid"
const params = z.object({ id: uuid("Of the person or invitation.").transform((id) => id.toLowerCase()) })

const getMe = route({
  method: "GET",
  path: "/v1/me",
  name: "getMe",
  tag,
  summary: "Who is calling, and what they may.",
  access: known,
  answers: { 200: me },
  run: async ({ fleet, principal }) => {
    const { kind, id, tenant, role: callersRole, scopes } = principal
    const person = isPerson(principal) ? await fleet.people.get(id) : undefined
    const isSomewhere = tenant !== NO_TENANT
    return {
      kind,
      id,
      tenant: isSomewhere ? tenant : null,
      role: isSomewhere || callersRole === "operator" ? callersRole : null,
      ...(scopes && { scopes }),
      ...(person && { email: person.email, name: person.name }),
      permissions: permissions.filter((permission) => fleet.access.isAllowed(principal, permission)),
    }
  },
})

const listOwnOrganisations = route({
  method: "GET",
  path: "/v1/me/organisations",
  name: "listOwnOrganisations",
  tag,
  summary: "The organisations that the caller is in.",
  access: known,
  answers: { 200: z.object({ organisations: z.array(ownOrganisation) }) },
  run: async (call) => ({ organisations: await call.fleet.people.organisationsOf(personOf(call).id) }),
})

const chooseOrganisation = route({
  method: "PUT",
  path: "/v1/me/organisation",
  name: "chooseOrganisation",
  tag,
  summary: "Chooses the organisation that the caller's requests are about.",
  access: known,
  body: z.object({ tenant: noted(z.string().nullable(), "Slug of an organisation, or null for none.") }),
  answers: { 204: null },
  run: (call) => call.fleet.people.choose(personOf(call).id, call.body.tenant ?? undefined),
})

const acceptInvitation = route({
  method: "POST",
  path: "/v1/invitations/accept",
  name: "acceptInvitation",
  tag,
  summary: "Joins the organisation of an invitation. For the person with the invited address.",
  access: known,
  body: z.object({ token: text("Of the invitation.") }),
  refusedAs: "invitation_invalid",
  answers: { 200: joined },
  errors: ["user_unknown"],
  run: (call) => call.fleet.people.accept(call.body.token, personOf(call).id),
})

const getOrganisation = route({
  method: "GET",
  path: "/v1/organisation",
  name: "getOrganisation",
  tag,
  summary: "Whose the tenant is.",
  access: may("organisations:read"),
  answers: { 200: organisation },
  run: async (call) => {
    const found = await tenantOf(call).organisation.get()
    if (!found) throw notFound("an organisation")
    return found
  },
})

const renameOrganisation = route({
  method: "PATCH",
  path: "/v1/organisation",
  name: "renameOrganisation",
  tag,
  summary: "Gives the organisation another name; the slug stays.",
  access: may("organisations:change"),
  body: z.object({ name: text("1 to 200 characters in one line.") }),
  refusedAs,
  answers: { 200: organisation },
  errors: ["organisation_unknown"],
  run: (call) => tenantOf(call).organisation.rename(call.body.name, byCaller(call)),
})

const listMembers = route({
  method: "GET",
  path: "/v1/members",
  name: "listMembers",
  tag,
  summary: "The people of the tenant, by pages.",
  access: may("members:read"),
  query: z.object({ limit: limit(500, 100), after: place("The `next` of the page before.") }),
  answers: { 200: memberPage },
  run: (call) => tenantOf(call).members.list(call.query),
})

const addMember = route({
  method: "POST",
  path: "/v1/members",
  name: "addMember",
  tag,
  summary: "Adds a person of an organisation of the caller's, or of none; others are invited.",
  access: may("members:add"),
  body: z.object({ userId: uuid("Of the person."), role }),
  refusedAs,
  answers: { 201: member },
  errors: ["organisation_unknown", "user_unknown", "member_exists"],
  run: (call) => tenantOf(call).members.add(call.body.userId, call.body.role, byCaller(call)),
})

const changeRole = route({
  method: "PATCH",
  path: "/v1/members/:id",
  name: "changeMemberRole",
  tag,
  summary: "Gives a member another role.",
  access: may("members:change_role"),
  params,
  body: z.object({ role }),
  refusedAs,
  answers: { 200: member },
  errors: ["organisation_unknown", "member_unknown", "last_owner"],
  run: (call) => tenantOf(call).members.changeRole(call.params.id, call.body.role, byCaller(call)),
})

const removeMember = route({
  method: "DELETE",
  path: "/v1/members/:id",
  name: "removeMember",
  tag,
  summary: "Takes a person out of the tenant. Everybody may leave.",
  access: may("members:remove", ({ params: { id = "" } }) => ({ id: id.toLowerCase(), belongsTo: id.toLowerCase() })),
  params,
  answers: { 204: null },
  errors: ["organisation_unknown", "member_unknown", "last_owner"],
  run: (call) => tenantOf(call).members.remove(call.params.id, byCaller(call)),
})

const listInvitations = route({
  method: "GET",
  path: "/v1/invitations",
  name: "listInvitations",
  tag,
  summary: "Who was asked to join, the latest first, by pages.",
  access: may("invitations:read"),
  query: z.object({ limit: limit(500, 100), before: place("The `next` of the page before.") }),
  answers: { 200: invitationPage },
  run: (call) => tenantOf(call).invitations.list(call.query),
})

const invite = route({
  method: "POST",
  path: "/v1/invitations",
  name: "createInvitation",
  tag,
  summary: "Asks somebody to join.",
  access: mayAct("invitations:create"),
  body: z.object({ email: text("Of whom."), role: role.exactOptional() }),
  refusedAs,
  answers: { 201: sentInvitation },
  errors: ["organisation_unknown", "invitations_full", "member_exists"],
  run: async (call) => delivered(await tenantOf(call).invitations.create(call.body, byCaller(call)), call),
})

const resendInvitation = route({
  method: "POST",
  path: "/v1/invitations/:id/resend",
  name: "resendInvitation",
  tag,
  summary: "Asks once more, with another token.",
  access: mayAct("invitations:resend"),
  params,
  answers: { 200: sentInvitation },
  errors: ["organisation_unknown", "invitation_invalid", "invitations_full"],
  run: async (call) => delivered(await tenantOf(call).invitations.resend(call.params.id, byCaller(call)), call),
})

const revokeInvitation = route({
  method: "DELETE",
  path: "/v1/invitations/:id",
  name: "revokeInvitation",
  tag,
  summary: "Takes an invitation back.",
  access: mayAct("invitations:revoke"),
  params,
  answers: { 204: null },
  errors: ["organisation_unknown", "invitation_invalid"],
  run: (call) => tenantOf(call).invitations.revoke(call.params.id, byCaller(call)),
})

/** The caller, the caller's organisations, and the people of the chosen one. */
export const memberRoutes: readonly Route[] = [
  getMe,
  listOwnOrganisations,
  chooseOrganisation,
  acceptInvitation,
  getOrganisation,
  renameOrganisation,
  listMembers,
  addMember,
  changeRole,
  removeMember,
  listInvitations,
  invite,
  resendInvitation,
  revokeInvitation,
]

/** The invitation stands whether or not the mail went out, so a mail that failed is told and can be sent again. */
async function delivered(sent: SentInvitation, { sendInvitation, onError, principal }: Call): Promise<object> {
  const { invitation, token } = sent
  if (!sendInvitation) return { invitation, token }
  try {
    await sendInvitation({ ...sent, tenant: principal.tenant })
    return { invitation, isSent: true }
  } catch (error) {
    onError?.(error)
    return { invitation, isSent: false }
  }
}

function isPerson({ kind }: Principal): boolean {
  return kind === "user" || kind === "operator"
}

/** What concerns the caller as a person of ours. */
function personOf({ principal }: Call): Principal {
  if (isPerson(principal)) return principal
  throw new FleetPromptError("forbidden", "expected a person who signed in, got another caller; sign in")
}
