import { type Context, Hono } from "hono"
import type { Permission } from "../access/policies.ts"
import { NO_TENANT, type Resource } from "../access/policy.ts"
import type { Principal } from "../access/principal.ts"
import type { Fleet } from "../fleet.ts"
import type { OperationKind, OperationRecord } from "../store/tenant-operations.ts"
import { type AccessEnv, permit, permitAct } from "./permit.ts"
import { notFound } from "./problem.ts"
import { readJson } from "./read-json.ts"
import { requestedBy } from "./requested-by.ts"

type OperationContext = Context<AccessEnv>

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

/** What is done to tenants and takes a while: an operator sees all of it, others what is done to their own tenant. */
export function operationRoutes(fleet: Fleet): Hono<AccessEnv> {
  const routes = new Hono<AccessEnv>()
  routes.get("/operations", permit(fleet, "tenants:read", wanted), (context) => list(fleet, context))
  routes.get("/operations/:id", permit(fleet, "tenants:read"), (context) => get(fleet, context))
  // What more it takes depends on what the operation does, which is known when it is found.
  routes.post("/operations/:id/cancel", permitAct(fleet, "tenants:read"), (context) => cancel(fleet, context))
  return routes
}

/** An operation as a caller sees it: where files are, what went wrong and who asked is the operators' alone. */
export function shownOperation(operation: OperationRecord, { role }: Principal): object {
  if (role === "operator") return operation
  const { id, tenant, kind, status, step, progress, cancelRequested, dueAt, createdAt, updatedAt, finishedAt } =
    operation
  return { id, tenant, kind, status, step, progress, cancelRequested, dueAt, createdAt, updatedAt, finishedAt }
}

/** Answers with an operation that was begun or changed; it is read again at `Location`. */
export function accepted(context: OperationContext, operation: OperationRecord): Response {
  context.header("location", `/v1/operations/${operation.id}`)
  return context.json(shownOperation(operation, context.get("principal")), 202)
}

function wanted(context: OperationContext): Resource {
  const tenant = context.req.query("tenant")
  return tenant === undefined ? {} : { tenant, id: tenant }
}

async function list(fleet: Fleet, context: OperationContext): Promise<Response> {
  const principal = context.get("principal")
  const { open, limit } = context.req.query()
  // The one that was decided about.
  const { tenant = principal.tenant } = wanted(context)
  const operations = await fleet.operations.list({
    open: open === "true",
    ...(tenant !== NO_TENANT && { tenant }),
    ...(limit !== undefined && { limit: Number(limit) }),
  })
  return context.json({ operations: operations.map((operation) => shownOperation(operation, principal)) })
}

async function get(fleet: Fleet, context: OperationContext): Promise<Response> {
  return context.json(shownOperation(await found(fleet, context), context.get("principal")))
}

async function cancel(fleet: Fleet, context: OperationContext): Promise<Response> {
  const request = requestedBy(context, await readJson(context.req.raw))
  const { id, kind, tenant } = await found(fleet, context)
  fleet.access.authorise(context.get("principal"), TO_CANCEL[kind], { tenant, id: tenant })
  return accepted(context, await fleet.operations.cancel(id, request))
}

/** @throws FleetPromptError `not_found`, the same for another tenant's and for none */
async function found(fleet: Fleet, context: OperationContext): Promise<OperationRecord> {
  const operation = await fleet.operations.get(context.req.param("id") ?? "")
  const principal = context.get("principal")
  if (operation && fleet.access.isAllowed(principal, "tenants:read", { tenant: operation.tenant })) return operation
  throw notFound("an operation")
}
