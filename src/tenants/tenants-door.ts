import { resolve } from "node:path"
import { FleetPromptError } from "../errors.ts"
import { MAIN_CELL } from "../store/cells.ts"
import type { OperationRecord } from "../store/tenant-operations.ts"
import { type Placement, tenantScope } from "../store/tenant-scope.ts"
import { insertTenant, selectTenant, selectTenants, type TenantClass, type TenantRecord } from "../store/tenants.ts"
import { schemaName } from "../store/tenant-scope.ts"
import type { RequestedBy } from "./act-entry.ts"
import {
  begin,
  changeTenantClass,
  type DeleteOptions,
  deleteTenant,
  mustKnow,
  resumeTenant,
  suspendTenant,
  undeleteTenant,
  wrongState,
} from "./lifecycle.ts"
import type { ImportParams } from "./archive-steps.ts"
import { checkTenants, type RepairOptions, repairTenant, type TenantFinding } from "./reconcile.ts"
import { isTenantClass } from "./tenant-classes.ts"
import type { MoveParams } from "./move-steps.ts"
import type { OperationDeps } from "./operation-step.ts"
import { provisionTenant, type ProvisionOptions } from "./provision.ts"

/** How a tenant is moved. */
export interface MoveOptions extends RequestedBy {
  /** own: a schema of its own; shared: the schema that small tenants share. Default, with `cell`: as it is. */
  readonly placement?: Placement
  /** The database of the fleet that it is to come to, by name; the first is `main`. Default: it stays in its database. */
  readonly cell?: string
  /** How long what runs may go on before the move is given up, milliseconds. Default 60,000. */
  readonly drainMs?: number
  /** How long the rows are kept at the old place, milliseconds. Default 7 days. */
  readonly keepMs?: number
}

/** Which tenants are listed. */
export interface TenantListOptions {
  /** Only those behind this slug: the last one of the page before. Default: from the first on. */
  readonly after?: string
  /** 1 to 1,000. Default: all. */
  readonly limit?: number
}

/**
 * Tenants of a fleet, and what is done to them as a whole.
 *
 * For the program that runs the fleet, which may do everything: no policy is asked here, and `by` is believed. Whoever
 * acts for somebody else asks `fleet.access` first, as the HTTP routes under `/v1/tenants` do:
 *
 *     await fleet.access.admit(principal, "tenants:suspend", { tenant: slug, id: slug })
 */
