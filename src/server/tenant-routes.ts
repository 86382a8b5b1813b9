import { z } from "zod"
import type { Principal } from "../access/principal.ts"
import { FleetPromptError } from "../errors.ts"
import type { TenantRecord } from "../store/tenants.ts"
import { accepted, named, requestedBy } from "./operation-routes.ts"
import { notFound } from "./problem.ts"
import { may, mayAct, route, type Route } from "./route.ts"
import { limit, noted, place, reason, text } from "./schemas/fields.ts"
import { operation, placement, tenant, tenantClass, tenantFinding, tenantPage } from "./schemas/tenant-schemas.ts"

const tag = "Tenants"
const DEFAULT_LIMIT = 100
/** Longest time that is asked for, a year. */
const MAX_MS = 365 * 86_400_000
const params = z.object({ tenant: text("Slug of the tenant.") })
const onlyReason = z.object({ reason })
const begun = { 202: operation } as const
const errors = ["tenant_invalid", "tenant_unknown", "tenant_state", "operation_conflict", "operation_ended"] as const

function duration(description: string) {
  return noted(z.number().min(0).max(MAX_MS), description).exactOptional()
}

const listTenants = route({
  method: "GET",
  path: "/v1/tenants",
  name: "listTenants",
  tag,
  summary: "All tenants, by slug, by pages.",
  access: may("tenants:list"),
  query: z.object({ limit: limit(1_000, DEFAULT_LIMIT), after: place("The `next` of the page before.") }),
  answers: { 200: tenantPage },
  errors: ["tenant_invalid"],
  run: async ({ fleet, query: { limit: most = DEFAULT_LIMIT, ...from } }) => {
    const tenants = await fleet.tenants.list({ limit: most, ...from })
    const last = tenants.at(-1)
    return { tenants, next: last && tenants.length === most ? last.slug : null }
  },
})

const provisionTenant = route({
  method: "POST",
  path: "/v1/tenants",
  name: "provisionTenant",
  tag,
  summary: "Makes a tenant.",
  access: mayAct("tenants:provision"),
  body: z.object({
    slug: text("Its name in addresses, for good."),
    placement: placement.exactOptional(),
    class: tenantClass.exactOptional(),
    reason,
  }),
  fieldsRefusedAs: { slug: "tenant_invalid" },
  answers: begun,
  errors,
  run: async (call) => {
    const { slug, reason: _, ...options } = call.body
    return accepted(call, await call.fleet.tenants.requestProvision(slug, { ...options, ...requestedBy(call) }))
  },
})

const getTenant = route({
  method: "GET",
  path: "/v1/tenants/:tenant",
  name: "getTenant",
  tag,
  summary: "One tenant.",
  access: may("tenants:read", named),
  params,
  answers: { 200: tenant },
  errors: ["tenant_invalid"],
  run: async ({ fleet, params: { tenant: slug }, principal }) => {
    const found = await fleet.tenants.get(slug)
    if (!found) throw notFound("a tenant")
    return shownTenant(found, principal)
  },
})

const suspendTenant = route({
  method: "POST",
  path: "/v1/tenants/:tenant/suspend",
  name: "suspendTenant",
  tag,
  summary: "Lets nothing of a tenant in, and begins nothing.",
  access: mayAct("tenants:suspend", named),
  params,
  body: onlyReason,
  answers: begun,
  errors,
  run: async (call) => accepted(call, await call.fleet.tenants.suspend(call.params.tenant, requestedBy(call))),
})

const resumeTenant = route({
  method: "POST",
  path: "/v1/tenants/:tenant/resume",
  name: "resumeTenant",
  tag,
  summary: "Lets a suspended tenant work on.",
  access: mayAct("tenants:resume", named),
  params,
  body: onlyReason,
  answers: begun,
  errors,
  run: async (call) => accepted(call, await call.fleet.tenants.resume(call.params.tenant, requestedBy(call))),
})

