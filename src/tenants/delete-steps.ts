import { appendPlatformAudit } from "../audit/append-audit.ts"
import type { Database } from "../store/database.ts"
import { deleteKept, selectKept } from "../store/kept-placements.ts"
import {
  countHeld,
  countTenantRows,
  deleteTenantRows,
  dropSchema,
  endStaleHolds,
  selectTenantTables,
} from "../store/tenant-removal.ts"
import { SHARED_SCHEMA, tenantScope } from "../store/tenant-scope.ts"
import { changeTenantStatus, selectStatusBefore, selectTenant } from "../store/tenants.ts"
import { auditEntry, mustChange, mustKnow, tellChange } from "./lifecycle.ts"
import type { Procedure, StepContext, StepResult } from "./operation-step.ts"

/** How often it is looked whether what runs has ended. */
const DRAIN_POLL_MS = 250
/** How long a deleted tenant's slug is kept back, so that nobody gets what was meant for another. */
export const SLUG_KEPT_MS: number = 90 * 86_400_000

/** Waits until nothing of the tenant runs. */
export async function drain({ database, operation: { tenant }, report }: StepContext): Promise<boolean> {
  const held = await countHeld(database, tenant)
  report(0, held)
  return held === 0
}

const CONTROL = "fleetprompt"
/** What stays of a tenant that has gone: who it was, what was done to it, and what the platform notes of it. */
const KEPT_TABLES = new Set([
  "tenant_operations",
  "kept_placements",
  "migration_runs",
  "audit_log",
  "audit_heads",
  "audit_intake",
  // Processes that remember its keys learn from it that they have gone: its number must not begin anew.
  "access_changes",
  // Processes that remember its packages' handlers learn from it that they have gone.
  "binding_changes",
])

/** Removes a tenant for good. */
export const deletion: Procedure = {
  first: "drain",
  steps: {
    drain: async (context): Promise<StepResult> =>
      (await drain(context)) ? { kind: "next", step: "rows" } : { kind: "wait", ms: DRAIN_POLL_MS },
    rows: removeRows,
    record: writeRecord,
  },
  undo: takeBack,
  final: ["rows", "record"],
}

/** What was cancelled in time leaves the tenant as it was. One that failed stays closed: somebody has to look. */
async function takeBack(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { tenant, cancelRequested } = operation
  if (!cancelRequested) return { kind: "done" }
  await database.transaction(async (tx) => {
    await context.holdWithin(tx)
    const before = (await selectStatusBefore(tx, tenant)) ?? "suspended"
    await changeTenantStatus(tx, tenant, { from: ["deleting"], to: before })
  })
  tellChange(tenant, context)
  return { kind: "done" }
}

async function removeRows(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { tenant } = operation
  const record = await mustKnow(database, tenant)
  if (record.placement === "own") {
    await database.owner.transaction(async (tx) => {
      await context.holdWithin(tx)
      await dropSchema(tx, record.schemaName)
    })
  } else await removeSharedRows(database, tenant, context)
  for (const kept of await selectKept(database, tenant)) await removeKept(database, kept)
  await removeControlRows(database, tenant, context)
  await removeElsewhere(context)
  return { kind: "next", step: "record" }
}

/** What it left in other databases of the fleet, and what the first one has of its people. */
async function removeElsewhere(context: StepContext): Promise<void> {
  const { cells, operation } = context
  if (!cells) return
  for (const name of cells.names.filter((each) => each !== cells.here)) {
    const { database } = cells.find(name)
    for (const kept of await selectKept(database, operation.tenant)) await removeKept(database, kept)
    await removeControlRows(database, operation.tenant, context)
  }
}

/** A place that a move left, with its rows. */
export async function removeKept(
  database: Database,
  kept: { readonly operationId: string; readonly schemaName: string; readonly tenant: string },
): Promise<void> {
  const tenant = await selectTenant(database, kept.tenant)
  const isThere = kept.schemaName === SHARED_SCHEMA
  // Rows that are in the shared schema again are not those that were left.
  if (isThere && !(tenant?.placement === "shared" && tenant.status !== "deleting" && tenant.status !== "elsewhere"))
    await emptySchema(database, kept.tenant)
  await database.owner.transaction(async (tx) => {
    if (!isThere) await dropSchema(tx, kept.schemaName)
    await deleteKept(tx, kept.operationId)
  })
}

/** Removes a tenant's rows from the shared schema, in batches. */
export async function emptySchema(database: Database, tenant: string, report?: StepContext["report"]): Promise<void> {
  const tables = await selectTenantTables(database, SHARED_SCHEMA)
  await removeFrom(database, SHARED_SCHEMA, tables, tenant, report)
}

async function removeSharedRows(database: Database, tenant: string, { report, abort }: StepContext): Promise<void> {
  abort.throwIfAborted()
  await emptySchema(database, tenant, report)
}

/** Removes what the platform has of a tenant, but not what stays of one that has gone. */
async function removeControlRows(database: Database, tenant: string, { report }: StepContext): Promise<void> {
  const tables = await selectTenantTables(database, CONTROL)
  const those = tables.filter((table) => !KEPT_TABLES.has(table))
  await removeFrom(database, CONTROL, those, tenant, report)
}

/** Removes a tenant's rows from tables, in batches. */
export async function removeFrom(
  database: Database,
  schemaName: string,
  tables: readonly string[],
  tenant: string,
  report: StepContext["report"] = () => {},
): Promise<void> {
  const counts = await database.owner.transaction((tx) =>
    inTurn(tables, (table) => countTenantRows(tx, schemaName, table, tenant)),
  )
  const total = counts.reduce((sum, count) => sum + count, 0)
  let done = 0
  for (const table of tables) {
    for (let isLast = false; !isLast; report(done, total)) {
      const batch = await database.owner.transaction((tx) => deleteTenantRows(tx, schemaName, table, tenant))
      done += batch.count
      isLast = batch.isLast
    }
  }
}

async function inTurn<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = []
  for (const item of items) results.push(await work(item))
  return results
}

async function writeRecord(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { tenant } = operation
  await database.transaction(async (tx) => {
    await context.holdWithin(tx)
    // It was recorded, and whoever did so went away before that was noted.
    if ((await mustKnow(tx, tenant)).status === "deleted") return
    await mustChange(tx, tenant, { from: ["deleting"], to: "deleted", freeInMs: SLUG_KEPT_MS }, "deleted")
    await appendPlatformAudit(tx, [
      {
        ...auditEntry("tenant.deleted", tenant, {}),
        details: { operation: operation.id, requestedBy: operation.requestedBy },
      },
    ])
  })
  await removeLateEntries(context)
  tellChange(tenant, context)
  return { kind: "done" }
}

/**
 * What came into its log while its rows were removed would stay there for whoever has its slug next. Since it is recorded
 * as gone, nothing more comes.
 */
async function removeLateEntries({ database, operation: { tenant }, holdWithin }: StepContext): Promise<void> {
  await database.owner.transaction(async (tx) => {
    await holdWithin(tx)
    const tables = (await selectTenantTables(tx, SHARED_SCHEMA)).filter((table) => table.startsWith("audit_"))
    for (const table of tables) while (!(await deleteTenantRows(tx, SHARED_SCHEMA, table, tenant)).isLast);
  })
}

/** For whoever makes a place ready: whoever held a delivery and was silent books nothing any more. */
export async function endHolds({ database, operation: { tenant } }: StepContext): Promise<void> {
  const { placement } = await mustKnow(database, tenant)
  await database.owner.transaction((tx) => endStaleHolds(tx, tenantScope(tenant, placement)))
}
