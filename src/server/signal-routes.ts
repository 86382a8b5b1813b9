import { z } from "zod"
import { isUuid } from "../signal/id.ts"
import { compilePattern } from "../signal/pattern.ts"
import type { SignalDetail } from "../inspect/signal-detail.ts"
import { FleetPromptError } from "../errors.ts"
import { notFound } from "./problem.ts"
import { type Call, may, route, type Route, tenantOf } from "./route.ts"
import { limit, place, text, uuid } from "./schemas/fields.ts"
import {
  deliveryHistory,
  effectNode,
  signalBrief,
  signalChain,
  signalDetail,
  signalPage,
  summary,
} from "./schemas/signal-schemas.ts"

const tag = "Signals"
const DEFAULT_LIMIT = 100
const access = may("signals:read")
const params = z.object({ id: uuid("Of the signal.") })
const errors = ["pattern_invalid"] as const

const getSummary = route({
  method: "GET",
  path: "/v1/summary",
  name: "getSummary",
  tag,
  summary: "How many signals and deliveries the tenant has. Counted by reading.",
  access,
  answers: { 200: summary },
  run: ({ feed, principal }) => feed.summary(principal.tenant),
})

const listSignals = route({
  method: "GET",
  path: "/v1/signals",
  name: "listSignals",
  tag,
  summary: "Signals, newest first, by pages.",
  access,
  query: z.object({
    limit: limit(500, DEFAULT_LIMIT),
    before: place("The `next` of the page before: the id of a signal."),
    pattern: text("Only types that fit: `order.**`.").exactOptional(),
  }),
  answers: { 200: signalPage },
  errors: [...errors, "request_invalid"],
  run: (call) => {
    const { limit: most = DEFAULT_LIMIT, before, ...filter } = call.query
    return tenantOf(call).signals.list({
      ...filter,
      limit: most,
      ...(before !== undefined && { before: checkId("before", before) }),
      visibilities: call.fleet.access.visibleTo(call.principal),
    })
  },
})

const feedQuery = z.object({ pattern: text("Only types that fit: `order.**`.").exactOptional() })

const openLiveFeed = route({
  method: "GET",
  path: "/v1/signals/live",
  name: "openLiveFeed",
  tag,
  summary: "New signals and what comes of them, as Server-Sent Events.",
  access,
  query: feedQuery,
  headers: { "Last-Event-ID": "Id of the last signal that was seen: the feed goes on from there." },
  answers: {
    200: { mediaType: "text/event-stream", description: "Events `signals`, `deliveries`, `summary`, `reset`." },
  },
  errors: [...errors, "request_invalid"],
  run: openFeed,
})

const getSignal = route({
  method: "GET",
  path: "/v1/signals/:id",
  name: "getSignal",
  tag,
  summary: "One signal with its deliveries, causes and effects.",
  access,
  params,
  answers: { 200: signalDetail },
  run: detailOf,
})

const getCause = route({
  method: "GET",
  path: "/v1/signals/:id/cause",
  name: "getCause",
  tag,
  summary: "The signal that led to this one; 404 when it came from outside.",
  access,
  params,
  answers: { 200: signalBrief },
  run: async (call) => {
    const cause = (await detailOf(call)).ancestors.at(-1)
    if (!cause) throw notFound("a signal's cause")
    return cause
  },
})

const listEffects = route({
  method: "GET",
  path: "/v1/signals/:id/effects",
  name: "listEffects",
  tag,
  summary: "What a signal led to, as a tree.",
  access,
  params,
  answers: { 200: z.object({ effects: z.array(effectNode) }) },
  run: async (call) => ({ effects: (await detailOf(call)).effects }),
})

const getChain = route({
  method: "GET",
  path: "/v1/signals/:id/chain",
  name: "getChain",
  tag,
  summary: "What led to a signal, and what it led to.",
  access,
  params,
  answers: { 200: signalChain },
  run: async (call) => {
    const { ancestors, effects, signal } = await detailOf(call)
    return { ancestors, signal: briefOf(signal), effects }
  },
})

const listDeliveries = route({
  method: "GET",
  path: "/v1/signals/:id/deliveries",
  name: "listDeliveriesOfSignal",
  tag: "Deliveries",
  summary: "A signal's deliveries, each with what was tried.",
  access: may("deliveries:read"),
  params,
  answers: { 200: z.object({ deliveries: z.array(deliveryHistory) }) },
  run: async (call) => ({ deliveries: (await detailOf(call)).deliveries }),
})

/** Reading one tenant's signals: a summary, a list, one signal with its chain, and the live feed. */
export const signalRoutes: readonly Route[] = [
  getSummary,
  listSignals,
  openLiveFeed,
  getSignal,
  getCause,
  listEffects,
  getChain,
  listDeliveries,
]

async function detailOf(call: Call<{ readonly id: string }>): Promise<SignalDetail> {
  const { id } = call.params
  const visibilities = call.fleet.access.visibleTo(call.principal)
  const signal = isUuid(id) ? await tenantOf(call).signals.get(id.toLowerCase(), visibilities) : undefined
  if (!signal) throw notFound("a signal")
  return signal
}

const EMITTED_BY = /^handler:(.+)$/

function briefOf({ id, type, subject, time, source }: SignalDetail["signal"]): object {
  return { id, type, subject: subject ?? null, time, handler: EMITTED_BY.exec(String(source))?.[1] ?? null }
}

function openFeed({ feed, principal, authenticateAgain, request, query }: Call<unknown, z.output<typeof feedQuery>>) {
  const lastEventId = request.headers.get("last-event-id") ?? ""
  const body = feed.open({
    principal,
    authenticateAgain,
    pattern: query.pattern === undefined ? undefined : compilePattern(query.pattern),
    lastEventId: lastEventId === "" ? undefined : checkId("Last-Event-ID", lastEventId),
  })
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  })
}

function checkId(path: string, value: string): string {
  if (isUuid(value)) return value.toLowerCase()
  throw new FleetPromptError(
    "request_invalid",
    `expected the id of a signal, a UUID as ${path}, got something else; take it from an earlier answer`,
    { path },
  )
}
