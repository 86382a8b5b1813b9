import { z } from "zod"
import { named, noted, role, text, time, uuid } from "./fields.ts"

/** An API key, without its text. */
export const apiKey = named(
  "ApiKey",
  z.object({
    id: text("Stands in the key's text."),
    name: text("For people."),
    role,
    scopes: noted(z.array(z.string()).nullable(), "`resource:action`; null: whatever the role may."),
    owner: z.object({ kind: z.enum(["user", "service_account", "host"]), id: text("Of the owner.") }),
    status: noted(z.enum(["active", "expired", "revoked"]), "expired, revoked: does not work any more."),
    replacedBy: noted(z.string().nullable(), "The key that took its place; until `expiresAt` both work."),
    createdBy: noted(z.string().nullable(), "Who made it, `kind:id`."),
    createdAt: time("When it was made."),
    expiresAt: time("Until when it works; null: until it is revoked.").nullable(),
    revokedAt: time("When it was revoked.").nullable(),
    lastUsedAt: time("To the minute.").nullable(),
    lastUsedFrom: noted(z.string().nullable(), "From which address."),
  }),
)

/** A key that was made: the only answer with its text. */
export const newApiKey = named("NewApiKey", z.object({ key: text("The key. It is kept nowhere."), record: apiKey }))

/** A caller of the tenant that is no person. */
export const serviceAccount = named(
  "ServiceAccount",
  z.object({
    id: uuid("Of the account."),
    name: text("One of its own in the tenant."),
    role,
    enabled: noted(z.boolean(), "Whether its keys work."),
    createdBy: noted(z.string().nullable(), "Who made it, `kind:id`."),
    createdAt: time("When it was made."),
  }),
)
