import { type Context, Hono } from "hono"
import type { Resource } from "../access/policy.ts"
import type { Principal } from "../access/principal.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import type { TenantRecord } from "../store/tenants.ts"
import { accepted } from "./operation-routes.ts"
import { type AccessEnv, permit, permitAct } from "./permit.ts"
import { notFound } from "./problem.ts"
import { readJson } from "./read-json.ts"
import { requestedBy } from "./requested-by.ts"

type TenantContext = Context<AccessEnv>
type Body = Readonly<Record<string, unknown>>

const DEFAULT_LIMIT = 100
/** Longest time that is asked for, a year. */
const MAX_MS = 365 * 86_400_000
const PLACEMENTS = ["own", "shared"] as const
const CLASSES = ["standard", "premium", "enterprise"] as const

/**
 * Tenants as wholes: for operators, and for a tenant's own people as far as the policies let them. To everybody else a
 * tenant does not exist. Archives are read and written on the command line alone: they are files of this machine.
 */
export function tenantRoutes(fleet: Fleet): Hono<AccessEnv> {
  const routes = new Hono<AccessEnv>()
  routes.get("/tenants", permit(fleet, "tenants:list"), (context) => list(fleet, context))
  routes.post("/tenants", permitAct(fleet, "tenants:provision"), (context) => provision(fleet, context))
  routes.get("/tenants/:tenant", permit(fleet, "tenants:read", named), (context) => get(fleet, context))
  routes.post("/tenants/:tenant/suspend", permitAct(fleet, "tenants:suspend", named), (context) =>
    suspend(fleet, context),
  )
  routes.post("/tenants/:tenant/resume", permitAct(fleet, "tenants:resume", named), (context) => resume(fleet, context))
  routes.post("/tenants/:tenant/delete", permitAct(fleet, "tenants:delete", named), (context) => remove(fleet, context))
  routes.post("/tenants/:tenant/undelete", permitAct(fleet, "tenants:undelete", named), (context) =>
    undelete(fleet, context),
  )
  routes.post("/tenants/:tenant/move", permitAct(fleet, "tenants:move", named), (context) => move(fleet, context))
  routes.put("/tenants/:tenant/class", permitAct(fleet, "tenants:change_class", named), (context) =>
    changeClass(fleet, context),
  )
  routes.get("/tenant-findings", permit(fleet, "tenants:repair"), (context) => check(fleet, context))
  routes.post("/tenant-findings/:id/repair", permitAct(fleet, "tenants:repair"), (context) => repair(fleet, context))
  return routes
}

async function list(fleet: Fleet, context: TenantContext): Promise<Response> {
  const { after, limit: given } = context.req.query()
  const limit = given === undefined ? DEFAULT_LIMIT : Number(given)
  const tenants = await fleet.tenants.list({ limit, ...(after !== undefined && { after }) })
  const last = tenants.at(-1)
  return context.json({ tenants, next: last && tenants.length === limit ? last.slug : null })
}

async function provision(fleet: Fleet, context: TenantContext): Promise<Response> {
  const body = await readJson(context.req.raw)
  const options = { ...choice(body, "placement", PLACEMENTS), ...choice(body, "class", CLASSES) }
  // What is no text is no slug: the door says so.
  const slug = body["slug"] as string
  return accepted(context, await fleet.tenants.requestProvision(slug, { ...options, ...requestedBy(context, body) }))
}

async function get(fleet: Fleet, context: TenantContext): Promise<Response> {
  const tenant = await fleet.tenants.get(slugOf(context))
  if (!tenant) throw notFound("a tenant")
  return context.json(shownTenant(tenant, context.get("principal")))
}

async function suspend(fleet: Fleet, context: TenantContext): Promise<Response> {
  const request = requestedBy(context, await readJson(context.req.raw))
  return accepted(context, await fleet.tenants.suspend(slugOf(context), request))
}

async function resume(fleet: Fleet, context: TenantContext): Promise<Response> {
  const request = requestedBy(context, await readJson(context.req.raw))
  return accepted(context, await fleet.tenants.resume(slugOf(context), request))
}