export interface FleetTenants {
  /**
   * Creates a tenant or completes one. Safe to repeat.
   *
   * @throws FleetPromptError `tenant_invalid`; `tenant_state` when it is to be deleted or its slug is kept back
   */
  readonly provision: (slug: string, options?: ProvisionOptions) => Promise<TenantRecord>
  /**
   * As `provision`, beside whatever else goes on.
   *
   * @throws FleetPromptError `tenant_invalid`, `operation_conflict`, `tenant_state` when it is to be deleted; while its
   * slug is kept back, the operation fails
   */
  readonly requestProvision: (slug: string, options?: ProvisionOptions & RequestedBy) => Promise<OperationRecord>
  /** Tenants by slug, those that were deleted too. @throws FleetPromptError `query_invalid` */
  readonly list: (options?: TenantListOptions) => Promise<readonly TenantRecord[]>
  /** One tenant, or undefined. @throws FleetPromptError `tenant_invalid` */
  readonly get: (slug: string) => Promise<TenantRecord | undefined>
  /**
   * Stops a tenant: emits are refused with `tenant_suspended` in every process, and no handler begins. What is queued
   * waits. The operation ends when what runs has ended.
   *
   * @throws FleetPromptError `tenant_unknown`, `tenant_state`, `operation_conflict`
   */
  readonly suspend: (slug: string, request?: RequestedBy) => Promise<OperationRecord>
  /** Lets a suspended tenant work on. @throws FleetPromptError `tenant_unknown`, `tenant_state`, `operation_conflict` */
  readonly resume: (slug: string, request?: RequestedBy) => Promise<OperationRecord>
  /** Gives a tenant another class. @throws FleetPromptError `tenant_unknown`, `config_invalid` */
  readonly setClass: (slug: string, tenantClass: TenantClass, request?: RequestedBy) => Promise<TenantRecord>
  /**
   * Stops a tenant and removes it for good when the delay is over, 30 days by default. Until then `undelete` takes it back.
   *
   * @throws FleetPromptError `tenant_unknown`, `tenant_state`, `operation_conflict`, `config_invalid`
   */
  readonly delete: (slug: string, options?: DeleteOptions) => Promise<OperationRecord>
  /** Takes a deletion back. @throws FleetPromptError `tenant_unknown`, `tenant_state`, `operation_ended` */
  readonly undelete: (slug: string, request?: RequestedBy) => Promise<OperationRecord>
  /**
   * Moves a tenant's rows to another placement. While they are copied its emits wait, up to 15 seconds each, and are then
   * refused with `tenant_moving`. Cursors stay good within a database; to another one, what waits goes along, cursors
   * that were kept do not hold any more, and a replay must not be under way.
   *
   * @throws FleetPromptError `tenant_unknown`, `tenant_state`, `operation_conflict`, `config_invalid`
   * @example
   * const { id } = await fleet.tenants.move("acme", { placement: "own", reason: "they have grown" })
   * const { status } = await fleet.operations.wait(id)
   */
  readonly move: (slug: string, options: MoveOptions) => Promise<OperationRecord>
  /**
   * Writes all that a tenant has into a file, as it was at one moment, without secrets. The tenant works on meanwhile. Only
   * this process can do it; when it goes away before the end, the operation fails and may be asked for again.
   *
   * @throws FleetPromptError `tenant_unknown`, `tenant_state`, `operation_conflict`
   */
  readonly export: (slug: string, options: ExportOptions) => Promise<OperationRecord>
  /**
   * Reads an archive into a tenant that is new or empty, under any slug. The whole archive is checked first; one that is
   * damaged changes nothing.
   *
   * @throws FleetPromptError `tenant_invalid`, `operation_conflict`, `config_invalid`
   */
  readonly import: (slug: string, options: ImportOptions) => Promise<OperationRecord>
  /** Compares what is known of the tenants with what is there; each finding has a proposal. Changes nothing. */
  readonly check: () => Promise<readonly TenantFinding[]>
  /**
   * Does what a finding proposes, when it still holds. What would destroy something is done only with `destroy`.
   *
   * @throws FleetPromptError `not_found`, `tenant_state`
   */
  readonly repair: (id: string, options?: RepairOptions) => Promise<TenantFinding>
}

/** Where an archive is written to. */
export interface ExportOptions extends RequestedBy {
  /** A path on the machine of this process; it is replaced when the archive is complete. */
  readonly file: string
}

/** What an archive is read into. */
export interface ImportOptions extends RequestedBy {
  /** A path on the machine of this process. */
  readonly file: string
  /** own, the default, or shared. One that is there, and empty, stays where it is. */
  readonly placement?: Placement
  /** Default `standard`. */
  readonly class?: TenantClass
  /** Whether what was to be done when the archive was written is to be done here: handlers run on it. Default false. */
  readonly deliveries?: boolean
}

/** What the door works with. */
export interface TenantsDeps extends OperationDeps {
  /** Looks at once whether there is something to do. */
  readonly wake: () => void
}

const MAX_LIMIT = 1_000
const DRAIN_MS = 60_000
const KEEP_MS = 7 * 86_400_000

/** The tenants of a fleet. */
export function openTenants(deps: () => TenantsDeps): FleetTenants {
  const woken = async (operation: Promise<OperationRecord>): Promise<OperationRecord> => {
    const made = await operation
    deps().wake()
    return made
  }
  return Object.freeze({
    provision: async (slug: string, options: ProvisionOptions = {}) => {
      const { database, placements, migrations } = deps()
      const tenant = await provisionTenant(database, slug, options, migrations)
      if (tenant.status === "deleting" || tenant.status === "deleted") throw wrongState(tenant, "provisioned")
      placements.learn(tenant)
      return tenant
    },
    requestProvision: (slug: string, options: ProvisionOptions & RequestedBy = {}) =>
      woken(requestProvision(slug, options, deps())),
    list: async ({ after, limit }: TenantListOptions = {}) => {
      checkLimit(limit)
      return selectTenants(deps().database, { after, limit })
    },
    get: async (slug: string) => selectTenant(deps().database, tenantScope(slug).slug),
    suspend: (slug: string, request: RequestedBy = {}) => woken(suspendTenant(slug, request, deps())),
    resume: (slug: string, request: RequestedBy = {}) => woken(resumeTenant(slug, request, deps())),
    setClass: (slug: string, tenantClass: TenantClass, request: RequestedBy = {}) =>
      changeTenantClass(slug, tenantClass, request, deps()),
    delete: (slug: string, options: DeleteOptions = {}) => woken(deleteTenant(slug, options, deps())),
    undelete: (slug: string, request: RequestedBy = {}) => undeleteTenant(slug, request, deps()),
    export: (slug: string, options: ExportOptions) => woken(requestExport(slug, options, deps())),
    import: (slug: string, options: ImportOptions) => woken(requestImport(slug, options, deps())),
    check: () => checkTenants(deps()),
    repair: (id: string, options: RepairOptions = {}) => repairTenant(id, options, deps()),
    move: (slug: string, options: MoveOptions) => woken(requestMove(slug, options, deps())),
  })
}

