import { MAIN_CELL } from "../store/cells.ts"
import type { OperationRecord } from "../store/tenant-operations.ts"
import type { TenantRecord } from "../store/tenants.ts"
import type { TenantFinding } from "../tenants/reconcile.ts"
import { columns } from "./migration-tables.ts"

/** Tenants, as people read them. */
export function tenantTable(tenants: readonly TenantRecord[]): string {
  if (tenants.length === 0) return "there is no tenant; make one with fleetprompt tenants provision <slug>"
  const rows = tenants.map((tenant) => [
    tenant.slug,
    tenant.status,
    tenant.placement,
    tenant.cell ?? MAIN_CELL,
    tenant.class,
    tenant.schemaVersion,
    noteOf(tenant),
  ])
  return columns([["tenant", "status", "tables", "cell", "class", "version", ""], ...rows])
}

function noteOf({ deleteAfter, statusReason }: TenantRecord): string {
  return [deleteAfter ? `removed after ${deleteAfter.toISOString()}` : "", statusReason ?? ""]
    .filter(Boolean)
    .join("; ")
}

/** Operations, as people read them. */
export function operationTable(operations: readonly OperationRecord[]): string {
  if (operations.length === 0) return "nothing was done to any tenant"
  const rows = operations.map(({ id, tenant, kind, status, step, progress, createdAt, error }) => [
    id,
    tenant,
    kind,
    status,
    step,
    progress.total > 0 ? `${progress.done} of ${progress.total}` : "",
    createdAt.toISOString(),
    typeof error?.["message"] === "string" ? error["message"] : "",
  ])
  return columns([["operation", "tenant", "kind", "status", "step", "progress", "asked for", ""], ...rows])
}

/** What an operation came to, in a line. */
export function operationLine({ id, tenant, kind, status, dueAt, error }: OperationRecord): string {
  const when = status === "waiting" ? `, from ${dueAt.toISOString()} on` : ""
  const why = typeof error?.["message"] === "string" ? `: ${error["message"]}` : ""
  return `${kind} ${tenant} ${status}${when} (${id})${why}`
}

/** What is wrong and what is proposed, in three lines. */
export function findingText({ id, message, proposal, destroys }: TenantFinding): string {
  return `! ${message}\n  ${id}\n  proposed: ${proposal}${destroys ? " (destroys; repair it with --destroy)" : ""}`
}
