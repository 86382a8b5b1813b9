import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { claimDeliveries, type ClaimedDelivery } from "../store/deliveries.ts"
import { migrateControl } from "../store/migrate.ts"
import { Telemetry } from "../telemetry/telemetry.ts"
import { defineHandler } from "./handler.ts"
import { Suspects } from "./suspects.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())
afterEach(() => db.database.query("delete from fleetprompt.deliveries"))

const handler = defineHandler({ name: "h", on: "**", retry: { attempts: 5 }, run: () => {} })

function suspects(...held: readonly ClaimedDelivery[]): Suspects {
  return new Suspects({
    database: db.database,
    telemetry: new Telemetry(),
    handlers: new Map([["h", handler]]),
    held: () => held.map((delivery) => ({ delivery })),
  })
}

/** Claims so many deliveries that were tried so often, the last time by a worker that went away. */
async function takeOver(count: number, attempts: number): Promise<readonly ClaimedDelivery[]> {
  const lease = attempts > 0 ? "'gone', now()" : "null, null"
  await db.database.query(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler, attempt, leased_by, leased_until)
     select 'acme', gen_random_uuid(), 'h', $2::integer, ${lease} from generate_series(1, $1::integer)`,
    [count, attempts],
  )
  const lane = { handler: "h", tenant: "acme", priority: 0, version: 1, take: count }
  return claimDeliveries(db.database, { worker: "me", leaseMs: 60_000 }, [lane])
}

async function takeOverOne(attempts: number): Promise<ClaimedDelivery> {
  const [one] = await takeOver(1, attempts)
  if (!one) throw new Error("expected a delivery")
  return one
}

describe("of deliveries whose last worker went away", () => {
  test.each([
    [1, 100],
    [2, 64],
    [3, 8],
    [4, 1],
    // These have no attempt left, and are given up.
    [5, 100],
  ])("after %i attempts of 5, a process takes up to %i at once", async (attempts, most) => {
    const kept = await suspects().sift(await takeOver(100, attempts))
    expect(kept).toHaveLength(most)
  })

  test("those beyond are put back as they were, for others to take over soon", async () => {
    const kept = await suspects().sift(await takeOver(3, 4))
    const rows = await db.database.query(
      `select attempt, leased_by as by, leased_until > now() as "isLeft", leased_until < now() + interval '2 seconds' as "isSoon"
       from fleetprompt.deliveries where signal_id <> $1::uuid`,
      [kept[0]?.signalId],
    )
    expect(rows).toEqual([1, 2].map(() => ({ attempt: 4, by: "gone", isLeft: true, isSoon: true })))
  })

  test("fewer are taken beside those that the process holds", async () => {
    const last = await takeOverOne(4)
    const before = await takeOverOne(3)
    const claimed = await takeOver(10, 3)
    expect(await suspects(before).sift(claimed)).toHaveLength(7)
    expect(await suspects(last).sift(await takeOver(10, 3))).toEqual([])
  })

  test("fewer are taken beside those whose signals are being read", async () => {
    const some = suspects()
    const coming = await some.sift(await takeOver(1, 4))
    expect(await some.sift(await takeOver(1, 4))).toEqual([])
    some.came(coming)
    expect(await some.sift(await takeOver(1, 4))).toHaveLength(1)
  })

  test("one that ends makes room for those that were put back, once", async () => {
    const some = suspects()
    const [kept] = await some.sift(await takeOver(2, 4))
    expect([kept && some.makesRoom(kept), kept && some.makesRoom(kept)]).toEqual([true, false])
  })
})

test("deliveries that nobody lost are all taken, also beside one in its last attempt", async () => {
  const last = await takeOverOne(4)
  const claimed = await takeOver(10, 0)
  expect(await suspects(last).sift(claimed)).toBe(claimed)
})
