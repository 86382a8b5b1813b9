import { appendPlatformAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import { release } from "../store/sql.ts"
import { type ArchivedTable, archivedTables } from "../store/tenant-tables.ts"
import {
  type ArchiveColumns,
  countArchiveRows,
  freeze,
  hasHistory,
  insertArchiveRows,
  readArchiveRows,
  selectArchiveColumns,
} from "../store/tenant-archive.ts"
import { saveOperation, selectNowMs } from "../store/tenant-operations.ts"
import { dropSchema } from "../store/tenant-removal.ts"
import { type Placement, type TenantScope, tenantScope } from "../store/tenant-scope.ts"
import { selectTenant, type TenantClass, type TenantRecord } from "../store/tenants.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { ARCHIVE_FORMAT, ARCHIVE_VERSION, readArchive } from "./archive-format.ts"
import { ArchiveWriter } from "./archive-writer.ts"
import { emptySchema, removeFrom } from "./delete-steps.ts"
import { auditEntry, mustChange, mustKnow, tellChange, wrongState } from "./lifecycle.ts"
import type { Procedure, StepContext, StepResult } from "./operation-step.ts"
import { provisionTenant } from "./provision.ts"

/** How long a transaction that writes an archive may wait for the disk between two statements, milliseconds. */
const IDLE_MS = 300_000

/** Writes all that a tenant has into a file, as it was at one moment, while it works on. */
export const exporting: Procedure = { first: "write", steps: { write } }

async function write(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const file = String(operation.params["file"])
  const record = await mustKnow(database, operation.tenant)
  const scope = tenantScope(operation.tenant, record.placement)
  const writer = new ArchiveWriter(file)
  try {
    const written = await database.transaction(
      async (tx) => {
        await freeze(tx)
        await writer.begin({
          format: ARCHIVE_FORMAT,
          version: ARCHIVE_VERSION,
          tenant: scope.slug,
          release,
          schemaVersion: record.schemaVersion,
          exportedAt: new Date(await selectNowMs(tx)).toISOString(),
        })
        const tables = await tablesOf(tx, scope)
        const counts: number[] = []
        for (const { name } of tables) counts.push(await countArchiveRows(tx, scope, name))
        const total = counts.reduce((sum, count) => sum + count, 0)
        let done = 0
        for (const table of tables) {
          await writer.table(table.name, table.columns, readArchiveRows(tx, scope, table), (rows) => {
            context.abort.throwIfAborted()
            context.report((done += rows), total)
          })
        }
        return writer.end()
      },
      { role: { tenants: [scope] }, idleMs: IDLE_MS },
    )
    // The manifest is made of counts and texts.
    return { kind: "done", state: { file, ...written } as unknown as JsonObject }
  } catch (error) {
    await writer.abandon()
    throw error
  }
}

async function tablesOf(tx: Parameters<typeof selectArchiveColumns>[0], scope: TenantScope) {
  const tables: ArchiveColumns[] = []
  for (const name of Object.keys(archivedTables)) {
    const columns = await selectArchiveColumns(tx, scope, name)
    if (columns.length > 0) tables.push({ name, columns })
  }
  return tables
}

/** What an import is asked for, checked. */
export interface ImportParams extends JsonObject {
  readonly file: string
  readonly placement: Placement
  readonly class: TenantClass
  readonly deliveries: boolean
}

/** Reads an archive into a tenant that is new or empty. Nothing is begun before the whole archive was checked. */
export const importing: Procedure = {
  first: "check",
  steps: { check, make, load, open },
  undo,
  final: ["open"],
}

function paramsOf({ operation }: StepContext): ImportParams {
  // Written by requestImport alone.
  return operation.params as ImportParams
}

async function check(context: StepContext): Promise<StepResult> {
  let total = 0
  let from = ""
  let sha256 = ""
  for await (const part of readArchive(paramsOf(context).file)) {
    context.abort.throwIfAborted()
    if (part.kind === "header") from = part.header.tenant
    if (part.kind === "row") total += 1
    if (part.kind === "manifest") sha256 = part.manifest.sha256
    if (total % 1_000 === 0) context.report(total, total)
  }
  return { kind: "next", step: "make", state: { from, sha256, total } }
}

/** The tenant is made, or was empty; it is closed while it is filled. */
async function make(context: StepContext): Promise<StepResult> {
  const { database, operation, migrations, placements } = context
  const { tenant } = operation
  const { placement, class: tenantClass } = paramsOf(context)
  const before = await selectTenant(database, tenant)
  const isMade = operation.state["isMade"] ?? (before === undefined || before.status === "deleted")
  await database.transaction(async (tx) => {
    await context.holdWithin(tx)
    await saveOperation(tx, operation, { state: { ...operation.state, isMade } })
  })
  if (before?.status !== "suspended") {
    placements.learn(await provisionTenant(database, tenant, { placement, class: tenantClass }, migrations))
    const change = { from: ["ready"], to: "suspended", reason: `import ${operation.id}` } as const
    await database.transaction(async (tx) => {
      await context.holdWithin(tx)
      await mustChange(tx, tenant, change, "imported into")
    })
    tellChange(tenant, context)
  } else if (before.statusReason !== `import ${operation.id}`) throw wrongState(before, "imported into")
  const record = await mustKnow(database, tenant)
  const scope = tenantScope(tenant, record.placement)
  if (await withinTenant(database, scope, (tx) => hasHistory(tx, scope)))
    throw new FleetPromptError(
      "tenant_state",
      `expected a tenant that is new or empty, "${tenant}" has signals; import into another`,
    )
  // From here on all that is in it came from the archive.
  return { kind: "next", step: "load", state: { ...operation.state, isMade, isEmpty: true, done: 0 } }
}

/** Rows of one commit, and bytes. */
const BATCH = 500
const BATCH_BYTES = 4_000_000

interface Batch {
  readonly table: ArchiveColumns
  readonly lines: readonly string[]
  /** How many rows of the archive are in when this one is. */
  readonly done: number
}

async function load(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const record = await mustKnow(database, operation.tenant)
  const scope = tenantScope(operation.tenant, record.placement)
  const total = Number(operation.state["total"] ?? 0)
  const already = Number(operation.state["done"] ?? 0)
  for await (const { table, lines, done } of batches(context, scope, already)) {
    context.abort.throwIfAborted()
    await withinTenant(database, scope, async (tx) => {
      await context.holdWithin(tx)
      await insertArchiveRows(tx, scope, table, lines)
      await saveOperation(tx, operation, { state: { ...operation.state, done }, done, total })
    })
    context.report(done, total)
  }
  return { kind: "next", step: "open" }
}

/** What an import takes over, in batches, from behind the rows that are in already. */
async function* batches(context: StepContext, scope: TenantScope, already: number): AsyncGenerator<Batch, undefined> {
  let table: ArchiveColumns | undefined
  let lines: string[] = []
  let bytes = 0
  let at = 0
  const full = (): Batch | undefined => {
    const batch = table && lines.length > 0 ? { table, lines, done: at } : undefined
    lines = []
    bytes = 0
    return batch
  }
  for await (const part of readArchive(paramsOf(context).file)) {
    if (part.kind === "table") {
      const batch = full()
      if (batch) yield batch
      table = await takenOver(context, scope, part.table, part.columns)
    }
    if (part.kind !== "row") continue
    if (table && at >= already) {
      lines.push(part.line)
      bytes += part.line.length
    }
    at += 1
    const batch = lines.length >= BATCH || bytes >= BATCH_BYTES ? full() : undefined
    if (batch) yield batch
  }
  const last = full()
  if (last) yield last
  return undefined
}

/** The table with the columns that both have; undefined when its rows stay in the archive. */
async function takenOver(
  context: StepContext,
  scope: TenantScope,
  name: string,
  given: readonly string[],
): Promise<ArchiveColumns | undefined> {
  const imported = archivedTables[name]?.imported ?? "no"
  if (imported === "no" || (imported === "asked" && !paramsOf(context).deliveries)) return undefined
  const here = await withinTenant(context.database, scope, (tx) => selectArchiveColumns(tx, scope, name))
  return { name, columns: here.filter((column) => given.includes(column)) }
}

async function open(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { tenant } = operation
  await database.transaction(async (tx) => {
    await context.holdWithin(tx)
    if ((await mustKnow(tx, tenant)).status === "ready") return
    await mustChange(tx, tenant, { from: ["suspended"], to: "ready" }, "opened")
    const { from = null, sha256 = null, total = 0 } = operation.state
    await appendPlatformAudit(tx, [
      { ...auditEntry("tenant.imported", tenant, {}), details: { operation: operation.id, from, sha256, rows: total } },
    ])
  })
  tellChange(tenant, context)
  return { kind: "done" }
}

/** What was made is removed; one that was there and empty is empty again. */
async function undo(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { tenant } = operation
  const record = await selectTenant(database, tenant)
  if (record?.status !== "suspended" || record.statusReason !== `import ${operation.id}`) return { kind: "done" }
  if (operation.state["isEmpty"] === true) {
    await removeFrom(database, record.schemaName, importedTables("tenant"), tenant, context.report)
    await removeFrom(database, "fleetprompt", importedTables("control"), tenant)
  }
  if (operation.state["isMade"] === true) await removeMade(context, record)
  else await database.transaction((tx) => mustChange(tx, tenant, { from: ["suspended"], to: "ready" }, "opened"))
  tellChange(tenant, context)
  return { kind: "done" }
}

async function removeMade(context: StepContext, { slug, placement, schemaName }: TenantRecord): Promise<void> {
  const { database } = context
  if (placement === "shared") await emptySchema(database, slug, context.report)
  else await database.owner.transaction((tx) => dropSchema(tx, schemaName))
  await database.transaction(async (tx) => {
    await context.holdWithin(tx)
    await mustChange(tx, slug, { from: ["suspended"], to: "deleting", deleteInMs: 0 }, "removed")
    await mustChange(tx, slug, { from: ["deleting"], to: "deleted", freeInMs: 0 }, "removed")
  })
}

function importedTables(where: ArchivedTable["in"]): readonly string[] {
  return Object.entries(archivedTables).flatMap(([name, table]) =>
    table.in === where && table.imported !== "no" ? [name] : [],
  )
}
