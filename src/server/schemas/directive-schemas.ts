import { z } from "zod"
import { actor } from "./audit-schemas.ts"
import { count, jsonObject, moment, named, next, noted, reason, text, time, uuid } from "./fields.ts"
import { cloudEvent, visibility } from "./signal-schemas.ts"

/** Where a directive stands. */
export const directiveStatus = noted(
  z.enum(["requested", "running", "completed", "failed", "cancelled"]),
  "The last three are for good.",
)

/** What somebody ordered, and what came of it. */
export const directive = named(
  "Directive",
  z.object({
    id: uuid("Of the directive."),
    type: text("What is to be done: `package.install`."),
    status: directiveStatus,
    params: noted(z.unknown(), "How."),
    paramsChecksum: text("SHA-256 of the params as canonical JSON, hex."),
    result: noted(z.unknown(), "What its run answered."),
    errorKind: noted(z.string().nullable(), "Why it failed or was cancelled: a code."),
    errorMessage: noted(z.string().nullable(), "The same, for people."),
    errorDetails: jsonObject,
    requestedAt: time("When it was ordered."),
    startedAt: time("When its run began.").nullable(),
    completedAt: time("When it ended.").nullable(),
    runAt: time("Not before this moment.").nullable(),
    expiresAt: time("When it has not begun by then, it is cancelled.").nullable(),
    actor,
    actorUserId: noted(z.string().nullable(), "The person of the platform who requested it, or whose API key did."),
    actorPerson: noted(z.string().nullable(), "The person behind an API key."),
    reason: noted(z.string().nullable(), "Why, for people."),
    correlationId: text("Of its signals."),
    causationId: noted(z.string().nullable(), "The signal that led to it."),
    idempotencyKey: noted(z.string().nullable(), "The same key with the same type and params is the same directive."),
    rerunOf: noted(z.string().nullable(), "The directive that it repeats."),
    plan: noted(z.unknown(), "What was said at the request about what it will do."),
    visibility,
    approval: noted(z.enum(["waiting", "approved", "rejected"]).nullable(), "Null when none is needed."),
    decidedBy: actor.nullable(),
    decidedAt: time("When that was decided.").nullable(),
    decisionReason: noted(z.string().nullable(), "Why."),
    cancelRequested: noted(z.boolean(), "Somebody wants it to end while it runs."),
    attempt: count("The attempt that began last; 0 before the first."),
    progress: noted(
      z.object({ done: z.number(), total: z.number(), text: z.string().nullable().optional() }).nullable(),
      "How far its run says it is.",
    ),
  }),
)

/** Some directives. */
export const directivePage = named("DirectivePage", z.object({ directives: z.array(directive), next }))

/** What came of a request. */
export const directiveRequested = named(
  "DirectiveRequested",
  z.object({ directive, inserted: noted(z.boolean(), "False when the tenant had it already, by its key.") }),
)

/** The signals of a directive. */
export const directiveTrail = named(
  "DirectiveTrail",
  z.object({ signals: noted(z.array(cloudEvent), "In the order in which they were stored.") }),
)

/** An order. */
export const newDirective = named(
  "NewDirective",
  z.object({
    type: text("Of a directive that this server has."),
    params: noted(z.unknown(), "How. Ids of credentials, never secrets.").optional(),
    idempotencyKey: text("The same key with the same type and params is the same directive.").exactOptional(),
    runAt: moment("Not before this moment. Default: at once."),
    expiresAt: moment("When it has not begun by then, it is cancelled. Default: never."),
    correlationId: text("Of its signals. Default: its id.").exactOptional(),
    causationId: uuid("The signal that led to it.").exactOptional(),
    reason,
  }),
)
