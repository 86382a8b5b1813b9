import { type Context, Hono } from "hono"
import { type Acting, actingAs } from "../access/acting.ts"
import type { SentInvitation } from "../access/invitations.ts"
import { permissions } from "../access/policies.ts"
import { NO_TENANT } from "../access/policy.ts"
import type { Principal } from "../access/principal.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import type { MemberRole } from "../store/memberships.ts"
import { type AccessEnv, known, permit, permitAct } from "./permit.ts"
import { notFound } from "./problem.ts"
import { readJson } from "./read-json.ts"

/** An invitation that is to reach somebody. */
export interface InvitationMail extends SentInvitation {
  /** Slug of the tenant. */
  readonly tenant: string
}

/** How people are managed over HTTP. */
export interface MemberRoutesOptions {
  /**
   * Sends an invitation to its address. Default: nobody does, and the answer has the token for whoever asked to pass
   * on; with it, the token goes to the invited address alone.
   */
  readonly sendInvitation?: (mail: InvitationMail) => Promise<void>
  /** Is told when that failed. */
  readonly onError?: (error: unknown) => void
}

type PeopleContext = Context<AccessEnv>

/** The caller, the caller's organisations, and the people of the chosen one. */
export function memberRoutes(fleet: Fleet, options: MemberRoutesOptions = {}): Hono<AccessEnv> {
  const routes = new Hono<AccessEnv>()
  routes.get("/me", known(), (context) => me(fleet, context))
  routes.get("/me/organisations", known(), (context) => ownOrganisations(fleet, context))
  routes.put("/me/organisation", known(), (context) => choose(fleet, context))
  routes.post("/invitations/accept", known(), (context) => accept(fleet, context))
  routes.get("/organisation", permit(fleet, "organisations:read"), (context) => organisation(fleet, context))
  routes.patch("/organisation", permit(fleet, "organisations:change"), (context) => rename(fleet, context))
  routes.get("/members", permit(fleet, "members:read"), (context) => listMembers(fleet, context))
  routes.post("/members", permit(fleet, "members:add"), (context) => addMember(fleet, context))
  routes.patch("/members/:id", permit(fleet, "members:change_role"), (context) => changeRole(fleet, context))
  // Everybody may leave.
  const mayRemove = permit(fleet, "members:remove", (context) => {
    const id = idOf(context)
    return { id, belongsTo: id }
  })
  routes.delete("/members/:id", mayRemove, (context) => removeMember(fleet, context))
  routes.get("/invitations", permit(fleet, "invitations:read"), (context) => listInvitations(fleet, context))
  routes.post("/invitations", permitAct(fleet, "invitations:create"), (context) => invite(fleet, options, context))
  routes.post("/invitations/:id/resend", permitAct(fleet, "invitations:resend"), (context) =>
    resend(fleet, options, context),
  )
  routes.delete("/invitations/:id", permitAct(fleet, "invitations:revoke"), (context) => revoke(fleet, context))
  return routes
}

async function me(fleet: Fleet, context: PeopleContext): Promise<Response> {
  const principal = context.get("principal")
  const { kind, id, tenant, role, scopes } = principal
  const person = isPerson(principal) ? await fleet.people.get(id) : undefined
  const isSomewhere = tenant !== NO_TENANT
  return context.json({
    kind,
    id,
    tenant: isSomewhere ? tenant : null,
    role: isSomewhere || role === "operator" ? role : null,
    ...(scopes && { scopes }),
    ...(person && { email: person.email, name: person.name }),
    // What a page shows or hides; each request is decided anew.
    permissions: permissions.filter((permission) => fleet.access.isAllowed(principal, permission)),
  })
}

async function ownOrganisations(fleet: Fleet, context: PeopleContext): Promise<Response> {
  const { id } = personOf(context)
  return context.json({ organisations: await fleet.people.organisationsOf(id) })
}

async function choose(fleet: Fleet, context: PeopleContext): Promise<Response> {
  const { id } = personOf(context)
  const { tenant } = await readJson(context.req.raw)
  if (tenant !== null && typeof tenant !== "string") throw invalid("tenant", "the slug of an organisation, or null")
  await fleet.people.choose(id, tenant ?? undefined)
  return context.body(null, 204)
}

async function accept(fleet: Fleet, context: PeopleContext): Promise<Response> {
  const { id } = personOf(context)
  const { token } = await readJson(context.req.raw)
  // Whatever else it may be opens nothing.
  return context.json(await fleet.people.accept(typeof token === "string" ? token : "", id))
}

