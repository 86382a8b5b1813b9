import { type Context, Hono } from "hono"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import { isUuid } from "../signal/id.ts"
import { compilePattern } from "../signal/pattern.ts"
import type { LiveFeed } from "./live-feed.ts"
import { type AccessEnv, permit } from "./permit.ts"
import { notFound } from "./problem.ts"

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 500

/** Reading one tenant's signals: a summary, a list, one signal, and the live feed. */
export function signalRoutes(fleet: Fleet, feed: LiveFeed): Hono<AccessEnv> {
  const routes = new Hono<AccessEnv>()
  const mayRead = permit(fleet, "signals:read")
  routes.get("/summary", mayRead, async (context) => context.json(await feed.summary(context.get("principal").tenant)))
  routes.get("/signals", mayRead, (context) => listPage(fleet, context))
  routes.get("/signals/live", mayRead, (context) => openFeed(feed, context))
  routes.get("/signals/:id", mayRead, (context) => detail(fleet, context))
  return routes
}

type SignalContext = Context<AccessEnv>

async function listPage(fleet: Fleet, context: SignalContext): Promise<Response> {
  const principal = context.get("principal")
  const { limit, before, pattern } = context.req.query()
  const page = await fleet.tenant(principal.tenant).signals.list({
    limit: checkLimit(limit),
    ...(before === undefined ? {} : { before: checkId("before", before) }),
    ...(pattern === undefined ? {} : { pattern }),
    visibilities: fleet.access.visibleTo(principal),
  })
  return context.json(page)
}

async function detail(fleet: Fleet, context: SignalContext): Promise<Response> {
  const principal = context.get("principal")
  const id = context.req.param("id") ?? ""
  const signal = isUuid(id)
    ? await fleet.tenant(principal.tenant).signals.get(id.toLowerCase(), fleet.access.visibleTo(principal))
    : undefined
  if (!signal) throw notFound("a signal")
  return context.json(signal)
}

function openFeed(feed: LiveFeed, context: SignalContext): Response {
  const pattern = context.req.query("pattern")
  const lastEventId = context.req.header("last-event-id")
  const body = feed.open({
    principal: context.get("principal"),
    authenticateAgain: context.get("authenticateAgain"),
    pattern: pattern === undefined ? undefined : compilePattern(pattern),
    lastEventId: lastEventId === undefined || lastEventId === "" ? undefined : checkId("Last-Event-ID", lastEventId),
  })
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  })
}

function checkLimit(text: string | undefined): number {
  const limit = text === undefined ? DEFAULT_LIMIT : Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw invalid("limit", `a whole number from 1 to ${MAX_LIMIT}`)
}

function checkId(name: string, text: string): string {
  if (isUuid(text)) return text.toLowerCase()
  throw invalid(name, "the id of a signal, a UUID")
}

function invalid(path: string, expected: string): FleetPromptError {
  return new FleetPromptError("request_invalid", `expected ${expected} as ${path}, got something else`, { path })
}
