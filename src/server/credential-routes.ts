import { type Context, Hono } from "hono"
import { actorOf } from "../access/principal-actor.ts"
import type { TenantCredentials } from "../credentials/tenant-credentials.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import { isUuid } from "../signal/id.ts"
import { isTime } from "../signal/time.ts"
import type { CredentialInput, CredentialListOptions, SecretInput } from "../credentials/credential-input.ts"
import { type AccessEnv, permit } from "./permit.ts"
import { notFound } from "./problem.ts"
import { readJson } from "./read-json.ts"

type CredentialContext = Context<AccessEnv>

/** A tenant's credentials. Secrets go in; no route answers one. */
export function credentialRoutes(fleet: Fleet): Hono<AccessEnv> {
  const routes = new Hono<AccessEnv>()
  routes.get("/credentials", permit(fleet, "credentials:read"), (context) => list(fleet, context))
  routes.post("/credentials", permit(fleet, "credentials:create"), (context) => create(fleet, context))
  routes.get("/credentials/:id", permit(fleet, "credentials:read"), (context) => get(fleet, context))
  routes.put("/credentials/:id/secret", permit(fleet, "credentials:replace"), (context) => replace(fleet, context))
  routes.post("/credentials/:id/revoke", permit(fleet, "credentials:revoke"), (context) => revoke(fleet, context))
  routes.delete("/credentials/:id", permit(fleet, "credentials:remove"), (context) => remove(fleet, context))
  return routes
}

function doorOf(fleet: Fleet, context: CredentialContext): TenantCredentials {
  return fleet.tenant(context.get("principal").tenant).credentials
}

async function list(fleet: Fleet, context: CredentialContext): Promise<Response> {
  const { provider, status, after, limit } = context.req.query()
  const options = {
    ...(provider !== undefined && { provider }),
    ...(status !== undefined && { status }),
    ...(after !== undefined && { after }),
    ...(limit !== undefined && { limit: Number(limit) }),
  }
  // The door checks each of them, the status too.
  const credentials = await doorOf(fleet, context).list(options as CredentialListOptions)
  return context.json({ credentials })
}

async function create(fleet: Fleet, context: CredentialContext): Promise<Response> {
  const body = await readJson(context.req.raw)
  const { provider, account, kind } = body
  // The door checks every field; what is no text fits none of its rules.
  const input = { provider, account, kind, ...secretOf(body) } as CredentialInput
  return context.json(await doorOf(fleet, context).create(input, actorOf(context.get("principal"))), 201)
}

async function get(fleet: Fleet, context: CredentialContext): Promise<Response> {
  const record = await doorOf(fleet, context).get(idOf(context))
  if (!record) throw notFound("a credential")
  return context.json(record)
}

async function replace(fleet: Fleet, context: CredentialContext): Promise<Response> {
  const input = secretOf(await readJson(context.req.raw))
  return context.json(await doorOf(fleet, context).replace(idOf(context), input, actorOf(context.get("principal"))))
}

async function revoke(fleet: Fleet, context: CredentialContext): Promise<Response> {
  return context.json(await doorOf(fleet, context).revoke(idOf(context), actorOf(context.get("principal"))))
}

async function remove(fleet: Fleet, context: CredentialContext): Promise<Response> {
  await doorOf(fleet, context).remove(idOf(context), actorOf(context.get("principal")))
  return context.body(null, 204)
}

function secretOf({ secret, scopes, expiresAt }: Readonly<Record<string, unknown>>): SecretInput {
  const terms = {
    ...(scopes !== undefined && { scopes }),
    ...(expiresAt !== undefined && { expiresAt: timeOf(expiresAt) }),
  }
  // The door checks what is in them.
  return { secret, ...terms } as SecretInput
}

/** A time as RFC 3339, or null. */
function timeOf(value: unknown): Date | null {
  if (value === null) return null
  if (typeof value === "string" && isTime(value)) return new Date(value)
  throw new FleetPromptError(
    "credential_invalid",
    "expected a time as RFC 3339 or null as expiresAt, got something else; write 2030-01-31T12:00:00Z",
    { path: "expiresAt" },
  )
}

function idOf(context: CredentialContext): string {
  const id = context.req.param("id") ?? ""
  if (isUuid(id)) return id.toLowerCase()
  throw notFound("a credential")
}
