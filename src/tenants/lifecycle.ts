import { appendAudit } from "../audit/append-audit.ts"
import type { AuditEntry } from "../audit/audit-entry.ts"
import { FleetPromptError } from "../errors.ts"
import { newId } from "../signal/id.ts"
import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "../store/database.ts"
import { cancelWaiting, insertOperation, type OperationKind, type OperationRecord } from "../store/tenant-operations.ts"
import { cancelSuspend } from "../store/tenant-operations.ts"
import { elsewhere } from "../store/placements.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import {
  changeTenantStatus,
  selectStatusBefore,
  selectTenant,
  type TenantChange,
  type TenantClass,
  type TenantRecord,
  updateTenantClass,
} from "../store/tenants.ts"
import { actEntry, type RequestedBy } from "./act-entry.ts"
import type { OperationDeps } from "./operation-step.ts"
import { isTenantClass } from "./tenant-classes.ts"

/** How a tenant is to be deleted. */
export interface DeleteOptions extends RequestedBy {
  /** How long it can be undone, milliseconds. Default 30 days; 0: it begins at once. */
  readonly delayMs?: number
}

/** Where a procedure begins; see `procedures`. */
const FIRST_STEP = { suspend: "drain", resume: "wake", delete: "drain" } as const

const DAY_MS = 86_400_000
/** How long a tenant's deletion can be undone where nothing else is said. */
export const DELETE_DELAY_MS: number = 30 * DAY_MS
/** Longest delay, a year. */
const MAX_DELAY_MS = 365 * DAY_MS

/**
 * Stops a tenant: from the commit on nothing comes in and nothing is begun for it. What waits in its queue waits on, and
 * the operation ends when what runs has ended.
 *
 * @throws FleetPromptError `tenant_invalid`, `tenant_unknown`, `tenant_state`, `operation_conflict`
 */
export function suspendTenant(slug: string, request: RequestedBy, deps: OperationDeps): Promise<OperationRecord> {
  const change: TenantChange = { from: ["ready"], to: "suspended", reason: request.reason ?? null }
  return begin(slug, "suspend", request, deps, (tx) => mustChange(tx, slug, change, "suspended"))
}

/**
 * Lets a suspended tenant work on, where it stopped.
 *
 * @throws FleetPromptError `tenant_invalid`, `tenant_unknown`, `tenant_state`, `operation_conflict`
 */
export function resumeTenant(slug: string, request: RequestedBy, deps: OperationDeps): Promise<OperationRecord> {
  return begin(slug, "resume", request, deps, async (tx) => {
    await cancelSuspend(tx, slug)
    await mustChange(tx, slug, { from: ["suspended", "failed"], to: "ready" }, "resumed")
  })
}

/**
 * Puts a tenant's end on the calendar: it is stopped at once, and its rows are removed when the delay is over.
 *
 * @throws FleetPromptError `tenant_invalid`, `tenant_unknown`, `tenant_state`, `operation_conflict`, `config_invalid`
 */
export async function deleteTenant(
  slug: string,
  { delayMs = DELETE_DELAY_MS, ...request }: DeleteOptions,
  deps: OperationDeps,
): Promise<OperationRecord> {
  if (!Number.isFinite(delayMs) || delayMs < 0 || delayMs > MAX_DELAY_MS)
    throw new FleetPromptError("config_invalid", `expected 0 to ${MAX_DELAY_MS} as delayMs, got ${String(delayMs)}`)
  const params = { delayMs }
  return begin(slug, "delete", { ...request, params, dueInMs: delayMs }, deps, async (tx) => {
    await cancelSuspend(tx, slug)
    const tenant = await selectTenant(tx, slug)
    const statusBefore = tenant?.status ?? null
    const reason = request.reason ?? null
    const from = ["ready", "suspended", "failed", "provisioning"] as const
    await mustChange(tx, slug, { from, to: "deleting", statusBefore, deleteInMs: delayMs, reason }, "deleted")
  })
}

/**
 * Takes a deletion back that has not begun: the tenant is what it was before.
 *
 * @throws FleetPromptError `tenant_invalid`, `tenant_unknown`, `tenant_state`; `operation_ended` when its rows are being removed
 */
export async function undeleteTenant(
  slug: string,
  request: RequestedBy,
  deps: OperationDeps,
): Promise<OperationRecord> {
  const { slug: tenant } = tenantScope(slug)
  const cancelled = await deps.database.transaction(async (tx) => {
    const record = await mustKnow(tx, tenant)
    if (record.status !== "deleting") throw wrongState(record, "undeleted")
    const operation = await cancelWaiting(tx, tenant, "delete")
    if (!operation)
      throw new FleetPromptError(
        "operation_ended",
        `expected a deletion of "${tenant}" that has not begun, its rows are being removed; restore it from an archive`,
      )
    const before = (await selectStatusBefore(tx, tenant)) ?? "suspended"
    await mustChange(tx, tenant, { from: ["deleting"], to: before }, "undeleted")
    await appendAudit(tx, tenantScope(tenant), [auditEntry("tenant.undelete", tenant, request)])
    return operation
  })
  tellChange(tenant, deps)
  return cancelled
}

