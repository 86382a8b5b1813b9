import { z } from "zod"
import { count, named, noted, text, time, uuid } from "./fields.ts"

/** Who did something. */
export const actor = named(
  "Actor",
  z.object({
    kind: noted(z.enum(["user", "api_key", "service_account", "operator", "host", "system"]), "What they are."),
    id: text("Of the person, key or account."),
    role: noted(z.string().nullable(), "The role in which it was done."),
  }),
)

/** What came of it. */
export const outcome = noted(z.enum(["done", "denied", "failed"]), "What came of it.")

/** What was done. */
export const auditEntry = named(
  "AuditEntry",
  z.object({
    position: count("Its place in the log: 1 and on, without a gap."),
    id: uuid("Of the entry."),
    occurredAt: time("With microseconds, by the database's clock."),
    actor,
    action: text("`member.role.change`"),
    resource: text("`member:0198…`"),
    outcome,
    details: noted(z.unknown(), "What else there is to know."),
    correlationId: noted(z.string().nullable(), "Of the signal, request or handler run that it was part of."),
    hash: text("SHA-256, 64 hex digits."),
  }),
)

/** Some entries. */
export const auditPage = named(
  "AuditPage",
  z.object({
    entries: z.array(auditEntry),
    next: noted(z.int().nullable(), "The `before` of the next page; null after the last."),
  }),
)

/** Where a log begins and ends, signed. */
export const auditHead = named(
  "AuditHead",
  z.object({
    tenant: text("Slug of the tenant, or `*` for the platform's own log."),
    basePosition: count("The last row that was pruned; 0: none was."),
    baseHash: text("Its hash."),
    position: count("The last row."),
    hash: text("Its hash."),
    signedAt: time("When it was signed."),
    keyId: noted(z.string().nullable(), "The key that signed it."),
    signature: noted(z.string().nullable(), "Null: it is not signed."),
  }),
)

/** What a check of the log found. */
export const auditReport = named(
  "AuditReport",
  z.object({
    tenant: text("Slug of the tenant, or `*` for the platform's own log."),
    ok: noted(z.boolean(), "Whether nothing is wrong."),
    signed: noted(z.boolean(), "Whether the log ends in a head that a trusted key signed."),
    rows: count("How many rows were checked."),
    head: auditHead.optional(),
    waiting: count("Entries that have no place in the chain yet."),
    findingCount: count("How many things are wrong."),
    findings: noted(
      z.array(
        z.object({
          kind: text("`edited`, `missing`, …"),
          position: z.int().nullable(),
          message: text("For people."),
        }),
      ),
      "The first 100 of them.",
    ),
  }),
)
