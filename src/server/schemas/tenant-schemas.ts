import { z } from "zod"
import { count, jsonObject, named, noted, text, time, uuid } from "./fields.ts"

/** Where a tenant's rows are. */
export const placement = noted(
  z.enum(["own", "shared"]),
  "own: a schema of its own; shared: the schema that small tenants share.",
)

/** How much of the workers a tenant gets. */
export const tenantClass = noted(
  z.enum(["standard", "premium", "enterprise"]),
  "How much of the workers it gets while others want them too.",
)

/** A tenant. What only operators are told is optional. */
export const tenant = named(
  "Tenant",
  z.object({
    slug: text("Its name in addresses."),
    status: noted(
      z.enum(["provisioning", "ready", "suspended", "moving", "deleting", "deleted", "failed", "elsewhere"]),
      "Where it stands; `elsewhere`: it is in another database of the fleet, which is away.",
    ),
    statusReason: noted(z.string().nullable(), "Why it is not ready, for people."),
    placement,
    class: tenantClass,
    deleteAfter: time("When its rows are removed, while it is `deleting`.").nullable(),
    schemaName: text("To operators.").optional(),
    holdsDeliveries: noted(z.boolean(), "To operators: its deliveries are not claimed.").optional(),
    schemaVersion: count("To operators: the last migration that its schema has.").optional(),
    breakingVersion: count("To operators: the last one after which older releases cannot work with it.").optional(),
    quarantineReason: noted(z.string().nullable(), "To operators: a migration of its schema failed.").optional(),
    generation: count("To operators: grows with moves that change the order of signals.").optional(),
    cell: noted(
      z.string().nullable(),
      "To operators: in which further database of the fleet it is; null: in the first one.",
    ).optional(),
    freeAfter: time("To operators: when the slug of a deleted tenant may be taken.").nullable().optional(),
  }),
)

/** Some tenants. */
export const tenantPage = named(
  "TenantPage",
  z.object({
    tenants: z.array(tenant),
    next: noted(z.string().nullable(), "The `after` of the next page; null after the last."),
  }),
)

/** Something that is done to a tenant and takes a while. What only operators are told is optional. */
export const operation = named(
  "Operation",
  z.object({
    id: uuid("Of the operation."),
    tenant: text("Slug of the tenant."),
    kind: noted(
      z.enum(["provision", "suspend", "resume", "export", "import", "delete", "move"]),
      "What is done.",
    ),
    status: noted(z.enum(["waiting", "running", "completed", "cancelled", "failed"]), "The last three are for good."),
    step: text("Where it stands."),
    progress: noted(z.object({ done: z.number(), total: z.number() }), "Of the step; 0 of 0 when it cannot be said."),
    cancelRequested: noted(z.boolean(), "Somebody wants it to end."),
    dueAt: time("When its next step is due."),
    createdAt: time("When it was asked for."),
    updatedAt: time("When it last got further."),
    finishedAt: time("When it ended.").nullable(),
    params: noted(jsonObject, "To operators.").optional(),
    state: noted(jsonObject, "To operators: what the steps found out.").optional(),
    error: noted(jsonObject.nullable(), "To operators.").optional(),
    requestedBy: noted(z.string().nullable(), "To operators.").optional(),
    reason: noted(z.string().nullable(), "To operators.").optional(),
  }),
)

/** Something of the tenants that is not as it should be. */
export const tenantFinding = named(
  "TenantFinding",
  z.object({
    id: text("The same for the same thing, each time."),
    problem: text("`behind`, `stuck`, …"),
    message: text("What it is, for people."),
    repair: noted(jsonObject, "What would mend it."),
    proposal: text("What the repair would do, for people."),
    destroys: noted(z.boolean(), "The repair removes something for good."),
  }),
)
