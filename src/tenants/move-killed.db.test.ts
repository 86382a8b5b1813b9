import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { cancelUnlessEnded, leftAt } from "../../test/support/moved-tenant.ts"
import { killedAndTakenOver, operationProcess } from "../../test/support/operation-rig.ts"
import { storeSignals, tenantOf } from "../../test/support/tenant-rows.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import { type Placement, SHARED_SCHEMA, type TenantScope, tenantScope } from "../store/tenant-scope.ts"
import { selectTenant } from "../store/tenants.ts"
import { withinTenant } from "../store/within-tenant.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const SIGNALS = 30
/** More statements than a move has. */
const MANY = 400
/** Every so many statements it is killed in another move. */
const STRIDE = process.env["TEST_DATABASE"] === "server" ? 3 : 7

async function rows(scope: TenantScope): Promise<readonly unknown[]> {
  return withinTenant(db.database, scope, (tx) =>
    tx.query(
      `select id, tx_id::text, position, data from ${scope.schema}.signals where tenant = $1 order by tx_id, position`,
      [scope.slug],
    ),
  )
}

async function setUp(from: Placement, more: string) {
  await tenantOf(db.database, "shared", "so that the shared schema is there")
  const scope = await tenantOf(db.database, from, more)
  await withinTenant(db.database, scope, (tx) =>
    storeSignals(
      tx,
      scope,
      Array.from({ length: SIGNALS }, (_, n) => ({ data: { n } })),
    ),
  )
  return { scope, slug: testSlug(more), before: await rows(scope) }
}

describe.each([
  ["own", "shared"],
  ["shared", "own"],
] as const)("a move from %s to %s", (from, to) => {
  test(
    "that is killed at any statement is ended by another process, with every row once",
    { timeout: 400_000 },
    async () => {
      const places = new Set<string>()
      for (let statements = 1; statements < MANY; statements += STRIDE) {
        const { slug, before } = await setUp(from, `${from} ${to} ${statements}`)
        const { id } = await operationProcess(db.database).tenants.move(slug, { placement: to })
        const { operation, diedAt } = await killedAndTakenOver(db.database, id, statements)
        expect(operation, `killed at ${statements}: ${diedAt}`).toMatchObject({ status: "completed", error: null })
        expect(await selectTenant(db.database, slug)).toMatchObject({
          placement: to,
          status: "ready",
          holdsDeliveries: false,
        })
        expect(await rows(tenantScope(slug, to))).toEqual(before)
        if (diedAt === undefined) break
        places.add(diedAt)
      }
      expect(places.size).toBeGreaterThan(4)
    },
  )

  test(
    "that is killed and cancelled leaves the tenant whole at one of both places, and nothing at the other",
    { timeout: 400_000 },
    async () => {
      for (let statements = 2; statements < MANY; statements += 2 * STRIDE) {
        const { slug, before } = await setUp(from, `cancel ${from} ${to} ${statements}`)
        const { id } = await operationProcess(db.database).tenants.move(slug, { placement: to })
        const { operation, diedAt } = await killedAndTakenOver(db.database, id, statements, ({ operations }) =>
          cancelUnlessEnded(operations, id),
        )
        const at = operation.status === "cancelled" ? from : to
        expect(["cancelled", "completed"], `killed at ${diedAt}: ${JSON.stringify(operation.error)}`).toContain(
          operation.status,
        )
        expect(await selectTenant(db.database, slug)).toMatchObject({
          placement: at,
          status: "ready",
          holdsDeliveries: false,
        })
        expect(await rows(tenantScope(slug, at))).toEqual(before)
        if (at === from) expect(await leftAt(db.database, slug, to)).toBe(0)
        if (diedAt === undefined) break
      }
    },
  )
})

test("a move whose copy is not what was copied is taken back", async () => {
  const { slug, scope, before } = await setUp("own", "tampered")
  let isCopied = false
  const tampered = interceptDatabase(db.database, async ({ name, run }) => {
    // After it was copied and before it is verified, one row of the copy goes away.
    if (name === "prolongOperation" && isCopied)
      await db.database.owner.transaction((tx) =>
        tx.query(`delete from ${SHARED_SCHEMA}.signals where tenant = $1 and (data ->> 'n')::int = 3`, [slug]),
      )
    isCopied = name === "selectSequences" || (isCopied && name !== "prolongOperation")
    return run()
  })
  const worker = operationProcess(tampered)
  const { id } = await worker.tenants.move(slug, { placement: "shared" })
  worker.work()
  const operation = await worker.operations.wait(id)
  await worker.stop()
  expect(operation).toMatchObject({ status: "failed", error: { code: "tenant_state" } })
  expect(await selectTenant(db.database, slug)).toMatchObject({
    placement: "own",
    status: "ready",
    holdsDeliveries: false,
  })
  expect(await rows(scope)).toEqual(before)
  expect(await leftAt(db.database, slug, "shared")).toBe(0)
})
