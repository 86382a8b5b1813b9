import { FleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import {
  type Carried,
  type CarriedTable,
  insertCarried,
  isOrdered,
  type Portion,
  readCarried,
  selectCarriedTable,
  settleTexts,
  sumCarried,
} from "../store/cell-copy.ts"
import { advanceArrival, type Arrival } from "../store/arrivals.ts"
import type { Database, Transaction } from "../store/database.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import type { StepContext } from "./operation-step.ts"

/** A tenant's way from one database to another. */
export interface Way {
  readonly from: { readonly database: Database; readonly scope: TenantScope }
  readonly to: { readonly database: Database; readonly scope: TenantScope }
}

/** Stands for the place behind the last row of a table. */
const END = "end"
/** Signals of the first portion, and pages of one. */
const FIRST_SIZE = { signals: 20, pages: 16 }
const MOST_SIGNALS = 1_000
const MOST_PAGES = 2_048
/** More characters than this, or rows, and the next portion is smaller; fewer rows than the last, and it is larger. */
const LARGE = 2_000_000
const MANY_ROWS = 2_000
const FEW_ROWS = 500

/**
 * Carries a tenant's rows over, portion by portion: each is read in one database, and stored in the other in one commit
 * with how far that is.
 *
 * @param arrival how far it was when this process began.
 * @returns how many rows there are in all.
 * @throws FleetPromptError `operation_ended` when another process does it by now
 */
export async function carryRows(
  context: StepContext,
  way: Way,
  tables: readonly string[],
  arrival: Arrival,
): Promise<number> {
  const first = arrival.table === null ? 0 : Math.max(0, tables.indexOf(arrival.table))
  let { copied } = arrival
  for (const [at, name] of tables.entries()) {
    if (at < first) continue
    const after = name === arrival.table ? arrival.place : null
    if (after === END) continue
    const { here: table, there } = await tablesOf(way, name)
    for await (const { lines, next } of portionsOf(context, way, table, after, arrival.orderTx)) {
      await inOwn(way.to.database, async (tx) => {
        if (lines.length > 0) await insertCarried(tx, there, lines)
        const step = { table: name, place: next ?? END, rows: lines.length }
        if (!(await advanceArrival(tx, way.to.scope.slug, context.operation, step))) throw replaced(context)
      })
      copied += lines.length
      context.report(copied, copied)
    }
  }
  return copied
}

async function* portionsOf(
  { abort }: StepContext,
  { from }: Way,
  table: CarriedTable,
  after: string | null,
  orderTx: string,
): AsyncGenerator<Carried, undefined> {
  let portion: Portion | undefined = { after, size: isOrdered(table) ? FIRST_SIZE.signals : FIRST_SIZE.pages }
  while (portion) {
    abort.throwIfAborted()
    const now: Portion = portion
    const carried = await inOwn(from.database, (tx) => readCarried(tx, from.scope, table, now, orderTx))
    yield carried
    portion = carried.next === null ? undefined : { after: carried.next, size: sizeAfter(table, now, carried) }
  }
  return undefined
}

function sizeAfter(table: CarriedTable, { size }: Portion, { lines }: Carried): number {
  const characters = lines.reduce((sum, line) => sum + line.length, 0)
  if (characters > LARGE || lines.length > MANY_ROWS) return Math.max(1, Math.floor(size / 4))
  if (isOrdered(table)) return Math.min(MOST_SIGNALS, size * 2)
  return lines.length < FEW_ROWS ? Math.min(MOST_PAGES, size * 2) : size
}

/** What a table came to at both places. */
export interface TableSums extends JsonObject {
  readonly rows: number
  readonly sum: string
}

/**
 * Counts a tenant's rows of a table at both places and sums up their hashes.
 *
 * @throws FleetPromptError `tenant_state` when they are not the same
 */
export async function compareTable(context: StepContext, way: Way, name: string, orderTx: string): Promise<TableSums> {
  const tables = await tablesOf(way, name)
  const here = await sumOf(context, way.from, tables.here, orderTx)
  const there = await sumOf(context, way.to, tables.there, orderTx)
  if (here.rows === there.rows && here.sum === there.sum) return here
  throw new FleetPromptError(
    "tenant_state",
    `expected ${here.rows} rows of ${name} with the sum ${here.sum} in the other database, got ${there.rows} with ${there.sum}; the tenant stays where it is`,
  )
}

const SUM_SIZE = { signals: 5_000, pages: 256 }

async function sumOf(
  { abort }: StepContext,
  place: Way["from"],
  table: CarriedTable,
  orderTx: string,
): Promise<TableSums> {
  const size = isOrdered(table) ? SUM_SIZE.signals : SUM_SIZE.pages
  let [rows, sum] = [0, 0n]
  for (let after: string | null | undefined = null; after !== undefined;) {
    abort.throwIfAborted()
    const now: Portion = { after, size }
    const part = await inOwn(place.database, (tx) => sumCarried(tx, place.scope, table, now, orderTx))
    rows += part.rows
    sum += BigInt(part.sum)
    after = part.next ?? undefined
  }
  return { rows, sum: String(sum) }
}

/** A table at both places, with the columns that it has at the old one. */
async function tablesOf(
  { from, to }: Way,
  name: string,
): Promise<{ readonly here: CarriedTable; readonly there: CarriedTable }> {
  const [here, there] = [await tableOf(from, name), await tableOf(to, name)]
  return { here, there: { ...there, columns: here.columns } }
}

function tableOf({ database, scope }: Way["from"], name: string): Promise<CarriedTable> {
  return database.owner.transaction((tx) => selectCarriedTable(tx, scope, name))
}

/** As the owner, who may read and write all tables. */
function inOwn<Result>(database: Database, run: (tx: Transaction) => Promise<Result>): Promise<Result> {
  return database.owner.transaction(async (tx) => {
    await settleTexts(tx)
    return run(tx)
  })
}

/** What a process is told whose operation another one goes on with. */
export function replaced({ operation }: StepContext): FleetPromptError {
  return new FleetPromptError("operation_ended", `operation ${operation.id} is carried on by another process`)
}
