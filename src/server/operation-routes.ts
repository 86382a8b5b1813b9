import { z } from "zod"
import { actorOf } from "../access/principal-actor.ts"
import type { Permission } from "../access/policies.ts"
import { NO_TENANT, type Resource } from "../access/policy.ts"
import type { Principal } from "../access/principal.ts"
import type { OperationKind, OperationRecord } from "../store/tenant-operations.ts"
import type { RequestedBy } from "../tenants/act-entry.ts"
import { notFound } from "./problem.ts"
import { type Asked, type Call, may, mayAct, route, type Route } from "./route.ts"
import { flag, limit, reason, text, uuid } from "./schemas/fields.ts"
import { operation } from "./schemas/tenant-schemas.ts"

const tag = "Tenants"
const params = z.object({ id: uuid("Of the operation.") })

/** Who may end an operation of a kind: whoever may do what that comes to. */
const TO_CANCEL: Readonly<Record<OperationKind, Permission>> = {
  provision: "tenants:provision",
  suspend: "tenants:suspend",
  resume: "tenants:resume",
  export: "tenants:export",
  import: "tenants:import",
  delete: "tenants:undelete",
  move: "tenants:move",
}

const listOperations = route({
  method: "GET",
  path: "/v1/operations",
  name: "listOperations",
  tag,
  summary: "What is done to tenants, the newest first.",
  access: may("tenants:read", ({ query: { tenant } }) => wanted(tenant)),
  query: z.object({
    tenant: text("Slug. Default: the caller's; of an operator who has chosen none, all.").exactOptional(),
    open: flag("Only those that have not ended."),
    limit: limit(1_000, 100),
  }),
  answers: { 200: z.object({ operations: z.array(operation) }) },
  run: async ({ fleet, principal, query: { tenant = principal.tenant, ...options } }) => {
    // The tenant is the one that was decided about.
    const operations = await fleet.operations.list({ ...options, ...(tenant !== NO_TENANT && { tenant }) })
    return { operations: operations.map((each) => shownOperation(each, principal)) }
  },
})

const getOperation = route({
  method: "GET",
  path: "/v1/operations/:id",
  name: "getOperation",
  tag,
  summary: "Where an operation stands.",
  access: may("tenants:read"),
  params,
  answers: { 200: operation },
  run: async (call) => shownOperation(await found(call), call.principal),
})

const cancelOperation = route({
  method: "POST",
  path: "/v1/operations/:id/cancel",
  name: "cancelOperation",
  tag,
  summary: "Ends an operation, for whoever may do what that comes to.",
  // What more it takes depends on what the operation does, which is known when it is found.
  access: mayAct("tenants:read"),
  params,
  body: z.object({ reason }),
  answers: { 202: operation },
  errors: ["operation_ended", "operation_unknown", "tenant_state"],
  run: async (call) => {
    const { id, kind, tenant } = await found(call)
    call.fleet.access.authorise(call.principal, TO_CANCEL[kind], { tenant, id: tenant })
    return accepted(call, await call.fleet.operations.cancel(id, requestedBy(call)))
  },
})

/** What is done to tenants and takes a while: an operator sees all of it, others what is done to their own tenant. */
export const operationRoutes: readonly Route[] = [listOperations, getOperation, cancelOperation]

/** An operation as a caller sees it: where files are, what went wrong and who asked is the operators' alone. */
function shownOperation(operation: OperationRecord, { role }: Principal): object {
  if (role === "operator") return operation
  const { id, tenant, kind, status, step, progress, cancelRequested, dueAt, createdAt, updatedAt, finishedAt } =
    operation
  return { id, tenant, kind, status, step, progress, cancelRequested, dueAt, createdAt, updatedAt, finishedAt }
}

/** Answers with an operation that was begun or changed; it is read again at `Location`. */
export function accepted({ principal }: Call, operation: OperationRecord): Response {
  const headers = { location: `/v1/operations/${operation.id}` }
  return Response.json(shownOperation(operation, principal), { status: 202, headers })
}

/** Who asks, and why. */
export function requestedBy({
  principal,
  body: { reason },
}: Call<unknown, unknown, { readonly reason?: string }>): RequestedBy {
  return { by: actorOf(principal), ...(reason !== undefined && { reason }) }
}

/** The tenant that a decision is about. */
function wanted(tenant: string | undefined): Resource {
  return tenant === undefined ? {} : { tenant, id: tenant }
}

/** The tenant of the path: the decision is about that one. */
export function named({ params: { tenant } }: Asked): Resource {
  return wanted(tenant)
}

/** @throws FleetPromptError `not_found`, the same for another tenant's and for none */
async function found({ fleet, principal, params: { id } }: Call<{ readonly id: string }>): Promise<OperationRecord> {
  const operation = await fleet.operations.get(id)
  if (operation && fleet.access.isAllowed(principal, "tenants:read", { tenant: operation.tenant })) return operation
  throw notFound("an operation")
}
