import type { Context, Handler, MiddlewareHandler } from "hono"
import { FleetPromptError } from "../errors.ts"
import type { Authenticate } from "../access/authenticate.ts"
import type { Permission } from "../access/policies.ts"
import type { AccessPolicy, Resource } from "../access/policy.ts"
import type { Principal } from "../access/principal.ts"

/** What a route behind `authentication` knows of its caller. */
export interface AccessEnv {
  Variables: {
    readonly principal: Principal
    /** Finds out again who is calling, for what goes on after the request. */
    readonly authenticateAgain: () => Promise<Principal | undefined>
  }
}

/** Who may use a route. */
export type RouteAccess =
  /** Whoever the table of policies lets. */
  | { readonly kind: "permission"; readonly permission: Permission }
  /** Anybody who is known, in no tenant even: what they see and change is their own. */
  | { readonly kind: "known" }
  /** Anybody, for a stated reason. */
  | { readonly kind: "open"; readonly reason: string }

const accesses = new WeakMap<object, RouteAccess>()

/** What a handler says of who may use its route; undefined: nothing. A test finds every route that has none. */
export function accessOf(handler: object): RouteAccess | undefined {
  return accesses.get(handler)
}

/** Finds out who is calling, for all routes behind it. @throws FleetPromptError `unauthenticated` */
export function authentication(authenticate: Authenticate): MiddlewareHandler<AccessEnv> {
  return async (context, next) => {
    const principal = await authenticate(context.req.raw)
    if (!principal)
      throw new FleetPromptError(
        "unauthenticated",
        "expected a session or an API key, got none that is valid; sign in or send a key",
      )
    context.set("principal", principal)
    context.set("authenticateAgain", async () => authenticate(context.req.raw))
    await next()
  }
}

/**
 * Lets a request through when the caller may do this. Stands before the handler of each route of a tenant.
 *
 * @param resourceOf what the request is about, where the decision needs more than the tenant and the `:id` of the path
 * @throws FleetPromptError `forbidden`, `not_found`
 * @example
 * routes.get("/signals", permit(fleet, "signals:read"), (context) => listPage(fleet, context))
 */
export function permit(
  fleet: { readonly access: AccessPolicy },
  permission: Permission,
  resourceOf: (context: Context<AccessEnv>) => Resource = idOf,
): MiddlewareHandler<AccessEnv> {
  return stating({ kind: "permission", permission }, async (context, next) => {
    await fleet.access.admit(context.get("principal"), permission, resourceOf(context))
    await next()
  })
}

/**
 * As `permit`, for a route whose door notes the act in the audit log itself, with who did it.
 *
 * @throws FleetPromptError `forbidden`, `not_found`
 * @example
 * routes.post("/tenants/:tenant/suspend", permitAct(fleet, "tenants:suspend", named), (context) => suspend(fleet, context))
 */
export function permitAct(
  fleet: { readonly access: AccessPolicy },
  permission: Permission,
  resourceOf: (context: Context<AccessEnv>) => Resource = idOf,
): MiddlewareHandler<AccessEnv> {
  return stating({ kind: "permission", permission }, async (context, next) => {
    await fleet.access.admitAct(context.get("principal"), permission, resourceOf(context))
    await next()
  })
}

/** Lets everybody through who is known, also without a tenant. For what concerns the caller alone. */
export function known(): MiddlewareHandler<AccessEnv> {
  return stating({ kind: "known" }, (_, next) => next())
}

/**
 * Lets everybody through, for a reason: the request is signed, or holds nothing of a tenant.
 *
 * @example
 * routes.get("/health", open("tells nothing of any tenant"), (context) => context.json({ status: "alive" }))
 */
export function open(reason: string): MiddlewareHandler {
  return stating({ kind: "open", reason }, (_, next) => next())
}

function stating<Middleware extends Handler | MiddlewareHandler<AccessEnv>>(
  access: RouteAccess,
  handler: Middleware,
): Middleware {
  accesses.set(handler, access)
  return handler
}

function idOf(context: Context<AccessEnv>): Resource {
  const id = context.req.param("id")
  return id === undefined ? {} : { id }
}
