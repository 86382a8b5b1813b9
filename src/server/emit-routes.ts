import { z } from "zod"
import type { Principal } from "../access/principal.ts"
import type { EmitItem, EmitResult } from "../emit/emit.ts"
import { FleetPromptError } from "../errors.ts"
import { fromHttp } from "../signal/codecs/codec-http.ts"
import type { Signal } from "../signal/signal.ts"
import { parseTraceparent } from "../signal/trace/trace-context.ts"
import { readBody } from "./read-body.ts"
import { type Call, madeOrFound, may, route, type Route, tenantOf } from "./route.ts"
import { noted } from "./schemas/fields.ts"
import { newSignal, stored } from "./schemas/signal-schemas.ts"

const tag = "Signals"
const access = may("signals:emit")
const refusedAs = "signal_invalid"
/** Longest body of one signal: the longest data, and what is around it. */
const MAX_BYTES = 1_179_648
/** Longest body of many. */
const MAX_MANY_BYTES = 8_388_608
const MAX_SIGNALS = 1_000

const errors = [
  "signal_invalid",
  "data_not_json",
  "data_too_deep",
  "data_too_large",
  "secret_refused",
  "idempotency_conflict",
  "emit_queue_full",
] as const
const headers = {
  "Idempotency-Key": "The `dedupeKey` of the signal, where the body has none: the same request again stores nothing.",
  traceparent: "W3C trace context, kept with the signal.",
}

const emitSignal = route({
  method: "POST",
  path: "/v1/signals",
  name: "emitSignal",
  tag,
  summary: "Stores a signal with its deliveries. The answer comes when both are committed.",
  access,
  body: newSignal,
  headers,
  maxBodyBytes: MAX_BYTES,
  refusedAs,
  answers: { 200: stored, 201: stored },
  errors,
  run: async (call) => {
    const key = call.request.headers.get("idempotency-key")
    const body = key === null ? call.body : { dedupeKey: key, ...call.body }
    const { type, data, ...options } = itemOf(body, call)
    return madeOrFound(briefOf(await tenantOf(call).emit(type, data, options)))
  },
})

const emitSignals = route({
  method: "POST",
  path: "/v1/signals/batch",
  name: "emitSignals",
  tag,
  summary: "Stores up to 1,000 signals in one commit, all or none.",
  access,
  body: z.object({ signals: z.array(newSignal).min(1).max(MAX_SIGNALS) }),
  maxBodyBytes: MAX_MANY_BYTES,
  refusedAs,
  answers: { 200: z.object({ results: noted(z.array(stored), "In the order of the signals.") }) },
  errors,
  run: async (call) => {
    const items = call.body.signals.map((signal) => itemOf(signal, call))
    return { results: (await tenantOf(call).emitMany(items)).map(briefOf) }
  },
})

const emitEvents = route({
  method: "POST",
  path: "/v1/events",
  name: "emitCloudEvents",
  tag,
  summary:
    "Stores CloudEvents (HTTP binding 1.0.2): one, structured or binary, or a batch of up to 1,000 in one commit.",
  access,
  headers: { traceparent: headers.traceparent },
  otherBody: [
    { mediaType: "application/cloudevents+json", description: "One event." },
    { mediaType: "application/cloudevents-batch+json", description: "An array of events." },
    { mediaType: "application/json", description: "The data of an event whose attributes are `ce-` headers." },
  ],
  maxBodyBytes: MAX_MANY_BYTES,
  answers: { 200: z.object({ results: noted(z.array(stored), "In the order of the events.") }) },
  errors: [...errors, "batch_too_large", "decode_failed", "body_too_large"],
  run: async (call) => {
    const body = await readBody(call.request, MAX_MANY_BYTES)
    const events = [fromHttp({ headers: call.request.headers, body })].flat()
    const items = events.map((event) => itemOfEvent(event, call))
    return { results: (await tenantOf(call).emitMany(items)).map(briefOf) }
  },
})

/** Storing signals, for whoever may. */
export const emitRoutes: readonly Route[] = [emitSignal, emitSignals, emitEvents]

function briefOf({ signal, inserted }: EmitResult): { readonly id: string; readonly inserted: boolean } {
  return { id: signal.id, inserted }
}

function itemOf(
  { schemaVersion, correlationId, causationId, ...attributes }: z.output<typeof newSignal>,
  call: Call,
): EmitItem {
  checkReserved(attributes)
  return {
    source: "api",
    ...attributes,
    data: attributes.data ?? null,
    metadata: {
      ...whoAndTrace(call),
      ...(schemaVersion !== undefined && { schema_version: schemaVersion }),
      ...(correlationId !== undefined && { correlation_id: correlationId }),
      ...(causationId !== undefined && { causation_id: causationId }),
    },
  }
}

/** An event is the same one by its source and id, so one that is sent again stores nothing. */
function itemOfEvent(event: Signal, call: Call): EmitItem {
  const { specversion: _, id, type, source, time, subject, data, dataschema, datacontenttype, ...extensions } = event
  checkJson(event)
  checkReserved({ source })
  return {
    type,
    source,
    data: data ?? null,
    time,
    sourceEventId: id,
    onConflict: "existing",
    ...(subject !== undefined && { subject }),
    ...(dataschema !== undefined && { dataschema }),
    // The other attributes of a CloudEvent are texts, numbers and booleans.
    extensions: extensions as Readonly<Record<string, string | number | boolean>>,
    metadata: whoAndTrace(call),
  }
}

const JSON_TYPE = /^[^;]*[/+]json\s*(;|$)/i

/** @throws FleetPromptError `signal_invalid` */
function checkJson({ data_base64: bytes, datacontenttype = "application/json" }: Signal): void {
  if (bytes === undefined && JSON_TYPE.test(datacontenttype)) return
  throw new FleetPromptError(
    "signal_invalid",
    "expected JSON as the data of an event, got another content type; store the content elsewhere and refer to it",
    { path: "datacontenttype" },
  )
}

/** What only the platform says of itself: who reads it must be able to believe it. */
const OWN_SOURCE = /^(?:handler|schedule|webhook|job|directives?|fleetprompt)(?:[:.]|$)/
const OWN_KEY = /^(?:job|schedule|dir|directive):/

/** @throws FleetPromptError `signal_invalid` */
function checkReserved({
  source = "",
  dedupeKey = "",
}: {
  readonly source?: string
  readonly dedupeKey?: string
}): void {
  if (OWN_SOURCE.test(source)) throw reserved("source")
  if (OWN_KEY.test(dedupeKey)) throw reserved("dedupeKey")
}

function reserved(path: string): FleetPromptError {
  return new FleetPromptError(
    "signal_invalid",
    `expected a ${path} of your own, got one that only the platform uses; choose another beginning`,
    { path },
  )
}

function whoAndTrace({ principal, request }: Call): NonNullable<EmitItem["metadata"]> {
  const trace = parseTraceparent(request.headers.get("traceparent") ?? "")
  return { ...actorOf(principal), ...(trace && { trace_id: trace.traceId, span_id: trace.spanId }) }
}

function actorOf({ kind, id, role }: Principal) {
  return { ...(kind === "user" && { actor_user_id: id }), actor_role: role }
}
