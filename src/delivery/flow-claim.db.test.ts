import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { newId } from "../signal/id.ts"
import { type ClaimedDelivery, extendLeases } from "../store/deliveries.ts"
import { migrateControl } from "../store/migrate.ts"
import { claimWithin } from "./flow-claim.ts"
import { defineHandler } from "./handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())

const handler = defineHandler({ name: "narrow", on: "item.**", concurrency: { global: 1 }, run: () => {} })
const LEASE_MS = 60_000

function claim(worker: string, tenant: string): Promise<readonly ClaimedDelivery[]> {
  const share = { handler: handler.name, tenant, priority: 0, version: 1, take: 10 }
  const request = { worker, leaseMs: LEASE_MS }
  return claimWithin(db.database, { handler, share, request, schema: "none", after: "" }).then(
    ({ deliveries }) => deliveries,
  )
}

async function endLeases(): Promise<void> {
  await db.database.query("update fleetprompt.deliveries set leased_until = now()")
}

test("a lease that ended is not prolonged where others were let in for it", async () => {
  for (const tenant of ["acme", "bolt"]) {
    await db.database.query(
      "insert into fleetprompt.deliveries (tenant, signal_id, handler) values ($1, $2::text::uuid, $3)",
      [tenant, newId(), handler.name],
    )
  }
  const first = await claim("stands still", "acme")
  expect(await claim("other", "bolt")).toEqual([])
  expect((await extendLeases(db.database, first, LEASE_MS)).size).toBe(1)
  await endLeases()
  expect(await claim("other", "bolt")).toHaveLength(1)
  expect((await extendLeases(db.database, first, LEASE_MS)).size).toBe(0)
})
