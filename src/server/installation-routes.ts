import { z } from "zod"
import type { PackageOrdered, PackageWish } from "../packages/installations/tenant-packages.ts"
import type { Permission } from "../access/policies.ts"
import type { ErrorCode } from "../errors.ts"
import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { Principal } from "../access/principal.ts"
import { notFound } from "./problem.ts"
import { type Asked, may, mayAct, route, type Route, tenantOf } from "./route.ts"
import { directive } from "./schemas/directive-schemas.ts"
import { flag, limit, named, noted, place, reason, text, uuid } from "./schemas/fields.ts"
import {
  installationDetail,
  installationPage,
  installationPlan,
  installationStatus,
  wishFields,
} from "./schemas/package-schemas.ts"

const tag = "Installations"
const params = z.object({ package: text("Slug of the package.") })
const refusedAs = "installation_refused"
const errors = [
  "installation_unknown",
  "installation_state",
  "installation_refused",
  "installation_needed",
  "installation_needs",
  "directive_params_invalid",
  "directive_conflict",
  "secret_refused",
  "query_invalid",
] as const satisfies readonly ErrorCode[]

const ordered = named(
  "InstallationOrdered",
  z.object({
    directive,
    inserted: noted(z.boolean(), "False when the same was ordered already."),
    installationId: uuid("Of the installation that it is about."),
  }),
)

const listInstallations = route({
  method: "GET",
  path: "/v1/installations",
  name: "listInstallations",
  tag,
  summary: "The packages that the tenant has installed, newest first, by pages.",
  access: may("installations:read"),
  query: z.object({
    package: text("Only this one.").exactOptional(),
    status: installationStatus.exactOptional(),
    ended: flag("Those too that have failed or were uninstalled."),
    limit: limit(500, 50),
    before: place("The `next` of the page before."),
  }),
  answers: { 200: installationPage },
  run: (call) => tenantOf(call).packages.list(call.query),
})

const getInstallation = route({
  method: "GET",
  path: "/v1/installations/:package",
  name: "getInstallation",
  tag,
  summary: "The installation of a package, or one by its id, with what it made.",
  access: may("installations:read", byPackage),
  params: z.object({ package: text("Slug of the package, or id of the installation.") }),
  answers: { 200: installationDetail },
  run: async (call) => {
    const found = await tenantOf(call).packages.get(call.params.package)
    if (!found) throw notFound("an installation")
    return found
  },
})

const planInstallation = route({
  method: "POST",
  path: "/v1/installations/plan",
  name: "planInstallation",
  tag,
  summary: "What an install, an upgrade or an uninstall would do. Changes nothing.",
  access: may("installations:read"),
  body: z.object({
    slug: text("Of the package."),
    action: noted(
      z.enum(["install", "upgrade", "uninstall"]),
      "Default: upgrade when the tenant has the package, otherwise install.",
    ).exactOptional(),
    ...wishFields,
  }),
  refusedAs,
  answers: { 200: installationPlan },
  errors: [...errors, "package_unknown"],
  run: (call) => {
    const { action, ...wish } = call.body
    return tenantOf(call).packages.plan({ ...wishOf(wish), ...(action && { action }) })
  },
})

const installPackage = route({
  method: "POST",
  path: "/v1/installations",
  name: "installPackage",
  tag,
  summary: "Has a package installed, with what it needs. The same again answers with the same directive.",
  access: mayAct("installations:create"),
  body: z.object({ slug: text("Of the package."), ...wishFields, reason }),
  refusedAs,
  answers: { 202: ordered },
  errors: [...errors, "package_unknown"],
  run: async (call) => {
    const { reason: why, ...wish } = call.body
    return accepted(await tenantOf(call).packages.install(wishOf(wish), orderOf(call.principal, why)))
  },
})

const upgradePackage = route({
  method: "POST",
  path: "/v1/installations/:package/upgrade",
  name: "upgradePackage",
  tag,
  summary: "Has a package upgraded, downgraded or configured anew.",
  access: mayAct("installations:change", byPackage),
  params,
  body: z.object({ ...wishFields, reason }),
  refusedAs,
  answers: { 202: ordered },
  errors: [...errors, "package_unknown"],
  run: async (call) => {
    const { reason: why, ...wish } = call.body
    const wanted = wishOf({ slug: call.params.package, ...wish })
    return accepted(await tenantOf(call).packages.upgrade(wanted, orderOf(call.principal, why)))
  },
})

/** A route that has something done to an installation. */
function order(act: "rollback" | "enable" | "disable" | "uninstall", permission: Permission, summary: string): Route {
  return route({
    method: "POST",
    path: `/v1/installations/:package/${act}`,
    name: `${act}Package`,
    tag,
    summary,
    access: mayAct(permission, byPackage),
    params,
    body: z.object({ reason }),
    refusedAs,
    answers: { 202: ordered },
    errors,
    run: async (call) => {
      const asked = orderOf(call.principal, call.body.reason)
      return accepted(await tenantOf(call).packages[act](call.params.package, asked))
    },
  })
}

const executeAction = route({
  method: "POST",
  path: "/v1/installations/:package/actions/:action",
  name: "executeAction",
  tag,
  summary: "Calls an action of a package that is active. Each call stands in the audit log.",
  access: mayAct("installations:execute", byPackage),
  params: z.object({ package: text("Slug of the package."), action: text("Name of the action.") }),
  body: z.object({ input: noted(z.unknown(), "What the action is called with. Default null.").optional() }),
  maxBodyBytes: 1_179_648,
  refusedAs: "action_input_invalid",
  answers: { 200: z.object({ result: noted(z.unknown(), "What it answered.") }) },
  errors: ["installation_unknown", "installation_state", "action_unknown", "action_input_invalid"],
  run: async ({ params: { package: slug, action }, body, principal, request, fleet }) => {
    // It came as JSON.
    const input = (body.input ?? null) as JsonValue
    const options = { actor: principal, signal: request.signal }
    return { result: await fleet.tenant(principal.tenant).packages.execute(slug, action, input, options) }
  },
})

/** The packages of the caller's tenant. What changes one is a directive. */
export const installationRoutes: readonly Route[] = [
  listInstallations,
  planInstallation,
  installPackage,
  getInstallation,
  upgradePackage,
  order("rollback", "installations:change", "Makes a package what it was before its last upgrade."),
  order("enable", "installations:change", "Has a package run again."),
  order("disable", "installations:change", "Has a package run nothing; deliveries that there are wait."),
  order("uninstall", "installations:remove", "Removes a package and what it made."),
  executeAction,
]

function byPackage({ params }: Asked) {
  const slug = params["package"]
  return slug === undefined ? {} : { id: slug }
}

/** Answers with what was ordered; its directive is read at `Location`. */
function accepted(value: PackageOrdered): Response {
  return Response.json(value, { status: 202, headers: { location: `/v1/directives/${value.directive.id}` } })
}

function orderOf(actor: Principal, reason: string | undefined) {
  return { actor, ...(reason !== undefined && { reason }) }
}

/** A wish as the door takes it. */
function wishOf({
  config,
  ...wish
}: Omit<PackageWish, "config"> & { readonly config?: Readonly<Record<string, unknown>> }): PackageWish {
  // It came as JSON.
  return { ...wish, ...(config && { config: config as JsonObject }) }
}