/** Whoever took over an owner's session is not to destroy anything before somebody notices. */
const deleteTenant = route({
  method: "POST",
  path: "/v1/tenants/:tenant/delete",
  name: "deleteTenant",
  tag,
  summary: "Removes a tenant after 30 days; until then it can be undone.",
  access: mayAct("tenants:delete", named),
  params,
  body: z.object({ delayMs: duration("When, for operators. Default 30 days."), reason }),
  answers: begun,
  errors,
  run: async (call) => {
    const { reason: _, ...delay } = call.body
    if (delay.delayMs !== undefined && call.principal.role !== "operator")
      throw new FleetPromptError(
        "forbidden",
        "expected an operator to say when a tenant is removed, got somebody else; leave delayMs out, then it can be undone for 30 days",
        { path: "delayMs" },
      )
    return accepted(call, await call.fleet.tenants.delete(call.params.tenant, { ...delay, ...requestedBy(call) }))
  },
})

const undeleteTenant = route({
  method: "POST",
  path: "/v1/tenants/:tenant/undelete",
  name: "undeleteTenant",
  tag,
  summary: "Takes a deletion back.",
  access: mayAct("tenants:undelete", named),
  params,
  body: onlyReason,
  answers: begun,
  errors,
  run: async (call) => accepted(call, await call.fleet.tenants.undelete(call.params.tenant, requestedBy(call))),
})

const moveTenant = route({
  method: "POST",
  path: "/v1/tenants/:tenant/move",
  name: "moveTenant",
  tag,
  summary: "Copies a tenant's rows to another placement, and goes on there.",
  access: mayAct("tenants:move", named),
  params,
  body: z.object({
    placement,
    drainMs: duration("How long what runs may go on. Default 60,000."),
    keepMs: duration("How long the rows are kept at the old place. Default 7 days."),
    reason,
  }),
  answers: begun,
  errors,
  run: async (call) => {
    const { reason: _, ...options } = call.body
    return accepted(call, await call.fleet.tenants.move(call.params.tenant, { ...options, ...requestedBy(call) }))
  },
})

const changeClass = route({
  method: "PUT",
  path: "/v1/tenants/:tenant/class",
  name: "changeTenantClass",
  tag,
  summary: "Gives a tenant another class.",
  access: mayAct("tenants:change_class", named),
  params,
  body: z.object({ class: tenantClass, reason }),
  answers: { 200: tenant },
  errors: ["tenant_invalid"],
  run: async (call) => {
    const changed = await call.fleet.tenants.setClass(call.params.tenant, call.body.class, requestedBy(call))
    return shownTenant(changed, call.principal)
  },
})

const checkTenants = route({
  method: "GET",
  path: "/v1/tenant-findings",
  name: "checkTenants",
  tag,
  summary: "What of the tenants is not as it should be. Reads through all tables.",
  access: may("tenants:repair"),
  answers: { 200: z.object({ findings: z.array(tenantFinding) }) },
  run: async ({ fleet }) => ({ findings: await fleet.tenants.check() }),
})

const repairTenant = route({
  method: "POST",
  path: "/v1/tenant-findings/:id/repair",
  name: "repairTenant",
  tag,
  summary: "Mends what a finding tells of.",
  access: mayAct("tenants:repair"),
  params: z.object({ id: text("Of the finding.") }),
  body: z.object({
    destroy: noted(z.boolean(), "Whether it may remove something for good. Default false.").exactOptional(),
    reason,
  }),
  answers: { 200: tenantFinding },
  errors,
  run: (call) => {
    const { destroy = false } = call.body
    return call.fleet.tenants.repair(call.params.id, { destroy, ...requestedBy(call) })
  },
})

/**
 * Tenants as wholes: for operators, and for a tenant's own people as far as the policies let them. To everybody else a
 * tenant does not exist. Archives are read and written on the command line alone: they are files of this machine.
 */
export const tenantRoutes: readonly Route[] = [
  listTenants,
  provisionTenant,
  getTenant,
  suspendTenant,
  resumeTenant,
  deleteTenant,
  undeleteTenant,
  moveTenant,
  changeClass,
  checkTenants,
  repairTenant,
]

/** How and where a tenant is kept, and what a migration failed with, is the operators' alone. */
function shownTenant(tenant: TenantRecord, { role }: Principal): object {
  if (role === "operator") return tenant
  const { slug, status, statusReason, placement, class: itsClass, deleteAfter } = tenant
  return { slug, status, statusReason, placement, class: itsClass, deleteAfter }
}
