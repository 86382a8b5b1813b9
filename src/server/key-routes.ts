import { z } from "zod"
import type { Principal } from "../access/principal.ts"
import { FleetPromptError } from "../errors.ts"
import type { ApiKeyOwner } from "../store/api-keys.ts"
import { notFound } from "./problem.ts"
import { byCaller, may, mayAct, noStore, ownOf, route, type Route, tenantOf } from "./route.ts"
import { limit, noted, place, role, text, uuid } from "./schemas/fields.ts"
import { apiKey, newApiKey, serviceAccount } from "./schemas/key-schemas.ts"

const tag = "API keys"
const refusedAs = "api_key_invalid"
const params = z.object({ id: text("Of the key or account.") })
const ofAccount = z.object({ id: uuid("Of the account.") })

const listKeys = route({
  method: "GET",
  path: "/v1/api-keys",
  name: "listApiKeys",
  tag,
  summary: "API keys, the latest first; whoever may not read all sees their own.",
  access: may("api_keys:read", ownOf),
  query: z.object({ limit: limit(500, 100), before: place("Id of the last key of the page before.") }),
  answers: { 200: z.object({ keys: z.array(apiKey) }) },
  run: async (call) => {
    const { fleet, principal, query } = call
    const owner = fleet.access.isAllowed(principal, "api_keys:read") ? undefined : ownerFor(principal)
    return { keys: await tenantOf(call).apiKeys.list({ ...query, ...(owner && { owner }) }) }
  },
})

const getKey = route({
  method: "GET",
  path: "/v1/api-keys/:id",
  name: "getApiKey",
  tag,
  summary: "One API key, without its text.",
  access: may("api_keys:read", ownOf),
  params,
  answers: { 200: apiKey },
  run: async (call) => {
    const key = await tenantOf(call).apiKeys.get(call.params.id)
    const mayRead = key && call.fleet.access.isAllowed(call.principal, "api_keys:read", { belongsTo: key.owner.id })
    if (!mayRead) throw notFound("an API key")
    return key
  },
})

const createKey = route({
  method: "POST",
  path: "/v1/api-keys",
  name: "createApiKey",
  tag,
  summary: "Makes an API key, the caller's own or a service account's. Its text is in this answer and in no other.",
  access: may("api_keys:create", ownOf),
  body: z.object({
    name: text("For people, up to 100 characters."),
    role,
    scopes: noted(
      z.array(z.string()),
      "What it is limited to, `resource:action`. Default: whatever the role may.",
    ).exactOptional(),
    lifetimeMs: noted(
      z.number().nullable(),
      "At most 5 years. Default 90 days; null: until it is revoked.",
    ).exactOptional(),
    serviceAccountId: uuid("Whose key it is to be. Default: the caller's own.").exactOptional(),
  }),
  refusedAs,
  answers: { 201: newApiKey },
  errors: ["api_key_limit", "service_account_unknown", "request_invalid"],
  run: async (call) => {
    const { serviceAccountId, ...options } = call.body
    const owner: ApiKeyOwner =
      serviceAccountId === undefined
        ? ownerFor(call.principal)
        : { kind: "service_account", id: serviceAccountId.toLowerCase() }
    return noStore(await tenantOf(call).apiKeys.create({ ...options, owner }, byCaller(call)), 201)
  },
})

const rotateKey = route({
  method: "POST",
  path: "/v1/api-keys/:id/rotate",
  name: "rotateApiKey",
  tag,
  summary: "Makes the key that takes this one's place.",
  access: may("api_keys:rotate", ownOf),
  params,
  body: z.object({
    overlapMs: noted(
      z.number(),
      "How long both work, at most 30 days. Default 24 hours; 0: the old one ends at once.",
    ).exactOptional(),
  }),
  answers: { 201: newApiKey },
  errors: ["api_key_invalid", "api_key_ended", "api_key_limit", "api_key_unknown"],
  run: async (call) =>
    noStore(await tenantOf(call).apiKeys.rotate(call.params.id, { ...call.body, ...byCaller(call) }), 201),
})

const revokeKey = route({
  method: "DELETE",
  path: "/v1/api-keys/:id",
  name: "revokeApiKey",
  tag,
  summary: "Ends a key, also when it had ended.",
  access: mayAct("api_keys:revoke", ownOf),
  params,
  answers: { 204: null },
  errors: ["api_key_unknown"],
  run: async (call) => void (await tenantOf(call).apiKeys.revoke(call.params.id, byCaller(call))),
})

const listAccounts = route({
  method: "GET",
  path: "/v1/service-accounts",
  name: "listServiceAccounts",
  tag,
  summary: "Service accounts, by name.",
  access: may("service_accounts:read"),
  answers: { 200: z.object({ serviceAccounts: z.array(serviceAccount) }) },
  run: async (call) => ({ serviceAccounts: await tenantOf(call).serviceAccounts.list() }),
})

const createAccount = route({
  method: "POST",
  path: "/v1/service-accounts",
  name: "createServiceAccount",
  tag,
  summary: "Makes a service account.",
  access: may("service_accounts:create"),
  body: z.object({ name: text("One of its own in the tenant."), role }),
  refusedAs,
  answers: { 201: serviceAccount },
  errors: ["service_account_exists"],
  run: (call) => tenantOf(call).serviceAccounts.create(call.body, byCaller(call)),
})

const changeAccount = route({
  method: "PATCH",
  path: "/v1/service-accounts/:id",
  name: "changeServiceAccount",
  tag,
  summary: "Changes a service account.",
  access: may("service_accounts:change"),
  params: ofAccount,
  body: z.object({
    name: text("One of its own in the tenant.").exactOptional(),
    role: role.exactOptional(),
    enabled: noted(z.boolean(), "Whether its keys work.").exactOptional(),
  }),
  refusedAs,
  answers: { 200: serviceAccount },
  errors: ["service_account_exists", "service_account_unknown"],
  run: (call) => tenantOf(call).serviceAccounts.update(call.params.id, call.body, byCaller(call)),
})

const removeAccount = route({
  method: "DELETE",
  path: "/v1/service-accounts/:id",
  name: "removeServiceAccount",
  tag,
  summary: "Removes a service account; its keys are revoked.",
  access: may("service_accounts:remove"),
  params: ofAccount,
  answers: { 204: null },
  errors: ["service_account_unknown"],
  run: (call) => tenantOf(call).serviceAccounts.remove(call.params.id, byCaller(call)),
})

/**
 * API keys and service accounts of the caller's tenant. A key's text is in the answer to its making, and nowhere else.
 * Whoever may only look after their own keys sees and changes those alone; the doors decide again by what they find.
 */
export const keyRoutes: readonly Route[] = [
  listKeys,
  createKey,
  getKey,
  rotateKey,
  revokeKey,
  listAccounts,
  createAccount,
  changeAccount,
  removeAccount,
]

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
