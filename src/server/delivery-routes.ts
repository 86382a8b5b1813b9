import { z } from "zod"
import type { Resource } from "../access/policy.ts"
import { actorOf } from "../access/principal-actor.ts"
import { FleetPromptError } from "../errors.ts"
import type { Visibility } from "../signal/stored-signal.ts"
import { eventOf } from "./event-of.ts"
import type { DeadLetterFilter } from "../tenants/dead-letter-filter.ts"
import type { BulkOptions } from "../tenants/dead-letters.ts"
import type { DeadLetterKey } from "../store/dead-letters.ts"
import { notFound } from "./problem.ts"
import { type Asked, type Call, may, mayAct, route, type Route, tenantOf } from "./route.ts"
import {
  deadLetterDetail,
  deadLetterPage,
  decided,
  letterConditions,
  letterDecision,
  openDeliveryPage,
  pause,
} from "./schemas/delivery-schemas.ts"
import { limit, noted, place, reason, text, uuid } from "./schemas/fields.ts"

const tag = "Deliveries"
const refusedAs = "query_invalid"
const errors = ["query_invalid", "pattern_invalid"] as const

const listOpenDeliveries = route({
  method: "GET",
  path: "/v1/deliveries",
  name: "listOpenDeliveries",
  tag,
  summary: "Deliveries that are to be done, by the age of their signals, by pages.",
  access: may("deliveries:read"),
  query: z.object({
    handler: text("Only this handler's.").exactOptional(),
    limit: limit(500, 100),
    after: place("The `next` of the page before."),
  }),
  answers: { 200: openDeliveryPage },
  run: (call) => tenantOf(call).deliveries.list({ ...call.query, visibilities: visibleTo(call) }),
})

const listDeadLetters = route({
  method: "GET",
  path: "/v1/dead-letters",
  name: "listDeadLetters",
  tag,
  summary: "Deliveries that were given up, newest first, by pages.",
  access: may("dead_letters:read"),
  query: z.object({ ...letterConditions, limit: limit(500, 50), after: place("The `next` of the page before.") }),
  answers: { 200: deadLetterPage },
  errors,
  run: async (call) => {
    const { letters, next } = await tenantOf(call).deadLetters.list(call.query)
    return { letters: letters.filter((letter) => maySee(letter, call)), next }
  },
})

const getDeadLetter = route({
  method: "GET",
  path: "/v1/dead-letters/:signalId/:handler",
  name: "getDeadLetter",
  tag,
  summary: "One dead letter with its signal and attempts.",
  access: may("dead_letters:read", byLetter),
  params: z.object({ signalId: uuid("Of the signal."), handler: text("Name of the handler.") }),
  answers: { 200: deadLetterDetail },
  run: async (call) => {
    const detail = await tenantOf(call).deadLetters.get(call.params.signalId, call.params.handler)
    if (!detail || !maySee(detail.letter, call)) throw notFound("a dead letter")
    return { ...detail, signal: detail.signal && eventOf(detail.signal) }
  },
})

const countDeadLetters = route({
  method: "GET",
  path: "/v1/dead-letters/count",
  name: "countDeadLetters",
  tag,
  summary: "How many dead letters meet every condition.",
  access: may("dead_letters:redrive"),
  query: z.object(letterConditions),
  answers: { 200: decided },
  errors,
  run: async (call) => ({ count: await tenantOf(call).deadLetters.count(call.query) }),
})

const redriveDeadLetters = route({
  method: "POST",
  path: "/v1/dead-letters/redrive",
  name: "redriveDeadLetters",
  tag,
  summary: "Puts dead letters back into the queue; their attempts begin anew.",
  access: mayAct("dead_letters:redrive"),
  body: letterDecision,
  refusedAs,
  answers: { 200: decided },
  errors: [...errors, "count_changed"],
  run: async (call) => ({ count: await tenantOf(call).deadLetters.redrive(whichOf(call), optionsOf(call)) }),
})

const discardDeadLetters = route({
  method: "POST",
  path: "/v1/dead-letters/discard",
  name: "discardDeadLetters",
  tag,
  summary: "Throws dead letters away.",
  access: mayAct("dead_letters:discard"),
  body: letterDecision,
  refusedAs,
  answers: { 200: decided },
  errors: [...errors, "count_changed"],
  run: async (call) => ({ count: await tenantOf(call).deadLetters.discard(whichOf(call), optionsOf(call)) }),
})

const listPauses = route({
  method: "GET",
  path: "/v1/pauses",
  name: "listPauses",
  tag,
  summary: "What of the tenant is not to be run for now, the oldest first.",
  access: may("pauses:read"),
  answers: { 200: z.object({ pauses: z.array(pause) }) },
  run: async ({ fleet, principal }) => {
    const pauses = await fleet.pauses.list()
    return { pauses: pauses.filter(({ tenant }) => tenant === principal.tenant) }
  },
})

const pauseBody = z.object({
  handler: text("Only this handler. Default: every handler.").exactOptional(),
  reason,
})

const pauseDeliveries = route({
  method: "POST",
  path: "/v1/pauses",
  name: "pauseDeliveries",
  tag,
  summary: "Holds deliveries back until they are resumed; what runs already runs on.",
  access: mayAct("pauses:pause"),
  body: pauseBody,
  refusedAs,
  answers: { 201: pause },
  run: (call) => tenantOf(call).pauses.pause({ ...call.body, by: actorOf(call.principal) }),
})

const resumeDeliveries = route({
  method: "POST",
  path: "/v1/pauses/resume",
  name: "resumeDeliveries",
  tag,
  summary: "Ends the pause of exactly this handler, or of every handler.",
  access: mayAct("pauses:resume"),
  body: pauseBody,
  refusedAs,
  answers: { 200: z.object({ wasPaused: noted(z.boolean(), "Whether there was such a pause.") }) },
  run: async (call) => ({
    wasPaused: await tenantOf(call).pauses.resume({ ...call.body, by: actorOf(call.principal) }),
  }),
})

/** A tenant's deliveries: those to be done, those that were given up, and what holds them back. */
export const deliveryRoutes: readonly Route[] = [
  listOpenDeliveries,
  listDeadLetters,
  countDeadLetters,
  getDeadLetter,
  redriveDeadLetters,
  discardDeadLetters,
  listPauses,
  pauseDeliveries,
  resumeDeliveries,
]

function visibleTo({ fleet, principal }: Call): readonly Visibility[] {
  return fleet.access.visibleTo(principal)
}

/** What is told of a letter whose signal is gone says nothing of the signal. */
function maySee({ visibility }: { readonly visibility: Visibility | null }, call: Call): boolean {
  return visibleTo(call).includes(visibility ?? "admin_only")
}

function byLetter({ params: { signalId = "", handler = "" } }: Asked): Resource {
  return { id: `${signalId}/${handler}` }
}

type Decision = Call<unknown, unknown, z.output<typeof letterDecision>>

/** @throws FleetPromptError `query_invalid` */
function whichOf({ body: { letter, filter } }: Decision): DeadLetterFilter | DeadLetterKey {
  const which = letter ?? filter
  if (which && !(letter && filter)) return which
  throw new FleetPromptError("query_invalid", "expected either letter or filter, got both or none; name one of them")
}

function optionsOf({ body: { expected, reason }, principal }: Decision): BulkOptions {
  return {
    by: actorOf(principal),
    ...(expected !== undefined && { expected }),
    ...(reason !== undefined && { reason }),
  }
}
