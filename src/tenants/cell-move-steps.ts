import { appendPlatformAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import {
  changeCell,
  deleteArrival,
  insertArrival,
  openArrived,
  resumeArrival,
  selectArrival,
} from "../store/arrivals.ts"
import { hasBindings, insertGoneBindings, selectGoneBindings } from "../store/bindings.ts"
import { CARRIED_TABLES, hasOpenReplays } from "../store/cell-copy.ts"
import { insertElsewhere, MAIN_CELL } from "../store/cells.ts"
import type { Queryable, Transaction } from "../store/database.ts"
import { insertKept, selectKept } from "../store/kept-placements.ts"
import { migrateTenant } from "../store/migrate.ts"
import { elsewhere } from "../store/placements.ts"
import { hasSchema, lockTables, raiseSequences, selectSharedVersion } from "../store/tenant-copy.ts"
import { saveOperation, selectNowMs } from "../store/tenant-operations.ts"
import { dropSchema, selectTenantTables } from "../store/tenant-removal.ts"
import { schemaName, tenantScope } from "../store/tenant-scope.ts"
import { holdDeliveries, selectStatusBefore, selectTenant, type TenantRecord } from "../store/tenants.ts"
import { carryRows, compareTable, replaced, type TableSums, type Way } from "./cell-copy.ts"
import { emptySchema, removeFrom, removeKept } from "./delete-steps.ts"
import { auditEntry, mustKnow, tellChange, wrongState } from "./lifecycle.ts"
import { close, drainAll, goBackToWork, type MoveParams, seal, SETTLE_MS } from "./move-steps.ts"
import type { CellDeps, Procedure, StepContext, StepResult } from "./operation-step.ts"

/** What the steps found out. */
interface CellMoveState extends JsonObject {
  /** The new place was made by this move, so that undoing it may remove it. */
  readonly prepared?: boolean
  /** What the directory had when the move began; its commit makes the next one of it. */
  readonly generation?: number
  /** Which order its signals are in at the new place: one that they never were in. */
  readonly order?: number
  readonly tables?: readonly string[]
  readonly sums?: Readonly<Record<string, TableSums>>
  /** What it was, and will be again. */
  readonly status?: "ready" | "suspended"
  readonly class?: TenantRecord["class"]
}

/** Tables of the platform from which the rows of a tenant that left are removed. */
const LEFT_TABLES: readonly string[] = [...CARRIED_TABLES, "slots"]

/**
 * Moves a tenant to another database. It goes as a move within one, see `move-steps.ts`, with these differences.
 *
 * Three databases take part: the one with the directory, the one that the tenant leaves, which has the operation, and
 * the one that it comes to; the first is often one of the others. No commit spans two. The authority for where the
 * tenant is is its row in the directory, and the one commit that changes it, in `switch`, moves it. Until then its row
 * at the new place is `elsewhere`, which lets nothing in, and from `close` on its row at the old place is `moving`. After it
 * `arrive` opens the new place and `leave` closes the old one for good: whoever goes by what was true before is refused
 * there and asks the directory.
 *
 * The new place takes rows from one process alone: `fleetprompt.arrivals` has the token of whoever took it last, and each
 * batch shows it. A switch that comes late shows an old generation. So a process that stood still for long spoils nothing.
 *
 *   prepare … settle   as within one database; the new place is in the other one
 *   copy      portion by portion: signals in their order, which gives them new places; what waits in the queue
 *   verify    counts and sums both places
 *   switch    the directory names the new place
 *   arrive    the tenant works there
 *   leave     its row at the old place names the new one; what waited in the queue there is removed
 *   seal      takes the old place's name away
 */
export const cellMove: Procedure = {
  first: "prepare",
  steps: { prepare, drain: drainAll, close, settle, copy, verify, switch: switchOver, arrive, leave, seal },
  undo,
  final: ["switch", "arrive", "leave", "seal"],
}

/** Whether a move leads to another database. */
export function isCellMove({ operation }: StepContext): boolean {
  return paramsOf(operation.params).cell !== undefined
}

function paramsOf(params: JsonObject): MoveParams {
  // Written by requestMove alone.
  return params as MoveParams
}

function stateOf({ operation }: StepContext): CellMoveState {
  return operation.state
}

/** The databases that take part. */
interface Sides {
  readonly here: string
  readonly there: string
  readonly directory: CellDeps
  readonly target: CellDeps
  readonly way: Way
}

function sidesOf(context: StepContext): Sides {
  const { cells, database, operation } = context
  const { from, to, cell: there = MAIN_CELL } = paramsOf(operation.params)
  if (!cells) throw new FleetPromptError("cell_unknown", `expected a database called "${there}", there is one alone`)
  const target = cells.find(there)
  return {
    here: cells.here,
    there,
    directory: cells.here === MAIN_CELL ? context : cells.find(MAIN_CELL),
    target,
    way: {
      from: { database, scope: tenantScope(operation.tenant, from) },
      to: { database: target.database, scope: tenantScope(operation.tenant, to) },
    },
  }
}

async function prepare(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { here, directory, way } = sidesOf(context)
  const record = await mustKnow(database, operation.tenant)
  if (record.placement !== way.from.scope.placement || !["ready", "suspended"].includes(record.status))
    throw wrongState(record, "moved to another database")
  const noted = await mustKnow(directory.database, operation.tenant)
  if ((noted.cell ?? MAIN_CELL) !== here) throw elsewhere(operation.tenant, noted.cell ?? MAIN_CELL)
  await noReplays(context)
  await makeTarget(context, record)
  await database.owner.transaction(async (tx) => {
    await context.holdWithin(tx)
    await holdDeliveries(tx, operation.tenant, true)
  })
  tellChange(operation.tenant, context)
  const drainFrom = await selectNowMs(database)
  const generation = { generation: noted.generation, order: Math.max(noted.generation, record.generation) + 1 }
  return { kind: "next", step: "drain", state: { prepared: true, drainFrom, ...generation, class: record.class } }
}

/** A replay holds places in an order that another database does not have. */
async function noReplays({ database, operation: { tenant } }: StepContext): Promise<void> {
  if (!(await hasOpenReplays(database, tenant))) return
  throw new FleetPromptError(
    "tenant_state",
    `expected a tenant without a replay under way, "${tenant}" has one; wait for its end or cancel it, then move the tenant`,
  )
}

async function makeTarget(context: StepContext, record: TenantRecord): Promise<void> {
  const { operation } = context
  const { here, target, way } = sidesOf(context)
  const { scope, database } = way.to
  const { slug, placement } = scope
  const arrival = await selectArrival(database, slug)
  if (arrival?.operationId !== operation.id) await clearTarget(context)
  await context.database.owner.transaction(async (tx) => {
    await context.holdWithin(tx)
    await saveOperation(tx, operation, { state: { ...operation.state, prepared: true } })
  })
  await database.owner.transaction(async (tx) => {
    await insertElsewhere(tx, { slug, schemaName: schemaName(slug, placement), placement, class: record.class }, here)
    const there = await mustKnow(tx, slug)
    if (there.status !== "elsewhere") throw wrongState(there, "moved here")
    const isMade = await insertArrival(tx, slug, operation)
    if (!isMade && !(await resumeArrival(tx, slug, operation))) throw alreadyArriving(slug)
    if (isMade && placement === "own")
      await migrateTenant(
        tx,
        scope,
        context.migrations.filter(({ version }) => version <= record.schemaVersion),
      )
    // Whoever was replaced meanwhile makes nothing that nobody would remove.
    await context.database.transaction((own) => context.holdWithin(own))
  })
  target.placements.forget(slug)
}

/** What an earlier stay left at the new place is removed; what is there otherwise is nobody's to remove. */
async function clearTarget(context: StepContext): Promise<void> {
  const { way } = sidesOf(context)
  const { database, scope } = way.to
  const { slug, placement } = scope
  const name = schemaName(slug, placement)
  if (placement === "own" && (await hasSchema(database, name)))
    throw new FleetPromptError(
      "tenant_state",
      `expected no schema ${name} in the other database, got one; look at it with fleetprompt tenants check, and wait until an earlier move has ended`,
    )
  if (placement === "shared") await checkShared(context)
  const there = await selectTenant(database, slug)
  if (there && there.status !== "elsewhere") throw wrongState(there, "moved here")
  for (const kept of await selectKept(database, slug))
    if (kept.placement === placement) await removeKept(database, kept)
  if (placement === "shared") await emptySchema(database, slug, context.report)
  await removeFrom(database, "fleetprompt", LEFT_TABLES, slug)
}

async function checkShared(context: StepContext): Promise<void> {
  const { way } = sidesOf(context)
  const record = await mustKnow(context.database, context.operation.tenant)
  const version = await selectSharedVersion(way.to.database)
  if (version === record.schemaVersion) return
  throw new FleetPromptError(
    "tenant_state",
    `expected the shared schema of the other database to have version ${record.schemaVersion}, as tenant "${record.slug}" has, got ${version ?? "none"}; run fleetprompt migrate first, and provision a shared tenant there where there is none yet`,
  )
}

function alreadyArriving(slug: string): FleetPromptError {
  return new FleetPromptError(
    "operation_conflict",
    `expected nobody to bring tenant "${slug}" to that database, another move does; wait for it`,
  )
}

/** By now every process knows; what was begun before that is waited for by the locks. */
async function settle(context: StepContext): Promise<StepResult> {
  const { way } = sidesOf(context)
  await noReplays(context)
  const own = await tablesOf(context)
  await way.from.database.owner.transaction((tx) => lockTables(tx, way.from.scope, own))
  return { kind: "next", step: "copy", state: { ...context.operation.state, tables: [...own, ...CARRIED_TABLES] } }
}

/** Those that others refer to first. */
async function tablesOf(context: StepContext): Promise<readonly string[]> {
  const { way } = sidesOf(context)
  const [here, there] = await Promise.all(
    [way.from, way.to].map(({ database, scope }) =>
      selectTenantTables(database, schemaName(scope.slug, scope.placement)),
    ),
  )
  const missing = (here ?? []).filter((table) => !there?.includes(table))
  if (here && missing.length === 0) return here.toReversed()
  throw new FleetPromptError(
    "tenant_state",
    `expected the same tables in both databases, the other one lacks ${missing.join()}`,
  )
}

async function copy(context: StepContext): Promise<StepResult> {
  const { operation } = context
  const { target, way } = sidesOf(context)
  const { tables = [] } = stateOf(context)
  const { database, scope } = way.to
  const arrival = await database.owner.transaction((tx) => resumeArrival(tx, scope.slug, operation))
  if (!arrival) throw replaced(context)
  const copied = await carryRows(context, way, tables, arrival)
  const gone = await way.from.database.owner.transaction((tx) => selectGoneBindings(tx, scope.slug))
  await database.owner.transaction(async (tx) => {
    for (const name of tables)
      await raiseSequences(tx, CARRIED_TABLES.includes(name) ? { ...scope, schema: '"fleetprompt"' } : scope, name)
    await insertGoneBindings(tx, scope.slug, gone)
  })
  // Workers there are to know what is paused before they find what waits; and every process what packages have run before
  // a signal comes in, though it hears nothing: it looks by itself soon.
  target.announcer.changed({ pauses: true, bindings: true })
  const knownInMs = (await hasBindings(database, scope.slug)) ? (context.settleMs ?? SETTLE_MS) : 0
  return { kind: "next", step: "verify", state: { ...operation.state, copied }, dueInMs: knownInMs }
}

async function verify(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { way } = sidesOf(context)
  const { tables = [] } = stateOf(context)
  const arrival = await selectArrival(way.to.database, operation.tenant)
  if (!arrival) throw replaced(context)
  const sums: Record<string, { rows: number; sum: string }> = {}
  for (const [at, name] of tables.entries()) {
    sums[name] = { ...(await compareTable(context, way, name, arrival.orderTx)) }
    context.report(at + 1, tables.length)
  }
  const status = (await selectStatusBefore(database, operation.tenant)) === "suspended" ? "suspended" : "ready"
  return { kind: "next", step: "switch", state: { ...operation.state, sums, status } }
}

/** The one commit that moves the tenant. */
async function switchOver(context: StepContext): Promise<StepResult> {
  const { operation } = context
  const { here, there, directory } = sidesOf(context)
  const { generation = 0 } = stateOf(context)
  await context.database.transaction((tx) => context.holdWithin(tx))
  await directory.database.owner.transaction(async (tx) => {
    const noted = await mustKnow(tx, operation.tenant)
    // It was switched, and whoever did so went away before that was noted.
    if (isSwitched(context, noted)) return
    if (here === MAIN_CELL) await context.holdWithin(tx)
    const isMoved =
      there === MAIN_CELL
        ? await openHere(context, tx, noted)
        : await changeCell(tx, operation.tenant, { generation, to: there }, here === MAIN_CELL)
    if (!isMoved) throw wrongState(noted, "moved to another database")
    await appendPlatformAudit(tx, [movedEntry(context)])
  })
  tellChange(operation.tenant, directory)
  return { kind: "next", step: "arrive", state: { ...operation.state } }
}

/** @param noted what the directory says. */
function isSwitched(context: StepContext, noted: TenantRecord): boolean {
  const { generation = Number.POSITIVE_INFINITY } = stateOf(context)
  return (noted.cell ?? MAIN_CELL) === sidesOf(context).there && noted.generation > generation
}

function movedEntry(context: StepContext) {
  const { operation } = context
  const { here, there, way } = sidesOf(context)
  const details = {
    operation: operation.id,
    from: `${here} ${way.from.scope.placement}`,
    to: `${there} ${way.to.scope.placement}`,
    sums: stateOf(context).sums ?? {},
  }
  return { ...auditEntry("tenant.moved", operation.tenant, {}), details }
}

/** Opens the new place once: the arrival ends with it, so that no row comes in late. */
async function openHere(context: StepContext, tx: Transaction, there: TenantRecord): Promise<boolean> {
  const { operation, database } = context
  const { way } = sidesOf(context)
  const { slug, placement } = way.to.scope
  const { order = there.generation + 1, status = "ready", class: tenantClass = there.class } = stateOf(context)
  if (!(await deleteArrival(tx, slug, operation.id))) return false
  const left = await versionsOf(database, slug)
  const arrived = { slug, schemaName: schemaName(slug, placement), placement, class: tenantClass, status, ...left }
  return openArrived(tx, { ...arrived, generation: order }, there.generation)
}

/** The version of the schema is what it was at the old place. */
async function versionsOf(
  database: StepContext["database"],
  slug: string,
): Promise<Pick<TenantRecord, "schemaVersion" | "breakingVersion">> {
  const { schemaVersion, breakingVersion } = await mustKnow(database, slug)
  return { schemaVersion, breakingVersion }
}

async function arrive(context: StepContext): Promise<StepResult> {
  const { operation } = context
  const { there, target } = sidesOf(context)
  if (there !== MAIN_CELL)
    await target.database.owner.transaction(async (tx) => {
      const record = await mustKnow(tx, operation.tenant)
      // It was opened, and whoever did so went away before that was noted.
      if (record.status !== "elsewhere") return
      if (!(await openHere(context, tx, record))) throw replaced(context)
    })
  tellChange(operation.tenant, target)
  target.announcer.changed({ tenants: true, pauses: true })
  return { kind: "next", step: "leave", state: { ...operation.state } }
}

async function leave(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { there, way } = sidesOf(context)
  const { tenant } = operation
  const { slug, placement } = way.from.scope
  await database.owner.transaction(async (tx) => {
    await context.holdWithin(tx)
    const kept = { operationId: operation.id, tenant, schemaName: schemaName(slug, placement), placement }
    const { keepMs } = paramsOf(operation.params)
    await insertKept(tx, kept, keepMs)
    const record = await mustKnow(tx, tenant)
    if (record.status === "moving") await changeCell(tx, tenant, { generation: record.generation, to: there }, true)
  })
  await removeFrom(database, "fleetprompt", LEFT_TABLES, tenant)
  tellChange(tenant, context)
  return { kind: "next", step: "seal", dueInMs: context.settleMs ?? SETTLE_MS }
}

/** Until the switch the old place is whole: the tenant goes on there, and what was made is removed. */
async function undo(context: StepContext): Promise<StepResult> {
  const { database, operation } = context
  const { directory } = sidesOf(context)
  const { tenant } = operation
  if (isSwitched(context, await mustKnow(directory.database, tenant))) return { kind: "next", step: "arrive" }
  const record = await mustKnow(database, tenant)
  if (record.status === "moving" || record.holdsDeliveries)
    await database.owner.transaction(async (tx) => {
      await context.holdWithin(tx)
      if (record.status === "moving") await goBackToWork(tx, tenant)
      else await holdDeliveries(tx, tenant, false)
    })
  if (stateOf(context).prepared) await removeTarget(context)
  tellChange(tenant, context)
  return { kind: "done" }
}

/** First nobody else adds anything; then it is removed; then it is forgotten. */
async function removeTarget(context: StepContext): Promise<void> {
  const { operation } = context
  const { way } = sidesOf(context)
  const { database, scope } = way.to
  const { slug, placement } = scope
  const arrival = await database.owner.transaction((tx) => resumeArrival(tx, slug, operation))
  if (!arrival) return
  if (placement === "shared") await emptySchema(database, slug, context.report)
  else await database.owner.transaction((tx) => dropSchema(tx, schemaName(slug, "own")))
  await removeFrom(database, "fleetprompt", LEFT_TABLES, slug)
  await database.owner.transaction((tx: Queryable) => deleteArrival(tx, slug, operation.id))
}