/**
 * Gives a tenant another class. It holds everywhere within 2 seconds.
 *
 * @throws FleetPromptError `tenant_invalid`, `tenant_unknown`, `config_invalid`
 */
export async function changeTenantClass(
  slug: string,
  tenantClass: TenantClass,
  request: RequestedBy,
  deps: OperationDeps,
): Promise<TenantRecord> {
  const { slug: tenant } = tenantScope(slug)
  if (!isTenantClass(tenantClass))
    throw new FleetPromptError(
      "config_invalid",
      "expected standard, premium or enterprise as class, got something else",
    )
  const changed = await deps.database.transaction(async (tx) => {
    const before = await mustKnow(tx, tenant)
    if (before.status === "elsewhere") throw elsewhere(tenant, before.cell)
    await updateTenantClass(tx, tenant, tenantClass)
    const details = { from: before.class, to: tenantClass }
    await appendAudit(tx, tenantScope(tenant), [auditEntry("tenant.class.change", tenant, request, details)])
    return { ...before, class: tenantClass }
  })
  tellChange(tenant, deps)
  return changed
}

/** What an operation begins with, besides who asks. */
export interface BeginOptions extends RequestedBy {
  readonly params?: JsonObject
  readonly dueInMs?: number
  readonly boundTo?: string
  readonly step?: string
}

/** Records an operation, what it changes at once, and that it was asked for, in one commit. */
export async function begin(
  slug: string,
  kind: OperationKind,
  { params = {}, dueInMs = 0, boundTo, step, ...request }: BeginOptions,
  deps: OperationDeps,
  change: (tx: Queryable) => Promise<unknown>,
): Promise<OperationRecord> {
  const { slug: tenant } = tenantScope(slug)
  const operation = await deps.database.transaction(async (tx) => {
    await change(tx)
    const made = await insertOperation(tx, {
      id: newId(),
      tenant,
      kind,
      params,
      step: step ?? firstStep(kind),
      dueInMs,
      ...(boundTo !== undefined && { boundTo }),
      requestedBy: request.by ? `${request.by.kind}:${request.by.id}` : null,
      reason: request.reason ?? null,
    })
    const details = { operation: made.id, ...params }
    await appendAudit(tx, tenantScope(tenant), [auditEntry(`tenant.${kind}`, tenant, request, details)])
    return made
  })
  tellChange(tenant, deps)
  return operation
}

function firstStep(kind: OperationKind): string {
  return kind in FIRST_STEP ? FIRST_STEP[kind as keyof typeof FIRST_STEP] : "begin"
}

/** This process acts on a change at once, others as soon as they hear of it. */
export function tellChange(
  tenant: string,
  { placements, announcer }: Pick<OperationDeps, "placements" | "announcer">,
): void {
  placements.forget(tenant)
  announcer.changed({ tenants: true })
}

/** An entry for the audit log about a whole tenant. */
export function auditEntry(action: string, tenant: string, request: RequestedBy, more: JsonObject = {}): AuditEntry {
  return actEntry(action, `tenant:${tenant}`, request, more)
}

/** @throws FleetPromptError `tenant_unknown`, `tenant_state` */
export async function mustChange(
  tx: Queryable,
  slug: string,
  change: TenantChange,
  what: string,
): Promise<TenantRecord> {
  const changed = await changeTenantStatus(tx, slug, change)
  if (changed) return changed
  throw wrongState(await mustKnow(tx, slug), what)
}

/** @throws FleetPromptError `tenant_unknown` */
export async function mustKnow(tx: Queryable, slug: string): Promise<TenantRecord> {
  const tenant = await selectTenant(tx, slug)
  if (tenant) return tenant
  throw new FleetPromptError("tenant_unknown", `expected a tenant of this fleet, got "${slug}"`)
}

/** What a state does not allow. */
export function wrongState(
  { slug, status, cell }: Pick<TenantRecord, "slug" | "status" | "cell">,
  what: string,
): FleetPromptError {
  if (status === "elsewhere") return elsewhere(slug, cell)
  return new FleetPromptError(
    "tenant_state",
    `expected a tenant that can be ${what}, "${slug}" is ${status}; see fleetprompt tenants list`,
  )
}
