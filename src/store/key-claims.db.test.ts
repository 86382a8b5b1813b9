import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { newId } from "../signal/id.ts"
import { claimByKey, type KeyLimits } from "./key-claims.ts"
import { migrateControl } from "./migrate.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())

const request = { worker: "w", leaseMs: 60_000 }
const limits: KeyLimits = {
  take: 10,
  perKey: 1,
  rateLimit: null,
  perMs: 0,
  which: "any",
  quietMs: 0,
  maxWaitMs: null,
}

/** Puts a delivery of each key into the queue, in this order. */
async function queue(handler: string, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    await db.database.query(
      `insert into fleetprompt.deliveries (tenant, signal_id, handler, flow_key) values ('acme', $1::text::uuid, $2, $3)`,
      [newId(), handler, key],
    )
  }
}

test("a claim that goes round takes no key twice, wherever the last one ended", async () => {
  const lane = { handler: "keyed", tenant: "acme", version: 1 }
  await queue(lane.handler, ["c", "c", "c"])
  // Behind the key that the last claim ended with there is only this one, and before it there is none.
  const claimed = await claimByKey(db.database, request, lane, limits, "b")
  expect(claimed.map(({ flowKey }) => flowKey)).toEqual(["c"])
})

test("a claim goes round to the keys up to the one that the last ended with", async () => {
  const lane = { handler: "round", tenant: "acme", version: 1 }
  await queue(lane.handler, ["a", "b", "b", "c", "d"])
  const claimed = await claimByKey(db.database, request, lane, limits, "b")
  expect(claimed.map(({ flowKey }) => flowKey).toSorted()).toEqual(["a", "b", "c", "d"])
})
