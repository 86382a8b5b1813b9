import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { binding } from "../../test/support/bindings.ts"
import { closedGate, interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testCells, type TestCells } from "../../test/support/cell-fleet.ts"
import { cancelUnlessEnded, leftAt } from "../../test/support/moved-tenant.ts"
import { killedAndTakenOver, operationProcess, type RigCells } from "../../test/support/operation-rig.ts"
import { storeSignals } from "../../test/support/tenant-rows.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import { selectArrival } from "../store/arrivals.ts"
import { upsertBindings } from "../store/bindings.ts"
import { insertElsewhere } from "../store/cells.ts"
import type { Database } from "../store/database.ts"
import { countTenantRows } from "../store/tenant-removal.ts"
import { type Placement, schemaName, tenantScope } from "../store/tenant-scope.ts"
import { selectTenant } from "../store/tenants.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { provisionTenant } from "./provision.ts"

type Name = "main" | "eu"

let cells: TestCells
beforeAll(async () => {
  cells = await testCells()
})
afterAll(() => cells.close())

const SIGNALS = 30
/** More statements than a move has. */
const MANY = 600
/** Every so many statements it is killed in another move. */
const STRIDE = process.env["TEST_DATABASE"] === "server" ? 17 : 11

function rigCells(here: Name): RigCells {
  return { here, databases: { main: cells.main, eu: cells.eu } }
}

async function rows(database: Database, slug: string, placement: Placement): Promise<readonly unknown[]> {
  const scope = tenantScope(slug, placement)
  return withinTenant(database, scope, (tx) =>
    tx.query(`select id, data from ${scope.schema}.signals where tenant = $1 order by tx_id, position`, [slug]),
  )
}

/** A tenant in one of the databases with signals and a queue. */
async function setUp(here: Name, from: Placement, more: string) {
  const database = cells[here]
  for (const each of [cells.main, cells.eu])
    await provisionTenant(each, testSlug("so that the shared schema is there"), { placement: "shared" })
  const slug = testSlug(more)
  if (here === "eu")
    await insertElsewhere(
      cells.main,
      { slug, schemaName: schemaName(slug, from), placement: from, class: "standard" },
      "eu",
    )
  await provisionTenant(database, slug, { placement: from })
  const scope = tenantScope(slug, from)
  const ids = await withinTenant(database, scope, (tx) =>
    storeSignals(
      tx,
      scope,
      Array.from({ length: SIGNALS }, (_, n) => ({ data: { n } })),
    ),
  )
  await withinTenant(database, scope, (tx) =>
    tx.query("insert into fleetprompt.deliveries (tenant, signal_id, handler) values ($1, $2::text::uuid, 'work')", [
      slug,
      ids[0],
    ]),
  )
  await withinTenant(database, scope, (tx) => upsertBindings(tx, slug, [binding()]))
  return { slug, before: await rows(database, slug, from) }
}

function platformRows(database: Database, table: string, slug: string): Promise<number> {
  return database.owner.transaction((tx) => countTenantRows(tx, "fleetprompt", table, slug))
}

/** The tenant is whole in one database, by the directory and by its own row, and of no use in the other. */
async function expectAt(slug: string, name: Name, placement: Placement, before: readonly unknown[]): Promise<void> {
  const other: Name = name === "main" ? "eu" : "main"
  expect(await selectTenant(cells[name], slug)).toMatchObject({
    status: "ready",
    placement,
    cell: null,
    holdsDeliveries: false,
  })
  const there = await selectTenant(cells[other], slug)
  if (other === "main") expect(there).toMatchObject({ status: "elsewhere", cell: "eu" })
  else expect(there?.status ?? "elsewhere").toBe("elsewhere")
  expect(await rows(cells[name], slug, placement)).toEqual(before)
  for (const table of ["deliveries", "bindings"])
    expect([await platformRows(cells[name], table, slug), await platformRows(cells[other], table, slug)]).toEqual([
      1, 0,
    ])
  for (const each of [cells.main, cells.eu]) expect(await selectArrival(each, slug)).toBeUndefined()
}

