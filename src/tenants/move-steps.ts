import { appendPlatformAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import type { Queryable, Transaction } from "../store/database.ts"
import { deleteKept, insertKept, renameKept, selectKept } from "../store/kept-placements.ts"
import { migrateTenant } from "../store/migrate.ts"
import {
  type CopiedTable,
  copyRange,
  countPages,
  hasSchema,
  lockTables,
  nextPage,
  raiseSequences,
  renameSchema,
  selectColumns,
  selectIsOpen,
  selectSharedVersion,
  sumRange,
  type TableSum,
} from "../store/tenant-copy.ts"
import { saveOperation, selectNowMs } from "../store/tenant-operations.ts"
import { dropSchema, endStaleHolds, selectTenantTables } from "../store/tenant-removal.ts"
import { type Placement, schemaName, type TenantScope, tenantScope } from "../store/tenant-scope.ts"
import { holdDeliveries, placeTenant, selectStatusBefore, type TenantRecord } from "../store/tenants.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { drain, emptySchema, removeKept } from "./delete-steps.ts"
import { auditEntry, mustChange, mustKnow, tellChange, wrongState } from "./lifecycle.ts"
import type { Procedure, StepContext, StepResult } from "./operation-step.ts"

/** What a move is asked for, checked. */
export interface MoveParams extends JsonObject {
  readonly from: Placement
  readonly to: Placement
  /** How long what runs may go on before the move is given up, milliseconds. */
  readonly drainMs: number
  /** How long the rows are kept at the old place, milliseconds. */
  readonly keepMs: number
  /** The name of another database that it is to come to. */
  readonly cell?: string
}

/** What the steps of a move found out. */
interface MoveState extends JsonObject {
  /** The target was made or emptied by this move, so that undoing it may remove it. */
  readonly prepared?: boolean
  /** Since when what runs is waited for, milliseconds of the database's clock. */
  readonly drainFrom?: number
  readonly tables?: readonly string[]
  readonly table?: number
  readonly page?: number
  readonly copied?: number
  readonly sums?: Readonly<Record<string, { readonly rows: number; readonly sum: string }>>
}

const DRAIN_POLL_MS = 250
/** Longer than any process trusts what it knows of a tenant; see `Placements`. */
export const SETTLE_MS = 2_500
const CONTROL_STEPS = ["switch", "seal", "wake"]

/**
 * Moves a tenant's rows to another place.
 *
 * The tenant's row in `fleetprompt.tenants` is the authority for where its rows are; it names the old place until
 * `switch`, the new one from there on, and both are changed in one commit with the operation's step. Before `switch` the
 * old place is whole and any trouble leads back to it: what was made at the new place is removed. After `switch` nothing
 * leads back but another move.
 *
 *   prepare   makes the new place, empty, and stops claims
 *   drain     waits for what runs
 *   close     stops emits: every insert asks the tenant's row
 *   settle    waits until no process goes by what it knew before, and until nobody writes into the old tables
 *   copy      page by page, each range in one commit with how far it is
 *   verify    counts and sums both places
 *   switch    names the new place, and lets the tenant work
 *   seal      takes the old place's name away, so that nothing finds it by mistake
 */
export const move: Procedure = {
  first: "prepare",
  steps: { prepare, drain: drainAll, close, settle, copy, verify, switch: switchOver, seal },
  undo,
  final: CONTROL_STEPS,
}

/** @throws FleetPromptError where an operation of another release wrote something else */
function paramsOf({ operation }: StepContext): MoveParams {
  // Written by requestMove alone.
  return operation.params as MoveParams
}

function stateOf({ operation }: StepContext): MoveState {
  return operation.state
}

function scopesOf(context: StepContext): { readonly from: TenantScope; readonly to: TenantScope } {
  const { from, to } = paramsOf(context)
  const { tenant } = context.operation
  return { from: tenantScope(tenant, from), to: tenantScope(tenant, to) }
}

async function prepare(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { from, to } = scopesOf(context)
  const record = await mustKnow(database, operation.tenant)
  if (record.placement !== from.placement || !["ready", "suspended"].includes(record.status))
    throw wrongState(record, `moved from ${from.placement} to ${to.placement}`)
  if (!stateOf(context).prepared) await clearTarget(context, record, to)
  await makeTarget(context, record, from, to)
  tellChange(operation.tenant, context)
  return { kind: "next", step: "drain", state: { prepared: true, drainFrom: await selectNowMs(database) } }
}

/** What an earlier move left at the new place is removed; what is there otherwise is nobody's to remove. */
async function clearTarget({ database, operation }: StepContext, record: TenantRecord, to: TenantScope): Promise<void> {
  const name = schemaName(to.slug, to.placement)
  if (to.placement === "own" && (await hasSchema(database, name)))
    throw new FleetPromptError(
      "tenant_state",
      `expected no schema ${name}, since tenant "${record.slug}" is in the shared one, got one that belongs to nobody; look at it with fleetprompt tenants check`,
    )
  for (const kept of await selectKept(database, operation.tenant))
    if (kept.placement === to.placement) await removeKept(database, kept)
}

/** Makes the place with the tables of the version that the rows have. */
async function makeTarget(
  context: StepContext,
  record: TenantRecord,
  from: TenantScope,
  to: TenantScope,
): Promise<void> {
  const { database, operation, migrations } = context
  if (to.placement === "shared") await checkShared(context, record)
  await database.owner.transaction(async (tx) => {
    await context.holdWithin(tx)
    if (to.placement === "own")
      await migrateTenant(
        tx,
        to,
        migrations.filter(({ version }) => version <= record.schemaVersion && !stateOf(context).prepared),
      )
    await holdDeliveries(tx, operation.tenant, true)
    await saveOperation(tx, operation, { state: { ...operation.state, prepared: true } })
  })
  if (to.placement === "shared") await emptySchema(database, operation.tenant, context.report)
  await sameTables(context, from, to)
}

async function checkShared({ database }: StepContext, record: TenantRecord): Promise<void> {
  const version = await selectSharedVersion(database)
  if (version === record.schemaVersion) return
  throw new FleetPromptError(
    "tenant_state",
    `expected the shared schema to have version ${record.schemaVersion}, as tenant "${record.slug}" has, got ${version ?? "none"}; run fleetprompt migrate first, and provision a shared tenant where there is none yet`,
  )
}

async function sameTables({ database }: StepContext, from: TenantScope, to: TenantScope): Promise<readonly string[]> {
  const [here, there] = await Promise.all(
    [from, to].map((scope) => selectTenantTables(database, schemaName(scope.slug, scope.placement))),
  )
  const missing = (here ?? []).filter((table) => !there?.includes(table))
  if (here && missing.length === 0) return here
  throw new FleetPromptError(
    "tenant_state",
    `expected the same tables at both places, the new one lacks ${missing.join()}`,
  )
}

/** Waits for what runs. */
export async function drainAll(context: StepContext): Promise<StepResult> {
  if (await drain(context)) return { kind: "next", step: "close" }
  const { drainMs } = paramsOf(context)
  const began = Number(context.operation.state["drainFrom"])
  if ((await selectNowMs(context.database)) - began < drainMs) return { kind: "wait", ms: DRAIN_POLL_MS }
  throw new FleetPromptError(
    "tenant_state",
    `expected what runs of "${context.operation.tenant}" to end within ${drainMs} ms, it did not; move it again when it is quiet, or allow more time`,
  )
}

/** Lets nothing in any more. */
export async function close(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { from } = scopesOf(context)
  await database.owner.transaction(async (tx) => {
    await context.holdWithin(tx)
    const record = await mustKnow(tx, operation.tenant)
    if (record.status === "moving") return
    const reason = `moved to ${paramsOf(context).to}`
    await mustChange(
      tx,
      operation.tenant,
      { from: ["ready", "suspended"], to: "moving", statusBefore: record.status, reason },
      "moved",
    )
    await endStaleHolds(tx, from)
  })
  tellChange(operation.tenant, context)
  return { kind: "next", step: "settle", dueInMs: context.settleMs ?? SETTLE_MS }
}

/** By now every process knows; what was begun before that is waited for by the locks. */
async function settle(context: StepContext): Promise<StepResult> {
  const { from, to } = scopesOf(context)
  const tables = await sameTables(context, from, to)
  await context.database.owner.transaction((tx) => lockTables(tx, from, tables))
  return { kind: "next", step: "copy", state: { ...context.operation.state, tables, table: 0, page: 0, copied: 0 } }
}

async function copy(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { from, to } = scopesOf(context)
  const { tables = [] } = stateOf(context)
  let { table = 0, page = 0, copied = 0 } = stateOf(context)
  const pages = await pagesOf(context, from, tables)
  const total = pages.reduce((sum, each) => sum + each, 0)
  for (; table < tables.length; table++, page = 0) {
    const copiedTable = await tableOf(context, from, tables[table] ?? "")
    const before = pages.slice(0, table).reduce((sum, each) => sum + each, 0)
    for (; page < (pages[table] ?? 0); page = nextPage(page)) {
      context.abort.throwIfAborted()
      const at = page
      const state = (rows: number): JsonObject => ({
        ...operation.state,
        table,
        page: nextPage(at),
        copied: copied + rows,
      })
      copied += await inside(context, from, copiedTable, async (tx) => {
        const rows = await copyRange(tx, from, to, copiedTable, at)
        await context.holdWithin(tx)
        await saveOperation(tx, operation, { step: "copy", state: state(rows), done: before + nextPage(at), total })
        return rows
      })
      context.report(Math.min(before + nextPage(at), total), total)
    }
  }
  await database.owner.transaction(async (tx) => {
    for (const name of tables) await raiseSequences(tx, to, name)
  })
  return { kind: "next", step: "verify", state: { ...operation.state, table, page: 0, copied } }
}

function pagesOf({ database }: StepContext, scope: TenantScope, tables: readonly string[]): Promise<readonly number[]> {
  return database.owner.transaction(async (tx) => {
    const pages: number[] = []
    for (const name of tables) pages.push(await countPages(tx, scope, name))
    return pages
  })
}

function tableOf({ database }: StepContext, scope: TenantScope, name: string): Promise<CopiedTable> {
  return database.owner.transaction(async (tx) => ({
    name,
    columns: await selectColumns(tx, scope, name),
    isOpen: await selectIsOpen(tx, scope, name),
  }))
}

/** Within the tenant's walls wherever its role may write; the heads of its audit log only the owner may move. */
function inside<Result>(
  { database }: StepContext,
  scope: TenantScope,
  { isOpen }: CopiedTable,
  run: (tx: Transaction) => Promise<Result>,
): Promise<Result> {
  return isOpen ? withinTenant(database, scope, run) : database.owner.transaction(run)
}

async function verify(context: StepContext): Promise<StepResult> {
  const { from, to } = scopesOf(context)
  const { tables = [] } = stateOf(context)
  const sums: Record<string, { rows: number; sum: string }> = {}
  for (const [at, name] of tables.entries()) {
    const table = await tableOf(context, from, name)
    const [here, there] = [await sumTable(context, from, table), await sumTable(context, to, table)]
    if (here.rows !== there.rows || here.sum !== there.sum)
      throw new FleetPromptError(
        "tenant_state",
        `expected ${here.rows} rows of ${name} with the sum ${here.sum} at the new place, got ${there.rows} with ${there.sum}; the tenant stays where it is`,
      )
    sums[name] = { rows: here.rows, sum: here.sum }
    context.report(at + 1, tables.length)
  }
  return { kind: "next", step: "switch", state: { ...context.operation.state, sums } }
}

/** Counts and sums all of a tenant's rows in a table, range by range. */
async function sumTable(context: StepContext, scope: TenantScope, table: CopiedTable): Promise<TableSum> {
  const [pages = 0] = await pagesOf(context, scope, [table.name])
  let rows = 0
  let sum = 0n
  for (let page = 0; page < pages; page = nextPage(page)) {
    context.abort.throwIfAborted()
    const at = page
    const part = await inside(context, scope, table, (tx) => sumRange(tx, scope, table, at))
    rows += part.rows
    sum += BigInt(part.sum)
  }
  return { rows, sum: String(sum) }
}

async function switchOver(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { tenant } = operation
  const { from, to } = scopesOf(context)
  const { keepMs } = paramsOf(context)
  await database.owner.transaction(async (tx) => {
    await context.holdWithin(tx)
    const record = await mustKnow(tx, tenant)
    // It was switched, and whoever did so went away before that was noted.
    if (record.placement === to.placement) return
    const left = { operationId: operation.id, tenant, schemaName: record.schemaName, placement: from.placement }
    await insertKept(tx, left, keepMs)
    await placeTenant(
      tx,
      tenant,
      { schemaName: schemaName(tenant, to.placement), placement: to.placement },
      record.schemaVersion,
    )
    await goBackToWork(tx, tenant)
    const details = {
      operation: operation.id,
      from: from.placement,
      to: to.placement,
      sums: stateOf(context).sums ?? {},
    }
    await appendPlatformAudit(tx, [{ ...auditEntry("tenant.moved", tenant, {}), details }])
  })
  tellChange(tenant, context)
  // Whoever reads by what it knew before finds the old place until then.
  return { kind: "next", step: "seal", dueInMs: context.settleMs ?? SETTLE_MS }
}

/** The tenant is what it was before. */
export async function goBackToWork(tx: Queryable, tenant: string): Promise<void> {
  const before = (await selectStatusBefore(tx, tenant)) === "suspended" ? "suspended" : "ready"
  await mustChange(tx, tenant, { from: ["moving"], to: before }, "used")
  await holdDeliveries(tx, tenant, false)
}

/** Takes the old place's name away. */
export async function seal(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { from } = scopesOf(context)
  const name = schemaName(from.slug, from.placement)
  if (from.placement === "own" && (await hasSchema(database, name))) {
    const sealed = `moved_${from.slug}_${operation.id.replaceAll("-", "").slice(-8)}`
    const tables = await selectTenantTables(database, name)
    await database.owner.transaction(async (tx) => {
      await context.holdWithin(tx)
      await renameSchema(tx, name, sealed, tables)
      await renameKept(tx, operation.id, sealed)
    })
  }
  context.announcer.changed({ tenants: true, pauses: true })
  return { kind: "done" }
}

/** Until the switch the old place is whole: the tenant goes on there, and what was made is removed. */
async function undo(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { tenant } = operation
  const { to } = scopesOf(context)
  const record = await mustKnow(database, tenant)
  if (record.placement === to.placement) return { kind: "next", step: "seal" }
  if (record.status === "moving" || record.holdsDeliveries)
    await database.owner.transaction(async (tx) => {
      await context.holdWithin(tx)
      if (record.status === "moving") await goBackToWork(tx, tenant)
      else await holdDeliveries(tx, tenant, false)
    })
  if (stateOf(context).prepared) {
    if (to.placement === "shared") await emptySchema(database, tenant, context.report)
    else await database.owner.transaction((tx) => dropSchema(tx, schemaName(tenant, "own")))
  }
  for (const kept of await selectKept(database, tenant))
    if (kept.operationId === operation.id) await database.owner.transaction((tx) => deleteKept(tx, operation.id))
  tellChange(tenant, context)
  return { kind: "done" }
}
