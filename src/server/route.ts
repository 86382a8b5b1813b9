import type { Context, Handler, MiddlewareHandler } from "hono"
import { Hono } from "hono"
import { z } from "zod"
import { type Acting, actingAs } from "../access/acting.ts"
import type { Permission } from "../access/policies.ts"
import type { Resource } from "../access/policy.ts"
import type { Principal } from "../access/principal.ts"
import { type ErrorCode, FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import type { Tenant } from "../tenants/tenant.ts"
import { checkInput, type InputTerms } from "./check-input.ts"
import type { LiveFeed } from "./live-feed.ts"
import { type AccessEnv, known, permit, permitAct } from "./permit.ts"
import type { InvitationMail } from "./invitation-mail.ts"
import { notFound } from "./problem.ts"
import { readJson } from "./read-json.ts"

/** What a decision about a request knows of it. */
export interface Asked {
  readonly principal: Principal
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
}

/** Who may use a route. */
export type RouteAdmission =
  | {
      readonly kind: "permission"
      readonly permission: Permission
      /** Its door notes the act in the audit log itself, with who did it. */
      readonly isAct: boolean
      /** What the request is about, where the decision needs more than the tenant and the `:id` of the path. */
      readonly resourceOf: (asked: Asked) => Resource
    }
  /** Anybody who is known, in no tenant even: what they see and change is their own. */
  | { readonly kind: "known" }

/** Whoever the table of policies lets. */
export function may(permission: Permission, resourceOf: (asked: Asked) => Resource = byId): RouteAdmission {
  return { kind: "permission", permission, isAct: false, resourceOf }
}

/** As `may`, for a route whose door notes the act in the audit log itself. */
export function mayAct(permission: Permission, resourceOf: (asked: Asked) => Resource = byId): RouteAdmission {
  return { kind: "permission", permission, isAct: true, resourceOf }
}

function byId({ params: { id } }: Asked): Resource {
  return id === undefined ? {} : { id }
}

/** What belongs to the caller: the door decides again by what it finds. */
export function ownOf({ principal, params: { id } }: Asked): Resource {
  return { belongsTo: principal.id, ...(id !== undefined && { id }) }
}

/** What a route's code works with. */
export interface RouteDeps {
  readonly fleet: Fleet
  readonly feed: LiveFeed
  readonly sendInvitation?: (mail: InvitationMail) => Promise<void>
  readonly onError?: (error: unknown) => void
}

/** A request that was let in and checked. */
export interface Call<Params = unknown, Query = unknown, Body = unknown> extends RouteDeps {
  readonly principal: Principal
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly request: Request
  /** Finds out again who is calling, for what goes on after the request. */
  readonly authenticateAgain: () => Promise<Principal | undefined>
}

/** An answer that is no JSON. */
export interface OtherMedia {
  readonly mediaType: string
  readonly description: string
}

/** What a route answers when all went well, by status; null: nothing. The lowest is sent unless `run` answers itself. */
export type Answers = Readonly<Partial<Record<200 | 201 | 202 | 204, z.ZodType | OtherMedia | null>>>

/** Groups of routes, in the order of the documents. */
export const TAGS = [
  "Signals",
  "Deliveries",
  "Replays",
  "Directives",
  "Packages",
  "Installations",
  "People",
  "API keys",
  "Credentials",
  "Audit log",
  "Tenants",
  "Schedules",
] as const

/** What a route says of itself, from which its checks, the documents and the client come. */
export interface RouteTerms {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  /** With parameters as `:id`. */
  readonly path: `/v1/${string}`
  /** The only one of this name; the client's function. */
  readonly name: string
  readonly tag: (typeof TAGS)[number]
  /** One sentence. */
  readonly summary: string
  readonly access: RouteAdmission
  readonly params?: z.ZodObject
  readonly query?: z.ZodObject
  /** Of a JSON body; others are read by `run`, and described by `otherBody`. */
  readonly body?: z.ZodType
  readonly otherBody?: readonly OtherMedia[]
  /** Headers that it reads: descriptions by name. */
  readonly headers?: Readonly<Record<string, string>>
  /** Longest body, bytes. Default 65,536. */
  readonly maxBodyBytes?: number
  /** With which code a body that does not fit is refused. Default `request_invalid`. */
  readonly refusedAs?: ErrorCode
  /** Fields of the body that have a code of their own. */
  readonly fieldsRefusedAs?: Readonly<Record<string, ErrorCode>>
  readonly answers: Answers
  /** What else may come of it, besides what may come of each route. */
  readonly errors?: readonly ErrorCode[]
}

/** A route with its code. */
export interface Route extends RouteTerms {
  /** Answers a request that was let in. */
  readonly answer: (context: Context<AccessEnv>, deps: RouteDeps) => Promise<Response>
}

/** What a route is made of. */
export interface RouteSpec<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
> extends RouteTerms {
  readonly params?: Params
  readonly query?: Query
  readonly body?: Body
  /** Does the work. What it returns is sent as JSON; a Response as it is. */
  readonly run: (call: Call<z.output<Params>, z.output<Query>, z.output<Body>>) => unknown
}

/**
 * Declares a route: the one place that says what it takes, what it answers and who may use it.
 *
 * @example
 * const getKey = route({
 *   method: "GET",
 *   path: "/v1/api-keys/:id",
 *   name: "getApiKey",
 *   tag: "API keys",
 *   summary: "One API key.",
 *   access: may("api_keys:read", ownOf),
 *   params: z.object({ id: uuid("Of the key.") }),
 *   answers: { 200: apiKey },
 *   run: (call) => tenantOf(call).apiKeys.get(call.params.id),
 * })
 */
export function route<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType>({
  run,
  ...terms
}: RouteSpec<Params, Query, Body>): Route {
  const { params = NOTHING, query = NOTHING, answers } = terms
  const status = Number(Object.keys(answers)[0])
  return Object.freeze({
    ...terms,
    answer: async (context: Context<AccessEnv>, deps: RouteDeps) => {
      const { req } = context
      const call = {
        ...deps,
        principal: context.get("principal"),
        authenticateAgain: context.get("authenticateAgain"),
        request: req.raw,
        params: checkInput(params, req.param(), { of: "path", code: "request_invalid" }),
        query: checkInput(query, req.query(), { of: "query", code: "query_invalid" }),
        body: terms.body && checkInput(terms.body, await bodyOf(req.raw, terms), bodyTerms(terms)),
        // Each part is what its schema makes of it; a route without one has none.
      } as Call<z.output<Params>, z.output<Query>, z.output<Body>>
      return answerOf(await run(call), status)
    },
  })
}

const NOTHING = z.object({})

function bodyTerms({ refusedAs = "request_invalid", fieldsRefusedAs = {} }: RouteTerms): InputTerms {
  return { of: "body", code: refusedAs, codes: fieldsRefusedAs }
}

/** Where every field may be left out, so may the body. */
async function bodyOf(request: Request, { body, maxBodyBytes }: RouteTerms): Promise<unknown> {
  if (request.body === null && body?.safeParse({}).success) return {}
  return readJson(request, maxBodyBytes)
}

function answerOf(value: unknown, status: number): Response {
  if (value instanceof Response) return value
  return value === undefined ? new Response(null, { status: 204 }) : Response.json(value, { status })
}

/** Hono's routes of declared ones. */
export function serveRoutes(routes: readonly Route[], deps: RouteDeps): Hono<AccessEnv> {
  const app = new Hono<AccessEnv>()
  for (const route of routes) {
    const handler: Handler<AccessEnv> = (context) => route.answer(context, deps)
    app.on(route.method, [route.path], storable(route), admission(route.access, deps), handler)
  }
  return app
}

/** No text of Postgres has the character NUL, so nothing is there that an address names by it. */
function storable({ query }: Route): MiddlewareHandler<AccessEnv> {
  const hasNul = (texts: Readonly<Record<string, string>>): boolean =>
    Object.values(texts).some((value) => value.includes("\u0000"))
  return async ({ req }, next) => {
    if (hasNul(req.param())) throw notFound("something")
    if (query && hasNul(req.query()))
      throw new FleetPromptError(
        "query_invalid",
        "expected texts that Postgres can hold, got the character NUL; leave it out",
      )
    await next()
  }
}

function admission(access: RouteAdmission, { fleet }: RouteDeps): MiddlewareHandler<AccessEnv> {
  if (access.kind === "known") return known()
  const { permission, isAct, resourceOf } = access
  const admit = isAct ? permitAct : permit
  return admit(fleet, permission, (context) =>
    resourceOf({ principal: context.get("principal"), params: context.req.param(), query: context.req.query() }),
  )
}

/** The door of the caller's tenant. */
export function tenantOf({ fleet, principal }: Call): Tenant {
  return fleet.tenant(principal.tenant)
}

/** For whom something is done: the caller, as far as the policies let them. */
export function byCaller({ fleet, principal }: Call): { readonly by: Acting } {
  return { by: actingAs(fleet.access, principal) }
}

/** Answers with something that was made, 201, or that was there already, 200. */
export function madeOrFound(value: { readonly inserted: boolean }): Response {
  return Response.json(value, { status: value.inserted ? 201 : 200 })
}

/** What holds a secret is kept by nobody on the way. */
export function noStore(made: object, status: number): Response {
  return Response.json(made, { status, headers: { "cache-control": "no-store" } })
}