describe.each([
  ["main", "own", "own"],
  ["eu", "shared", "own"],
  ["main", "own", "shared"],
] as const)("a move from %s, %s to the other database, %s", (here, from, to) => {
  const there: Name = here === "main" ? "eu" : "main"

  test(
    "that is killed at any statement is ended by another process, with every row once",
    { timeout: 400_000 },
    async () => {
      const places = new Set<string>()
      for (let statements = 1; statements < MANY; statements += STRIDE) {
        const { slug, before } = await setUp(here, from, `${here} ${from} ${to} ${statements}`)
        const asking = operationProcess(cells[here], rigCells(here))
        const { id } = await asking.tenants.move(slug, { cell: there, placement: to })
        const { operation, diedAt } = await killedAndTakenOver(cells[here], id, statements, undefined, rigCells(here))
        expect(operation, `killed at ${statements}: ${diedAt}`).toMatchObject({ status: "completed", error: null })
        await expectAt(slug, there, to, before)
        if (diedAt === undefined) break
        places.add(diedAt)
      }
      expect(places.size).toBeGreaterThan(4)
    },
  )

  test(
    "that is killed and cancelled leaves the tenant whole in one of both databases, and nothing in the other",
    { timeout: 400_000 },
    async () => {
      for (let statements = 2; statements < MANY; statements += 2 * STRIDE) {
        const { slug, before } = await setUp(here, from, `cancel ${here} ${from} ${to} ${statements}`)
        const asking = operationProcess(cells[here], rigCells(here))
        const { id } = await asking.tenants.move(slug, { cell: there, placement: to })
        const cancel: Parameters<typeof killedAndTakenOver>[3] = ({ operations }) => cancelUnlessEnded(operations, id)
        const { operation, diedAt } = await killedAndTakenOver(cells[here], id, statements, cancel, rigCells(here))
        expect(["cancelled", "completed"], `killed at ${diedAt}: ${JSON.stringify(operation.error)}`).toContain(
          operation.status,
        )
        const isBack = operation.status === "cancelled"
        await expectAt(slug, isBack ? here : there, isBack ? from : to, before)
        if (isBack) expect(await leftAt(cells[there], slug, to)).toBe(0)
        if (diedAt === undefined) break
      }
    },
  )
})

test("a move whose copy is not what was copied is taken back", async () => {
  const { slug, before } = await setUp("main", "own", "tampered")
  let isDone = false
  const tampered = interceptDatabase(cells.main, async ({ name, run }) => {
    // After it was copied and before it is verified, one row of the copy goes away.
    if (name === "sumCarried" && !isDone) {
      isDone = true
      await cells.eu.owner.transaction((tx) =>
        tx.query(`delete from org_${slug}.signals where tenant = $1 and (data ->> 'n')::int = 3`, [slug]),
      )
    }
    return run()
  })
  const worker = operationProcess(tampered, { here: "main", databases: { main: tampered, eu: cells.eu } })
  const { id } = await worker.tenants.move(slug, { cell: "eu" })
  worker.work()
  const operation = await worker.operations.wait(id)
  await worker.stop()
  expect(operation).toMatchObject({ status: "failed", error: { code: "tenant_state" } })
  await expectAt(slug, "main", "own", before)
  expect(await leftAt(cells.eu, slug, "own")).toBe(0)
})

// The embedded database is one connection, which a read that stands still keeps from everybody.
test.runIf(process.env["TEST_DATABASE"] === "server")(
  "a process that was replaced while it copied adds nothing any more",
  async () => {
    const { slug, before } = await setUp("main", "own", "replaced")
    const stuck = closedGate()
    let isHeld = false
    const slow = interceptDatabase(cells.main, async ({ name, run }) => {
      const answer = await run()
      if (name !== "readCarried" || isHeld) return answer
      isHeld = true
      await stuck.pass()
      return answer
    })
    const stale = operationProcess(slow, { here: "main", databases: { main: slow, eu: cells.eu } })
    const { id } = await operationProcess(cells.main, rigCells("main")).tenants.move(slug, { cell: "eu" })
    stale.work()
    await stuck.reached
    await cells.main.owner.transaction((tx) =>
      tx.query(
        `update fleetprompt.tenant_operations set leased_until = now() - interval '1 s', lease_token = lease_token + 1
         where id = $1::text::uuid`,
        [id],
      ),
    )
    // When the other one has taken over, the first one stores what it had read, or tries to.
    let hasGoneOn = false
    const main = interceptDatabase(cells.main, async ({ name, run }) => {
      if (name === "readCarried" && !hasGoneOn) {
        hasGoneOn = true
        stuck.open()
        await stale.stop()
      }
      return run()
    })
    const successor = operationProcess(main, { here: "main", databases: { main, eu: cells.eu } })
    successor.work()
    const operation = await successor.operations.wait(id)
    await successor.stop()
    expect(hasGoneOn).toBe(true)
    expect(operation).toMatchObject({ status: "completed", error: null })
    await expectAt(slug, "eu", "own", before)
  },
)