async function organisation(fleet: Fleet, context: PeopleContext): Promise<Response> {
  const found = await tenantOf(fleet, context).organisation.get()
  if (!found) throw notFound("an organisation")
  return context.json(found)
}

async function rename(fleet: Fleet, context: PeopleContext): Promise<Response> {
  const { name } = await readJson(context.req.raw)
  return context.json(await tenantOf(fleet, context).organisation.rename(textOf(name), byCaller(fleet, context)))
}

async function listMembers(fleet: Fleet, context: PeopleContext): Promise<Response> {
  const { after } = context.req.query()
  return context.json(
    await tenantOf(fleet, context).members.list({ ...limitOf(context), ...(after !== undefined && { after }) }),
  )
}

async function addMember(fleet: Fleet, context: PeopleContext): Promise<Response> {
  const { userId, role } = await readJson(context.req.raw)
  const { members } = tenantOf(fleet, context)
  return context.json(await members.add(textOf(userId), roleOf(role), byCaller(fleet, context)), 201)
}

async function changeRole(fleet: Fleet, context: PeopleContext): Promise<Response> {
  const { role } = await readJson(context.req.raw)
  const { members } = tenantOf(fleet, context)
  return context.json(await members.changeRole(idOf(context), roleOf(role), byCaller(fleet, context)))
}

async function removeMember(fleet: Fleet, context: PeopleContext): Promise<Response> {
  await tenantOf(fleet, context).members.remove(idOf(context), byCaller(fleet, context))
  return context.body(null, 204)
}

async function listInvitations(fleet: Fleet, context: PeopleContext): Promise<Response> {
  const { before } = context.req.query()
  return context.json(
    await tenantOf(fleet, context).invitations.list({ ...limitOf(context), ...(before !== undefined && { before }) }),
  )
}

async function invite(fleet: Fleet, options: MemberRoutesOptions, context: PeopleContext): Promise<Response> {
  const { email, role } = await readJson(context.req.raw)
  const request = { email: textOf(email), ...(role !== undefined && { role: roleOf(role) }) }
  const sent = await tenantOf(fleet, context).invitations.create(request, byCaller(fleet, context))
  return context.json(await delivered(sent, options, context), 201)
}

async function resend(fleet: Fleet, options: MemberRoutesOptions, context: PeopleContext): Promise<Response> {
  const sent = await tenantOf(fleet, context).invitations.resend(idOf(context), byCaller(fleet, context))
  return context.json(await delivered(sent, options, context))
}

async function revoke(fleet: Fleet, context: PeopleContext): Promise<Response> {
  await tenantOf(fleet, context).invitations.revoke(idOf(context), byCaller(fleet, context))
  return context.body(null, 204)
}

/** The invitation stands whether or not the mail went out, so a mail that failed is told and can be sent again. */
async function delivered(
  sent: SentInvitation,
  { sendInvitation, onError }: MemberRoutesOptions,
  context: PeopleContext,
): Promise<object> {
  const { invitation, token } = sent
  if (!sendInvitation) return { invitation, token }
  try {
    await sendInvitation({ ...sent, tenant: context.get("principal").tenant })
    return { invitation, isSent: true }
  } catch (error) {
    onError?.(error)
    return { invitation, isSent: false }
  }
}

function tenantOf(fleet: Fleet, context: PeopleContext) {
  return fleet.tenant(context.get("principal").tenant)
}

function byCaller(fleet: Fleet, context: PeopleContext): { readonly by: Acting } {
  return { by: actingAs(fleet.access, context.get("principal")) }
}

function idOf(context: PeopleContext): string {
  return (context.req.param("id") ?? "").toLowerCase()
}

function isPerson({ kind }: Principal): boolean {
  return kind === "user" || kind === "operator"
}

/** What concerns the caller as a person of ours. */
function personOf(context: PeopleContext): Principal {
  const principal = context.get("principal")
  if (isPerson(principal)) return principal
  throw new FleetPromptError("forbidden", "expected a person who signed in, got another caller; sign in")
}

function limitOf(context: PeopleContext): { readonly limit?: number } {
  const limit = context.req.query("limit")
  return limit === undefined ? {} : { limit: Number(limit) }
}

/** What is no text becomes one that no check lets through. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : ""
}

function roleOf(value: unknown): MemberRole {
  // The door checks it, as it does for callers without types.
  return value as MemberRole
}

function invalid(path: string, expected: string): FleetPromptError {
  return new FleetPromptError("request_invalid", `expected ${expected} as ${path}, got something else`, { path })
}