function checkLimit(limit: number | undefined): void {
  if (limit === undefined || (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT)) return
  throw new FleetPromptError("query_invalid", `expected a whole number from 1 to ${MAX_LIMIT} as limit`)
}

async function requestProvision(
  slug: string,
  { placement = "own", class: tenantClass = "standard", ...request }: ProvisionOptions & RequestedBy,
  deps: OperationDeps,
): Promise<OperationRecord> {
  const { slug: tenant } = tenantScope(slug)
  const params = { placement, class: tenantClass }
  return begin(tenant, "provision", { ...request, params }, deps, async (tx) => {
    await insertTenant(tx, { slug: tenant, schemaName: schemaName(tenant, placement), placement, class: tenantClass })
    const record = await mustKnow(tx, tenant)
    if (record.status === "deleting") throw wrongState(record, "provisioned")
  })
}

async function requestExport(
  slug: string,
  { file, ...request }: ExportOptions,
  deps: OperationDeps,
): Promise<OperationRecord> {
  const { slug: tenant } = tenantScope(slug)
  const record = await mustKnow(deps.database, tenant)
  if (!["ready", "suspended", "deleting", "failed"].includes(record.status)) throw wrongState(record, "exported")
  const params = { file: resolve(file) }
  return begin(tenant, "export", { ...request, params, step: "write", boundTo: deps.worker }, deps, async () => {})
}

async function requestImport(
  slug: string,
  { file, placement = "own", class: tenantClass = "standard", deliveries = false, ...request }: ImportOptions,
  deps: OperationDeps,
): Promise<OperationRecord> {
  const { slug: tenant } = tenantScope(slug)
  if (!isTenantClass(tenantClass) || !["own", "shared"].includes(placement))
    throw new FleetPromptError("config_invalid", "expected a class and a placement that there are, got something else")
  const params: ImportParams = { file: resolve(file), placement, class: tenantClass, deliveries }
  return begin(tenant, "import", { ...request, params, step: "check", boundTo: deps.worker }, deps, async () => {})
}

/** @throws FleetPromptError `cell_unknown`, `database_unreachable` */
function checkCell(cell: string, { cells }: OperationDeps): void {
  if (cells) return void cells.find(cell)
  throw new FleetPromptError(
    "cell_unknown",
    `expected the name of a database of this fleet, which has one alone, got "${cell}"; add it to \`databases\``,
  )
}

async function requestMove(
  slug: string,
  { placement, cell, drainMs = DRAIN_MS, keepMs = KEEP_MS, ...request }: MoveOptions,
  deps: OperationDeps,
): Promise<OperationRecord> {
  const { slug: tenant } = tenantScope(slug)
  const { here = MAIN_CELL } = deps.cells ?? {}
  const leaves = cell !== undefined && cell !== here
  if (leaves) checkCell(cell, deps)
  if (placement === undefined ? cell === undefined : placement !== "own" && placement !== "shared")
    throw new FleetPromptError("config_invalid", "expected own or shared as placement, got something else")
  for (const [name, value] of Object.entries({ drainMs, keepMs }))
    if (!Number.isFinite(value) || value < 0)
      throw new FleetPromptError("config_invalid", `expected 0 or more as ${name}, got ${String(value)}`)
  const record = await mustKnow(deps.database, tenant)
  const to = placement ?? record.placement
  if ((record.placement === to && !leaves) || !["ready", "suspended"].includes(record.status))
    throw wrongState(record, `moved from ${here} ${record.placement} to ${cell ?? here} ${to}`)
  const params: MoveParams = { from: record.placement, to, drainMs, keepMs, ...(leaves && { cell }) }
  return begin(tenant, "move", { ...request, params, step: "prepare" }, deps, async () => {})
}
