import { type Context, Hono } from "hono"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import { isUuid } from "../signal/id.ts"
import { compilePattern } from "../signal/pattern.ts"
import type { LiveFeed } from "./live-feed.ts"
import { type Authenticate, type Principal, visibleTo } from "./principal.ts"
import { notFound } from "./problem.ts"

interface Variables {
  readonly principal: Principal
}

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 500

/** Reading one tenant's signals: a summary, a list, one signal, and the live feed. */
export function signalRoutes(fleet: Fleet, feed: LiveFeed, authenticate: Authenticate): Hono<{ Variables: Variables }> {
  const routes = new Hono<{ Variables: Variables }>()
  routes.use(async (context, next) => {
    context.set("principal", await authenticated(authenticate, context.req.raw))
    await next()
  })
  routes.get("/summary", async (context) => context.json(await feed.summary(context.get("principal").tenant)))
  routes.get("/signals", (context) => listPage(fleet, context))
  routes.get("/signals/live", (context) => openFeed(feed, context))
  routes.get("/signals/:id", (context) => detail(fleet, context))
  return routes
}

type SignalContext = Context<{ Variables: Variables }>

async function authenticated(authenticate: Authenticate, request: Request): Promise<Principal> {
  const principal = await authenticate(request)
  if (principal) return principal
  throw new FleetPromptError(
    "unauthenticated",
    "expected a session or an API key, got none that is valid; sign in or send a key",
  )
}

async function listPage(fleet: Fleet, context: SignalContext): Promise<Response> {
  const principal = context.get("principal")
  const { limit, before, pattern } = context.req.query()
  const page = await fleet.tenant(principal.tenant).signals.list({
    limit: checkLimit(limit),
    ...(before === undefined ? {} : { before: checkId("before", before) }),
    ...(pattern === undefined ? {} : { pattern }),
    visibilities: visibleTo(principal),
  })
  return context.json(page)
}

async function detail(fleet: Fleet, context: SignalContext): Promise<Response> {
  const principal = context.get("principal")
  const id = context.req.param("id") ?? ""
  const signal = isUuid(id)
    ? await fleet.tenant(principal.tenant).signals.get(id.toLowerCase(), visibleTo(principal))
    : undefined
  if (!signal) throw notFound("a signal")
  return context.json(signal)
}

function openFeed(feed: LiveFeed, context: SignalContext): Response {
  const pattern = context.req.query("pattern")
  const lastEventId = context.req.header("last-event-id")
  const body = feed.open({
    principal: context.get("principal"),
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
