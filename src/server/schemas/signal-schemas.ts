import { z } from "zod"
import { count, jsonObject, named, next, noted, text, time, uuid } from "./fields.ts"

/** Who may read a signal. */
export const visibility = noted(
  z.enum(["internal", "admin_only"]),
  "internal: every member of the tenant; admin_only: its admins and owners.",
)

/** Where a delivery stands. */
export const deliveryStatus = noted(
  z.enum(["waiting", "running", "retrying", "done", "cancelled", "dead"]),
  "waiting: not tried yet; retrying: failed, to be tried again; dead: given up.",
)

const deliveryFields = {
  handler: text("Name of the handler."),
  status: deliveryStatus,
  attempts: count("How often it was tried."),
  nextAttemptAt: time("With `retrying`: when the next attempt is due.").nullable(),
  error: noted(z.string().nullable(), "Message of the last attempt's error, when it failed."),
}

/** One signal for one handler. */
export const delivery = named("Delivery", z.object(deliveryFields))

/** One try of a delivery. */
export const attempt = named(
  "Attempt",
  z.object({
    attempt: count("1 for the first."),
    outcome: noted(
      z.enum(["done", "failed", "snoozed", "cancelled", "dead", "lost", "discarded"]),
      "What came of it. failed: to be tried again.",
    ),
    worker: text("The process that ran it."),
    version: count("Of the handler that ran."),
    replayId: noted(z.string().nullable(), "The replay that it was part of."),
    startedAt: time("When it began."),
    finishedAt: time("When it ended."),
    error: noted(jsonObject.nullable(), "Name, message, perhaps code and stack."),
  }),
)

/** A delivery with what was tried. */
export const deliveryHistory = named(
  "DeliveryHistory",
  z.object({ ...deliveryFields, history: noted(z.array(attempt), "Every attempt, in order.") }),
)

/** A signal in a list, without its data. */
export const signalView = named(
  "SignalView",
  z.object({
    id: uuid("Of the signal."),
    type: text("`lead.received`"),
    source: text("Where it happened."),
    subject: noted(z.string().nullable(), "What it is about."),
    time: time("When it happened."),
    correlationId: text("Shared by all signals of one first cause."),
    causationId: noted(z.string().nullable(), "The signal that led to it."),
    redacted: noted(z.boolean(), "Whether content was replaced by a marker before it was stored."),
    deliveries: z.array(delivery),
  }),
)

/** Some signals. */
export const signalPage = named("SignalPage", z.object({ signals: z.array(signalView), next }))

/** A signal as a CloudEvents JSON object. */
export const cloudEvent = named(
  "CloudEvent",
  z.looseObject({
    specversion: z.literal("1.0"),
    id: text("Of the signal."),
    source: text("Where it happened, a URI reference."),
    type: text("`lead.received`"),
    time: time("When it happened."),
    subject: text("What it is about.").optional(),
    datacontenttype: text("Of the data.").optional(),
    dataschema: text("URI of the schema that the data follows.").optional(),
    data: noted(z.unknown(), "What happened, JSON.").optional(),
  }),
)

const briefFields = {
  id: uuid("Of the signal."),
  type: text("`lead.received`"),
  subject: noted(z.string().nullable(), "What it is about."),
  time: time("When it happened."),
  handler: noted(z.string().nullable(), "The handler that emitted it; null: it came from outside."),
}

/** A signal as a member of a causal chain. */
export const signalBrief = named("SignalBrief", z.object(briefFields))

/** A signal with all that it caused, as the API has it. */
interface EffectBrief extends z.output<typeof signalBrief> {
  readonly effects: EffectBrief[]
}

/** A signal with all that it caused. */
export const effectNode: z.ZodType<EffectBrief> = z.object({
  ...briefFields,
  effects: z.lazy(() => z.array(effectNode)),
})
named("EffectNode", effectNode)

const effects = noted(z.array(effectNode), "What it led to, as a tree.")
const ancestors = noted(z.array(signalBrief), "What led to it, the first cause first.")

/** What the platform knows about a signal besides its content. */
export const signalMetadata = named(
  "SignalMetadata",
  z.looseObject({
    schema_version: count("Of the schema of the data."),
    correlation_id: text("Shared by all signals of one first cause."),
    causation_id: noted(z.string().nullable(), "The signal that led to it."),
  }),
)

/** Everything there is to know of one signal. */
export const signalDetail = named(
  "SignalDetail",
  z.object({
    signal: cloudEvent,
    metadata: signalMetadata,
    visibility,
    dedupeKey: noted(z.string().nullable(), "The key under which the tenant has this fact once."),
    sourceEventId: noted(z.string().nullable(), "The provider's id of the event."),
    deliveries: z.array(deliveryHistory),
    ancestors,
    effects,
  }),
)

/** The chain that a signal stands in. */
export const signalChain = named("SignalChain", z.object({ ancestors, signal: signalBrief, effects }))

/** What the head of the page shows. */
export const summary = named(
  "Summary",
  z.object({
    tenant: text("Its slug."),
    database: text("Which kind it is."),
    signals: count("How many there are."),
    deliveries: z.object({
      waiting: count("Not tried yet."),
      running: count("At the moment."),
      retrying: count("To be tried again."),
      done: count("Attempts that ended well."),
      dead: count("Attempts that were the last."),
    }),
  }),
)

/** A signal to be stored. */
export const newSignal = named(
  "NewSignal",
  z.object({
    type: text('Segments of letters, digits, `_` or `-` with dots between: `lead.received`.'),
    data: noted(z.unknown(), "What happened, JSON. Default null.").optional(),
    source: text("Where it happened, a URI reference. Default `api`.").exactOptional(),
    subject: text("What it is about, `type:id` by custom.").exactOptional(),
    time: time("When it happened. Default now.").exactOptional(),
    dataschema: text("URI of the schema that the data follows.").exactOptional(),
    extensions: noted(
      z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
      "Further CloudEvents attributes, in small letters.",
    ).exactOptional(),
    schemaVersion: count("Of the schema of the data. Default 1.").exactOptional(),
    correlationId: text("Shared by all signals of one first cause. Default its own id.").exactOptional(),
    causationId: uuid("The signal that led to it.").exactOptional(),
    visibility: visibility.exactOptional(),
    dedupeKey: text("The key under which the tenant has this fact once, at most 500 characters.").exactOptional(),
    sourceEventId: text("The provider's id of the event, unique together with `source`.").exactOptional(),
  }),
)

/** What came of storing a signal. */
export const stored = named(
  "StoredSignal",
  z.object({
    id: uuid("Of the signal."),
    inserted: noted(z.boolean(), "False when the tenant had this fact already; then the id is that one's."),
  }),
)
