import { z } from "zod"
import type { DirectiveDecision } from "../directives/directives-door.ts"
import type { DirectiveRecord } from "../store/directives.ts"
import { eventOf } from "./event-of.ts"
import { notFound } from "./problem.ts"
import { type Call, madeOrFound, may, mayAct, ownOf, route, type Route, tenantOf } from "./route.ts"
import {
  directive,
  directivePage,
  directiveRequested,
  directiveStatus,
  directiveTrail,
  newDirective,
} from "./schemas/directive-schemas.ts"
import { flag, limit, place, reason, text, uuid } from "./schemas/fields.ts"

const tag = "Directives"
const refusedAs = "directive_params_invalid"
const params = z.object({ id: uuid("Of the directive.") })
const onlyReason = z.object({ reason })
const errors = ["directive_unknown", "directive_state", "directive_params_invalid", "secret_refused"] as const

const listDirectives = route({
  method: "GET",
  path: "/v1/directives",
  name: "listDirectives",
  tag,
  summary: "What was ordered, newest first, by pages.",
  access: may("directives:read"),
  query: z.object({
    status: directiveStatus.exactOptional(),
    type: text("Only these.").exactOptional(),
    actor: text("Id of who requested it.").exactOptional(),
    awaitingApproval: flag("Those that wait for an approval, or do not."),
    limit: limit(500, 50),
    before: place("The `next` of the page before."),
  }),
  answers: { 200: directivePage },
  run: async (call) => {
    const { directives, next } = await tenantOf(call).directives.list(call.query)
    return { directives: directives.filter((each) => maySee(each, call)), next }
  },
})

const requestDirective = route({
  method: "POST",
  path: "/v1/directives",
  name: "requestDirective",
  tag,
  summary: "Orders something. The same key with the same type and params answers with the directive that there is.",
  access: mayAct("directives:request"),
  body: newDirective,
  headers: { "Idempotency-Key": "The `idempotencyKey`, where the body has none." },
  maxBodyBytes: 1_179_648,
  refusedAs,
  answers: { 200: directiveRequested, 201: directiveRequested },
  errors: [...errors, "directive_conflict", "data_not_json", "data_too_deep", "data_too_large", "hop_limit"],
  run: async (call) => {
    const key = call.request.headers.get("idempotency-key")
    const { type, params: given, ...options } = key === null ? call.body : { idempotencyKey: key, ...call.body }
    const order = { ...options, actor: call.principal }
    return madeOrFound(await tenantOf(call).directives.request(type, given ?? {}, order))
  },
})

const getDirective = route({
  method: "GET",
  path: "/v1/directives/:id",
  name: "getDirective",
  tag,
  summary: "One directive: where it stands, and what came of it.",
  access: may("directives:read"),
  params,
  answers: { 200: directive },
  run: found,
})

const getTrail = route({
  method: "GET",
  path: "/v1/directives/:id/trail",
  name: "getDirectiveTrail",
  tag,
  summary: "The signals of a directive: of its stages, of its own domain, of its run.",
  access: may("directives:read"),
  params,
  answers: { 200: directiveTrail },
  errors: ["directive_unknown"],
  run: async (call) => {
    const { id } = await found(call)
    const visible = call.fleet.access.visibleTo(call.principal)
    const trail = await tenantOf(call).directives.trail(id)
    return { signals: trail.filter(({ visibility }) => visible.includes(visibility)).map(eventOf) }
  },
})

const approveDirective = route({
  method: "POST",
  path: "/v1/directives/:id/approve",
  name: "approveDirective",
  tag,
  summary: "Lets a directive run that waits for an approval. Whoever requested it may not.",
  access: mayAct("directives:confirm"),
  params,
  body: onlyReason,
  answers: { 200: directive },
  errors,
  run: (call) => tenantOf(call).directives.approve(call.params.id, decisionOf(call)),
})

const rejectDirective = route({
  method: "POST",
  path: "/v1/directives/:id/reject",
  name: "rejectDirective",
  tag,
  summary: "Cancels a directive that waits for an approval. Whoever requested it may not; they may cancel it.",
  access: mayAct("directives:confirm"),
  params,
  body: onlyReason,
  answers: { 200: directive },
  errors,
  run: (call) => tenantOf(call).directives.reject(call.params.id, decisionOf(call)),
})

const cancelDirective = route({
  method: "POST",
  path: "/v1/directives/:id/cancel",
  name: "cancelDirective",
  tag,
  summary:
    "Ends a directive: at once before it has begun, else as soon as its step has ended, with what was done undone.",
  // Whose it is, the door finds out.
  access: mayAct("directives:cancel", ownOf),
  params,
  body: onlyReason,
  answers: { 200: directive },
  errors,
  run: (call) => tenantOf(call).directives.cancel(call.params.id, decisionOf(call)),
})

const rerunDirective = route({
  method: "POST",
  path: "/v1/directives/:id/rerun",
  name: "rerunDirective",
  tag,
  summary: "Requests what has ended once more, as a new directive. Asked twice, it answers with the same one.",
  access: mayAct("directives:request"),
  params,
  body: onlyReason,
  answers: { 200: directiveRequested, 201: directiveRequested },
  errors,
  run: async (call) => madeOrFound(await tenantOf(call).directives.rerun(call.params.id, decisionOf(call))),
})

/** What was ordered in the caller's tenant, and deciding about it. */
export const directiveRoutes: readonly Route[] = [
  listDirectives,
  requestDirective,
  getDirective,
  getTrail,
  approveDirective,
  rejectDirective,
  cancelDirective,
  rerunDirective,
]

async function found(call: Call<{ readonly id: string }>): Promise<DirectiveRecord> {
  const record = await tenantOf(call).directives.get(call.params.id)
  if (!record || !maySee(record, call)) throw notFound("a directive")
  return record
}

function maySee({ visibility }: DirectiveRecord, { fleet, principal }: Call): boolean {
  return fleet.access.visibleTo(principal).includes(visibility)
}

function decisionOf({ principal, body }: Call<unknown, unknown, z.output<typeof onlyReason>>): DirectiveDecision {
  return { actor: principal, ...body }
}
