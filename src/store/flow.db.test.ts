import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import { newId } from "../signal/id.ts"
import { claimDeliveries } from "./deliveries.ts"
import { completeDeliveries } from "./completions.ts"
import { countSlots, giveFlowKeys, insertSlots, insertSpends, lockFlow, selectSpent } from "./flow.ts"
import { migrateControl } from "./migrate.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())
beforeEach(async () => {
  for (const table of ["deliveries", "slots", "rate_spends"]) {
    await db.database.query(`delete from fleetprompt.${table}`)
  }
})

async function spends(): Promise<number> {
  const [row] = await db.database.query<{ count: number }>(
    "select count(*)::int as count from fleetprompt.rate_spends where tenant <> 'other'",
  )
  return row?.count ?? 0
}

describe("what a rate limit let through", () => {
  const key = { handler: "h", tenant: "acme", flowKey: "" }

  test("counts for its period, and for its own key only", async () => {
    await insertSpends(db.database, [
      { ...key, count: 2 },
      { ...key, count: 1 },
      { ...key, tenant: "other", count: 10 },
      { ...key, flowKey: "k", count: 10 },
      { ...key, handler: "g", count: 10 },
    ])
    const spent = await selectSpent(db.database, key, 60_000)
    expect(spent.count).toBe(3)
    expect(spent.freeInMs).toBeGreaterThan(0)
    expect(spent.freeInMs).toBeLessThanOrEqual(60_000)
    expect(await selectSpent(db.database, { ...key, handler: "nobody" }, 60_000)).toEqual({ count: 0, freeInMs: null })
  })

  test("is removed when its period is over", async () => {
    await insertSpends(db.database, [{ ...key, count: 2 }])
    await db.database.query("update fleetprompt.rate_spends set spent_at = now() - interval '1 minute'")
    expect(await selectSpent(db.database, key, 60_000)).toEqual({ count: 0, freeInMs: null })
    expect(await spends()).toBe(0)
  })

  test.each(["tenant", "key", "global"] as const)("does not stay for ever, per %s", async (per) => {
    const handler = defineHandler({
      name: `paced-${per}`,
      on: "item.**",
      rateLimit: { limit: 100, perMs: 60_000, per },
      run: () => {},
    })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
    const items = Array.from({ length: 20 }, (_, n) => ({ type: "item.added", data: {}, subject: `item:${n}` }))
    await tenant.emitMany(items)
    await fleet.drain()
    expect(await spends()).toBe(20)
    await db.database.query("update fleetprompt.rate_spends set spent_at = now() - interval '2 minutes'")
    const settled = nextEvent(fleet, "delivery.settled")
    await tenant.emit("item.added", {}, { subject: "item:new" })
    await settled
    expect(await spends()).toBe(1)
  })
})

describe("slots", () => {
  /** Deliveries of some tenants that a worker holds, with their slots. */
  async function running(...tenants: readonly string[]) {
    const rows = tenants.map((tenant) => ({ tenant, signal_id: newId() }))
    await db.database.query(
      `insert into fleetprompt.deliveries (tenant, signal_id, handler)
       select tenant, signal_id, 'h' from json_to_recordset($1::text::json) as row (tenant text, signal_id uuid)`,
      [JSON.stringify(rows)],
    )
    const lanes = [...new Set(tenants)].map((tenant) => ({ handler: "h", tenant, priority: 0, version: 1, take: 100 }))
    const claimed = await claimDeliveries(db.database, { worker: "w", leaseMs: 60_000 }, lanes)
    await insertSlots(db.database, claimed)
    return claimed
  }

  test("are taken by what runs, in all and of each tenant", async () => {
    await running("acme", "acme", "other")
    expect(await countSlots(db.database, "h", "acme")).toEqual({ global: 3, tenant: 2 })
    expect(await countSlots(db.database, "h", "nobody")).toEqual({ global: 3, tenant: 0 })
    expect(await countSlots(db.database, "g", "acme")).toEqual({ global: 0, tenant: 0 })
  })

  test("are free when a delivery was settled, or its lease ended, or another claim has it", async () => {
    const [settled, lost, again, held] = await running("acme", "acme", "acme", "acme")
    if (!settled || !lost || !again || !held) throw new Error("four were claimed")
    await db.database.query("create schema if not exists org_slots")
    await db.database.query(
      `create table if not exists org_slots.attempts (tenant text, signal_id uuid, handler text, attempt int, outcome text,
         worker text, version int, replay_id uuid, started_at timestamptz, finished_at timestamptz)`,
    )
    const done = { outcome: "done", durationMs: 1, retryInMs: 0, error: null, version: 1 } as const
    await completeDeliveries(db.database, "org_slots", "w", [{ ...done, delivery: settled }])
    await db.database.query("update fleetprompt.deliveries set leased_until = now() where signal_id = $1::text::uuid", [
      lost.signalId,
    ])
    await db.database.query("update fleetprompt.deliveries set lease_token = 9 where signal_id = $1::text::uuid", [
      again.signalId,
    ])
    expect(await countSlots(db.database, "h", "acme")).toEqual({ global: 1, tenant: 1 })
    // What is counted no more is not kept either.
    const left = await db.database.query<{ signal_id: string }>("select signal_id from fleetprompt.slots")
    expect(left).toEqual([{ signal_id: held.signalId }])
  })
})

test("deliveries of before a handler went by keys get the empty key", async () => {
  const rows = [
    { handler: "keyed", key: null },
    { handler: "keyed", key: "k" },
    { handler: "plain", key: null },
  ]
  for (const { handler, key } of rows) {
    await db.database.query(
      `insert into fleetprompt.deliveries (tenant, signal_id, handler, flow_key) values ('acme', $1::text::uuid, $2, $3)`,
      [newId(), handler, key],
    )
  }
  expect(await giveFlowKeys(db.database, ["keyed", "other"])).toBe(false)
  const keys = await db.database.query<{ handler: string; key: string | null }>(
    "select handler, flow_key as key from fleetprompt.deliveries order by position",
  )
  expect(keys).toEqual([
    { handler: "keyed", key: "" },
    { handler: "keyed", key: "k" },
    { handler: "plain", key: null },
  ])
})

test.runIf(process.env["TEST_DATABASE"] === "server")(
  "one process at a time claims for a limited handler and tenant; others do not wait for it",
  async () => {
    const order: string[] = []
    let finish = (): void => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    let begin = (): void => {}
    const begun = new Promise<void>((resolve) => (begin = resolve))
    const first = db.database.transaction(async (tx) => {
      await lockFlow(tx, "h", "acme")
      begin()
      await finished
      order.push("first")
    })
    await begun
    const second = db.database.transaction(async (tx) => {
      await lockFlow(tx, "h", "acme")
      order.push("second")
    })
    await db.database.transaction(async (tx) => {
      await lockFlow(tx, "h", "other")
      await lockFlow(tx, "g", "acme")
      order.push("others")
    })
    finish()
    await Promise.all([first, second])
    expect(order).toEqual(["others", "first", "second"])
  },
)

test.runIf(process.env["TEST_DATABASE"] === "server")(
  "whoever finds a limited handler locked for long gives up, so that other lanes get their turn",
  async () => {
    await db.database.transaction(async (tx) => {
      await lockFlow(tx, "h", "acme")
      const second = db.database.transaction((other) => lockFlow(other, "h", "acme"))
      await expect(second).rejects.toMatchObject({ code: "55P03" })
    })
  },
)
