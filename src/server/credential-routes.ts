import { z } from "zod"
import { actorOf } from "../access/principal-actor.ts"
import type { TenantCredentials } from "../credentials/tenant-credentials.ts"
import { FleetPromptError } from "../errors.ts"
import { isUuid } from "../signal/id.ts"
import { isTime } from "../signal/time.ts"
import type { SecretInput } from "../credentials/credential-input.ts"
import type { JsonObject } from "../signal/json.ts"
import { notFound } from "./problem.ts"
import { type Call, may, route, type Route, tenantOf } from "./route.ts"
import { credential, credentialKind, credentialStatus, secretFields } from "./schemas/credential-schemas.ts"
import { limit, place, text, uuid } from "./schemas/fields.ts"

const tag = "Credentials"
const refusedAs = "credential_invalid"
const params = z.object({ id: uuid("Of the credential.") })
const secretBody = z.object(secretFields)

const listCredentials = route({
  method: "GET",
  path: "/v1/credentials",
  name: "listCredentials",
  tag,
  summary: "Credentials, without their secrets.",
  access: may("credentials:read"),
  query: z.object({
    provider: text("Only those for this system.").exactOptional(),
    status: credentialStatus.exactOptional(),
    after: place("The last id of the page before."),
    limit: limit(500, 100),
  }),
  answers: { 200: z.object({ credentials: z.array(credential) }) },
  run: async (call) => ({ credentials: await doorOf(call).list(call.query) }),
})

const createCredential = route({
  method: "POST",
  path: "/v1/credentials",
  name: "createCredential",
  tag,
  summary: "Stores a credential. Its secret goes in, and no answer has it.",
  access: may("credentials:create"),
  body: z.object({
    provider: text("The system that it is for: small letters, digits, `_`, `-` and dots, at most 100."),
    account: text("Whose account there, 1 to 200 characters."),
    kind: credentialKind,
    ...secretFields,
  }),
  refusedAs,
  answers: { 201: credential },
  errors: ["credential_exists"],
  run: (call) => {
    const { provider, account, kind } = call.body
    return doorOf(call).create({ provider, account, kind, ...secretOf(call.body) }, actorOf(call.principal))
  },
})

const getCredential = route({
  method: "GET",
  path: "/v1/credentials/:id",
  name: "getCredential",
  tag,
  summary: "One credential, without its secret.",
  access: may("credentials:read"),
  params,
  answers: { 200: credential },
  run: async (call) => {
    const record = await doorOf(call).get(idOf(call))
    if (!record) throw notFound("a credential")
    return record
  },
})

const replaceSecret = route({
  method: "PUT",
  path: "/v1/credentials/:id/secret",
  name: "replaceSecret",
  tag,
  summary: "Gives a credential another secret.",
  access: may("credentials:replace"),
  params,
  body: secretBody,
  refusedAs,
  answers: { 200: credential },
  errors: ["credential_unknown", "credential_unusable"],
  run: (call) => doorOf(call).replace(idOf(call), secretOf(call.body), actorOf(call.principal)),
})

const revokeCredential = route({
  method: "POST",
  path: "/v1/credentials/:id/revoke",
  name: "revokeCredential",
  tag,
  summary: "Ends a credential for good; its secret is erased.",
  access: may("credentials:revoke"),
  params,
  answers: { 200: credential },
  errors: ["credential_unknown"],
  run: (call) => doorOf(call).revoke(idOf(call), actorOf(call.principal)),
})

const removeCredential = route({
  method: "DELETE",
  path: "/v1/credentials/:id",
  name: "removeCredential",
  tag,
  summary: "Removes a credential.",
  access: may("credentials:remove"),
  params,
  answers: { 204: null },
  errors: ["credential_unknown"],
  run: async (call) => void (await doorOf(call).remove(idOf(call), actorOf(call.principal))),
})

/** A tenant's credentials. Secrets go in; no route answers one. */
export const credentialRoutes: readonly Route[] = [
  listCredentials,
  createCredential,
  getCredential,
  replaceSecret,
  revokeCredential,
  removeCredential,
]

function doorOf(call: Call): TenantCredentials {
  return tenantOf(call).credentials
}

function secretOf({ secret, scopes, expiresAt }: z.output<typeof secretBody>): SecretInput {
  return {
    // It came as JSON.
    secret: secret as JsonObject,
    ...(scopes !== undefined && { scopes }),
    ...(expiresAt !== undefined && { expiresAt: timeOf(expiresAt) }),
  }
}

/** A time as RFC 3339, or null. */
function timeOf(value: string | null): Date | null {
  if (value === null) return null
  if (isTime(value)) return new Date(value)
  throw new FleetPromptError(
    "credential_invalid",
    "expected a time as RFC 3339 or null as expiresAt, got something else; write 2030-01-31T12:00:00Z",
    { path: "expiresAt" },
  )
}

function idOf({ params: { id } }: Call<{ readonly id: string }>): string {
  if (isUuid(id)) return id.toLowerCase()
  throw notFound("a credential")
}
