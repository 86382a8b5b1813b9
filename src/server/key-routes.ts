import { type Context, Hono } from "hono"
import { type Acting, actingAs } from "../access/acting.ts"
import type { ApiKeyOptions } from "../access/api-key-options.ts"
import type { Principal } from "../access/principal.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import type { ApiKeyOwner } from "../store/api-keys.ts"
import type { Tenant } from "../tenants/tenant.ts"
import { type AccessEnv, permit, permitAct } from "./permit.ts"
import { notFound } from "./problem.ts"
import { readJson } from "./read-json.ts"

type KeyContext = Context<AccessEnv>

/**
 * API keys and service accounts of the caller's tenant. A key's text is in the answer to its making, and nowhere else.
 * Whoever may only look after their own keys sees and changes those alone; the doors decide again by what they find.
 */
export function keyRoutes(fleet: Fleet): Hono<AccessEnv> {
  const routes = new Hono<AccessEnv>()
  const own = (context: KeyContext) => ({ belongsTo: context.get("principal").id })
  const account = (context: KeyContext) => ({ id: idOf(context) })
  routes.get("/api-keys", permit(fleet, "api_keys:read", own), (context) => listKeys(fleet, context))
  routes.post("/api-keys", permit(fleet, "api_keys:create", own), (context) => createKey(fleet, context))
  routes.get("/api-keys/:id", permit(fleet, "api_keys:read", own), (context) => getKey(fleet, context))
  routes.post("/api-keys/:id/rotate", permit(fleet, "api_keys:rotate", own), (context) => rotateKey(fleet, context))
  routes.delete("/api-keys/:id", permitAct(fleet, "api_keys:revoke", own), (context) => revokeKey(fleet, context))
  routes.get("/service-accounts", permit(fleet, "service_accounts:read"), (context) => listAccounts(fleet, context))
  routes.post("/service-accounts", permit(fleet, "service_accounts:create"), (context) => createAccount(fleet, context))
  routes.patch("/service-accounts/:id", permit(fleet, "service_accounts:change", account), (context) =>
    changeAccount(fleet, context),
  )
  routes.delete("/service-accounts/:id", permit(fleet, "service_accounts:remove", account), (context) =>
    removeAccount(fleet, context),
  )
  return routes
}

async function listKeys(fleet: Fleet, context: KeyContext): Promise<Response> {
  const principal = context.get("principal")
  const { before, limit } = context.req.query()
  // Whoever may not read all sees what is their own.
  const owner = fleet.access.isAllowed(principal, "api_keys:read") ? undefined : ownerFor(principal)
  const keys = await tenantOf(fleet, context).apiKeys.list({
    ...(before !== undefined && { before }),
    ...(limit !== undefined && { limit: Number(limit) }),
    ...(owner && { owner }),
  })
  return context.json({ keys })
}

async function getKey(fleet: Fleet, context: KeyContext): Promise<Response> {
  const principal = context.get("principal")
  const key = await tenantOf(fleet, context).apiKeys.get(idOf(context))
  const mayRead = key && fleet.access.isAllowed(principal, "api_keys:read", { belongsTo: key.owner.id })
  if (!mayRead) throw notFound("an API key")
  return context.json(key)
}

async function createKey(fleet: Fleet, context: KeyContext): Promise<Response> {
  const { name, role, scopes, lifetimeMs, serviceAccountId } = await readJson(context.req.raw)
  // What each may be, the door checks, as it does for callers without types.
  const options = {
    name,
    role,
    owner:
      serviceAccountId === undefined
        ? ownerFor(context.get("principal"))
        : { kind: "service_account", id: String(serviceAccountId).toLowerCase() },
    ...(scopes !== undefined && { scopes }),
    ...(lifetimeMs !== undefined && { lifetimeMs }),
  } as ApiKeyOptions
  return noStore(context, await tenantOf(fleet, context).apiKeys.create(options, byCaller(fleet, context)))
}

async function rotateKey(fleet: Fleet, context: KeyContext): Promise<Response> {
  const { overlapMs } = await readJson(context.req.raw)
  if (overlapMs !== undefined && typeof overlapMs !== "number")
    throw new FleetPromptError("request_invalid", "expected milliseconds as overlapMs, got something else", {
      path: "overlapMs",
    })
  const options = { ...(overlapMs !== undefined && { overlapMs }), ...byCaller(fleet, context) }
  return noStore(context, await tenantOf(fleet, context).apiKeys.rotate(idOf(context), options))
}

async function revokeKey(fleet: Fleet, context: KeyContext): Promise<Response> {
  await tenantOf(fleet, context).apiKeys.revoke(idOf(context), byCaller(fleet, context))
  return context.body(null, 204)
}

async function listAccounts(fleet: Fleet, context: KeyContext): Promise<Response> {
  return context.json({ serviceAccounts: await tenantOf(fleet, context).serviceAccounts.list() })
}

async function createAccount(fleet: Fleet, context: KeyContext): Promise<Response> {
  const { name, role } = await readJson(context.req.raw)
  // The door checks them.
  const options = { name, role } as { name: string; role: "owner" | "admin" | "member" }
  return context.json(await tenantOf(fleet, context).serviceAccounts.create(options, byCaller(fleet, context)), 201)
}

async function changeAccount(fleet: Fleet, context: KeyContext): Promise<Response> {
  const { name, role, enabled } = await readJson(context.req.raw)
  // The door checks them.
  const change = {
    ...(name !== undefined && { name }),
    ...(role !== undefined && { role }),
    ...(enabled !== undefined && { enabled }),
  } as { name?: string; role?: "owner" | "admin" | "member"; enabled?: boolean }
  const { serviceAccounts } = tenantOf(fleet, context)
  return context.json(await serviceAccounts.update(idOf(context), change, byCaller(fleet, context)))
}

async function removeAccount(fleet: Fleet, context: KeyContext): Promise<Response> {
  await tenantOf(fleet, context).serviceAccounts.remove(idOf(context), byCaller(fleet, context))
  return context.body(null, 204)
}

/** Whose a key is that a caller makes for themselves. */
function ownerFor({ kind, id }: Principal): ApiKeyOwner {
  switch (kind) {
    case "user":
    case "service_account":
    case "host":
      return { kind, id }
    case "operator":
    case "api_key":
      throw new FleetPromptError(
        "request_invalid",
        "expected serviceAccountId, since this caller can own no API key; name the service account whose key it is to be",
        { path: "serviceAccountId" },
      )
  }
}

/** What holds a secret is kept by nobody on the way. */
function noStore(context: KeyContext, made: object): Response {
  context.header("cache-control", "no-store")
  return context.json(made, 201)
}

function tenantOf(fleet: Fleet, context: KeyContext): Tenant {
  return fleet.tenant(context.get("principal").tenant)
}

function byCaller(fleet: Fleet, context: KeyContext): { readonly by: Acting } {
  return { by: actingAs(fleet.access, context.get("principal")) }
}

function idOf(context: KeyContext): string {
  return context.req.param("id") ?? ""
}
