import { z } from "zod"
import { count, jsonObject, named, noted, text, time, uuid } from "./fields.ts"

/** What a credential is. */
export const credentialKind = noted(
  z.enum(["api_key", "oauth2", "basic", "certificate", "webhook_secret", "custom"]),
  "What it is.",
)

/** Where a credential stands. */
export const credentialStatus = noted(
  z.enum(["active", "expired", "revoked", "error"]),
  "error: the provider refused to refresh it; a new secret makes it active again.",
)

/** What may be told of a credential: all but its secret. */
export const credential = named(
  "Credential",
  z.object({
    id: uuid("Of the credential."),
    provider: text("The system that it is for: `github`."),
    account: text("Whose account there: `octokit`."),
    kind: credentialKind,
    status: credentialStatus,
    scopes: noted(z.array(z.string()), "What it allows, in the provider's words."),
    expiresAt: time("When it ends; null: never.").nullable(),
    version: count("1, and one more with each new secret."),
    problem: noted(z.string().nullable(), "Why the last refresh was refused."),
    createdBy: text("Who stored it, `kind:id`."),
    createdAt: time("When it was stored."),
    updatedAt: time("When it was changed."),
    lastUsedAt: time("To the minute.").nullable(),
  }),
)

/** A secret, as it goes in. No answer has one. */
export const secretFields = {
  secret: noted(jsonObject, 'Fields of your choice: `{ "token": "…" }`. At most 32,768 bytes of JSON. No answer has it.'),
  scopes: noted(z.array(z.string()), "What it allows, in the provider's words. Default: none are noted.").exactOptional(),
  expiresAt: time("When it ends. Default: never.").nullable().exactOptional(),
}