/** Whoever took over an owner's session is not to destroy anything before somebody notices. */
async function remove(fleet: Fleet, context: TenantContext): Promise<Response> {
  const body = await readJson(context.req.raw)
  const delay = duration(body, "delayMs")
  if (delay.delayMs !== undefined && context.get("principal").role !== "operator")
    throw new FleetPromptError(
      "forbidden",
      "expected an operator to say when a tenant is removed, got somebody else; leave delayMs out, then it can be undone for 30 days",
      { path: "delayMs" },
    )
  return accepted(context, await fleet.tenants.delete(slugOf(context), { ...delay, ...requestedBy(context, body) }))
}

async function undelete(fleet: Fleet, context: TenantContext): Promise<Response> {
  const request = requestedBy(context, await readJson(context.req.raw))
  return accepted(context, await fleet.tenants.undelete(slugOf(context), request))
}

async function move(fleet: Fleet, context: TenantContext): Promise<Response> {
  const body = await readJson(context.req.raw)
  const { placement } = choice(body, "placement", PLACEMENTS)
  if (placement === undefined) throw invalid("placement", PLACEMENTS.join(" or "))
  const options = {
    placement,
    ...duration(body, "drainMs"),
    ...duration(body, "keepMs"),
    ...requestedBy(context, body),
  }
  return accepted(context, await fleet.tenants.move(slugOf(context), options))
}

async function changeClass(fleet: Fleet, context: TenantContext): Promise<Response> {
  const body = await readJson(context.req.raw)
  const { class: tenantClass } = choice(body, "class", CLASSES)
  if (tenantClass === undefined) throw invalid("class", CLASSES.join(" or "))
  const changed = await fleet.tenants.setClass(slugOf(context), tenantClass, requestedBy(context, body))
  return context.json(shownTenant(changed, context.get("principal")))
}

async function check(fleet: Fleet, context: TenantContext): Promise<Response> {
  return context.json({ findings: await fleet.tenants.check() })
}

async function repair(fleet: Fleet, context: TenantContext): Promise<Response> {
  const body = await readJson(context.req.raw)
  const { destroy = false } = body
  if (typeof destroy !== "boolean") throw invalid("destroy", "true or false")
  const id = context.req.param("id") ?? ""
  return context.json(await fleet.tenants.repair(id, { destroy, ...requestedBy(context, body) }))
}

/** How and where a tenant is kept, and what a migration failed with, is the operators' alone. */
function shownTenant(tenant: TenantRecord, { role }: Principal): object {
  if (role === "operator") return tenant
  const { slug, status, statusReason, placement, class: tenantClass, deleteAfter } = tenant
  return { slug, status, statusReason, placement, class: tenantClass, deleteAfter }
}

function slugOf(context: TenantContext): string {
  return context.req.param("tenant") ?? ""
}

/** The tenant of the path: the decision is about that one. */
function named(context: TenantContext): Resource {
  const tenant = slugOf(context)
  return { tenant, id: tenant }
}

/** A field that is one of a few texts, when it is there. @throws FleetPromptError `request_invalid` */
function choice<Name extends string, Choice extends string>(
  body: Body,
  name: Name,
  choices: readonly Choice[],
): { readonly [Key in Name]?: Choice } {
  const value = body[name]
  if (value === undefined) return {}
  const chosen = choices.find((each) => each === value)
  if (chosen === undefined) throw invalid(name, choices.join(" or "))
  // An object with the one field.
  return { [name]: chosen } as { readonly [Key in Name]?: Choice }
}

/** A field that is a time in milliseconds, when it is there. @throws FleetPromptError `request_invalid` */
function duration<Name extends string>(body: Body, name: Name): { readonly [Key in Name]?: number } {
  const value = body[name]
  if (value === undefined) return {}
  if (typeof value !== "number" || !(value >= 0 && value <= MAX_MS)) throw invalid(name, `0 to ${MAX_MS} milliseconds`)
  // An object with the one field.
  return { [name]: value } as { readonly [Key in Name]?: number }
}

function invalid(path: string, expected: string): FleetPromptError {
  return new FleetPromptError(
    "request_invalid",
    `expected ${expected} as ${path}, got something else; see the reference`,
    {
      path,
    },
  )
}
