import { z } from "zod"
import { actorOf } from "../access/principal-actor.ts"
import { FleetPromptError } from "../errors.ts"
import type { RequestedBy } from "../tenants/act-entry.ts"
import type { ReplayRequest } from "../tenants/replay-request.ts"
import { notFound } from "./problem.ts"
import { type Call, may, mayAct, route, type Route, tenantOf } from "./route.ts"
import { limit, reason, uuid } from "./schemas/fields.ts"
import { replay, replayPlan, replayRequest } from "./schemas/replay-schemas.ts"

const tag = "Replays"
const refusedAs = "query_invalid"
const params = z.object({ id: uuid("Of the replay.") })
const onlyReason = z.object({ reason })
const errors = ["query_invalid", "pattern_invalid", "handler_unknown"] as const
/** How long a plan may take: whoever asks waits for it. */
const PLAN_MS = 10_000

const listReplays = route({
  method: "GET",
  path: "/v1/replays",
  name: "listReplays",
  tag,
  summary: "The latest replays, newest first.",
  access: may("replays:read"),
  query: z.object({ limit: limit(500, 50) }),
  answers: { 200: z.object({ replays: z.array(replay) }) },
  run: async (call) => ({ replays: await tenantOf(call).replays.list(call.query) }),
})

const getReplay = route({
  method: "GET",
  path: "/v1/replays/:id",
  name: "getReplay",
  tag,
  summary: "Where a replay stands.",
  access: may("replays:read"),
  params,
  answers: { 200: replay },
  run: async (call) => {
    const found = await tenantOf(call).replays.get(call.params.id)
    if (!found) throw notFound("a replay")
    return found
  },
})

const planReplay = route({
  method: "POST",
  path: "/v1/replays/plan",
  name: "planReplay",
  tag,
  summary: "What a replay would do, by walking the signals as it would. Changes nothing.",
  access: may("replays:start"),
  body: replayRequest,
  refusedAs,
  answers: { 200: replayPlan },
  errors,
  run: (call) => tenantOf(call).replays.plan(requestOf(call), { timeoutMs: PLAN_MS }),
})

const startReplay = route({
  method: "POST",
  path: "/v1/replays",
  name: "startReplay",
  tag,
  summary: "Has handlers run again on signals that were committed until now.",
  access: mayAct("replays:start"),
  body: replayRequest,
  refusedAs,
  answers: { 201: replay },
  errors,
  run: (call) => {
    const { kind, id, role } = call.principal
    return tenantOf(call).replays.start(requestOf(call), { actor: { kind, id, role } })
  },
})

/** A route that leads a replay from one status to another. */
function control(act: "pause" | "resume" | "cancel", summary: string): Route {
  return route({
    method: "POST",
    path: `/v1/replays/:id/${act}`,
    name: `${act}Replay`,
    tag,
    summary,
    access: mayAct("replays:control"),
    params,
    body: onlyReason,
    answers: { 200: replay },
    errors: ["replay_ended"],
    run: (call) => tenantOf(call).replays[act](call.params.id, requestedBy(call)),
  })
}

/** Running handlers on a tenant's signals again. */
export const replayRoutes: readonly Route[] = [
  listReplays,
  getReplay,
  planReplay,
  startReplay,
  control("pause", "Makes no more deliveries until it is resumed."),
  control("resume", "Goes on where it stopped, also after a failure."),
  control("cancel", "Ends it and takes its deliveries out of the queue, except those that run."),
]

/** @throws FleetPromptError `query_invalid` */
function requestOf({
  body: { signalId, filter, ...options },
}: Call<unknown, unknown, z.output<typeof replayRequest>>): ReplayRequest {
  if (signalId !== undefined && filter === undefined) return { ...options, signalId: signalId.toLowerCase() }
  if (filter !== undefined && signalId === undefined) return { ...options, filter }
  throw new FleetPromptError(
    "query_invalid",
    "expected either signalId or filter, got both or none; an empty filter takes every signal",
  )
}

function requestedBy({ principal, body }: Call<unknown, unknown, z.output<typeof onlyReason>>): RequestedBy {
  return { by: actorOf(principal), ...body }
}
