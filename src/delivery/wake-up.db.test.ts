import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { closedGate, interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet } from "../../test/support/test-fleet.ts"
import type { Fleet } from "../fleet.ts"
import { defineHandler } from "./handler.ts"
import { snooze } from "./outcome.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())
afterEach(async () => {
  await db.database.query("delete from fleetprompt.deliveries")
  await db.database.query("delete from fleetprompt.pauses")
})

/** So seldom that a test which needs a poll does not end. */
const NEVER_MS = 3_600_000
/** What waits for a poll ends the test soon. */
const SHORT = { timeout: 30_000 }
const unpolled = { pollMs: NEVER_MS }

function many(count: number): { type: string; data: { n: number } }[] {
  return Array.from({ length: count }, (_, n) => ({ type: "item.added", data: { n } }))
}

/** Resolves when so many deliveries were settled. */
function settled(fleet: Fleet, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0
    const unlisten = fleet.telemetry.listen((name) => {
      if (name !== "delivery.settled" || ++seen < count) return
      unlisten()
      resolve()
    })
  })
}

const noop = defineHandler({ name: "noop", on: "**", run: () => {} })

describe("a delivery is begun without a poll", () => {
  test("when this process stored it", async () => {
    const { fleet, tenant } = await testFleet(db.database, { handlers: [noop], worker: unpolled })
    const done = settled(fleet, 1)
    await tenant.emit("item.added", {})
    await done
  })

  test("when another process stored it", async () => {
    const { fleet } = await testFleet(db.database, { handlers: [noop], worker: unpolled })
    const emitter = await testFleet(db.database, { handlers: [noop], worker: false })
    const done = settled(fleet, 50)
    await Promise.all(many(50).map(({ type, data }) => emitter.tenant.emit(type, data)))
    await done
  })

  test("when it was stored in a transaction of this process, which also hears of the signal", async () => {
    const { fleet, tenant } = await testFleet(db.database, { handlers: [noop], worker: unpolled })
    const heard: string[] = []
    fleet.onCommit({ onCommit: ({ stored }) => heard.push(...stored), onGap: () => {} })
    const done = settled(fleet, 1)
    const { signal } = await fleet.transaction((tx) => tenant.emit("item.added", {}, { tx }))
    await done
    await expect.poll(() => heard).toContain(signal.id)
  })

  test("when its delay is over, however long that is compared with a poll", async () => {
    const later = defineHandler({ name: "later", on: "**", delayMs: 150, run: () => {} })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [later], worker: unpolled })
    const done = settled(fleet, 1)
    await tenant.emit("item.added", {})
    await done
  })

  test("when a failed or snoozed one comes due again", async () => {
    let runs = 0
    const again = defineHandler({
      name: "again",
      on: "**",
      retry: { backoff: { firstMs: 20, longestMs: 20 } },
      run: () => {
        runs += 1
        if (runs === 1) throw new Error("first try")
        return runs === 2 ? snooze(20) : undefined
      },
    })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [again], worker: unpolled })
    const done = settled(fleet, 3)
    await tenant.emit("item.added", {})
    await done
  })

  test("when it was put into its lane while a claim of that lane was under way", async () => {
    const gate = closedGate()
    let isArmed = false
    const database = interceptDatabase(db.database, async ({ name, run }) => {
      const rows = await run()
      if (name !== "claimDeliveries" || !isArmed) return rows
      isArmed = false
      await gate.pass()
      return rows
    })
    const { fleet } = await testFleet(database, { handlers: [noop], worker: unpolled })
    const emitter = await testFleet(db.database, { handlers: [noop], worker: false })
    const done = settled(fleet, 2)
    isArmed = true
    await emitter.tenant.emit("item.added", {})
    await gate.reached
    const heard = new Promise<void>((resolve) => fleet.onCommit({ onCommit: () => resolve(), onGap: resolve }))
    await emitter.tenant.emit("item.added", {})
    // News travel behind the lanes.
    await heard
    gate.open()
    await done
  })

  test("when a more urgent lane of its tenant turns out empty", SHORT, async () => {
    const handler = defineHandler<{ n: number }>({
      name: "urgent",
      on: "**",
      priority: ({ data }) => data.n,
      run: () => {},
    })
    let isArmed = true
    const database = interceptDatabase(db.database, async ({ name, run }) => {
      if (name === "claimDeliveries" && isArmed) {
        isArmed = false
        // Another worker is faster.
        await db.database.query("delete from fleetprompt.deliveries where priority < 0")
      }
      return run()
    })
    const { fleet } = await testFleet(database, { handlers: [handler], worker: unpolled })
    const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
    const done = settled(fleet, 1)
    await emitter.tenant.emitMany([
      { type: "item.added", data: { n: 0 } },
      { type: "item.added", data: { n: 10 } },
    ])
    await done
  })

  test("when a worker that stops gave it back", async () => {
    const gate = closedGate()
    const slow = defineHandler({ name: "noop", on: "**", run: () => gate.pass() })
    const second = await testFleet(db.database, { handlers: [noop], worker: unpolled })
    const first = await testFleet(db.database, { handlers: [slow], worker: { ...unpolled, concurrency: 1 } })
    await first.tenant.emit("item.added", {})
    await gate.reached
    const done = settled(second.fleet, 1)
    await first.fleet.stop({ graceMs: 0 })
    await done
    gate.open()
  })
})

describe("what a limit held back goes on when something ends", () => {
  test("in lanes of other priorities of the tenant", SHORT, async () => {
    const seen: number[] = []
    const handler = defineHandler<{ n: number }>({
      name: "limited",
      on: "**",
      concurrency: { perTenant: 1 },
      priority: ({ data }) => data.n,
      run: ({ signal }) => void seen.push(signal.data.n),
    })
    const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
    await emitter.tenant.emitMany(many(8))
    const { fleet } = await testFleet(db.database, { handlers: [handler], worker: unpolled })
    await fleet.drain()
    expect(seen.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test("of other tenants, who take turns", SHORT, async () => {
    const order: string[] = []
    const handler = defineHandler({
      name: "limited",
      on: "**",
      concurrency: { global: 1 },
      run: async ({ tenant }) => {
        order.push(tenant)
        await new Promise((resolve) => setTimeout(resolve, 2))
      },
    })
    const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
    const small = emitter.fleet.tenant((await emitter.fleet.tenants.provision(`${emitter.tenant.slug}_s`)).slug)
    await emitter.tenant.emitMany(many(60))
    await small.emitMany(many(5))
    const { fleet } = await testFleet(db.database, { handlers: [handler], worker: unpolled })
    await fleet.drain()
    expect(order).toHaveLength(65)
    // The flood was stored first, and gets every other turn at most while the small one has something.
    expect(order.lastIndexOf(small.slug)).toBeLessThan(20)
  })

  test("of the tenant's other keys", async () => {
    const handler = defineHandler<{ n: number }>({
      name: "ordered",
      on: "**",
      ordered: "key",
      key: ({ data }) => `k${data.n % 3}`,
      run: () => {},
    })
    const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
    await emitter.tenant.emitMany(many(30))
    const { fleet } = await testFleet(db.database, { handlers: [handler], worker: unpolled })
    await fleet.drain()
    expect(await emitter.tenant.counts()).toMatchObject({ done: 30, waiting: 0 })
  })
})

describe("a pause", () => {
  test("holds back what is queued already, and what comes, until it ends", async () => {
    const seen: number[] = []
    const handler = defineHandler<{ n: number }>({
      name: "paced",
      on: "**",
      run: async ({ signal }) => {
        seen.push(signal.data.n)
        await new Promise((resolve) => setTimeout(resolve, 2))
      },
    })
    const worker = { concurrency: 2, pollMs: 20 }
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler], worker })
    await tenant.emitMany(many(600))
    await expect.poll(() => seen.length).toBeGreaterThan(10)
    await tenant.pauses.pause({ handler: "paced" })
    await tenant.emit("item.added", { n: 600 })
    // What this process holds already is done; the rest stays.
    await expect.poll(async () => (await held(tenant.slug)) === 0).toBe(true)
    const [begun, open] = [seen.length, await tenant.openDeliveries()]
    expect(begun + open).toBe(601)
    expect(open).toBeGreaterThan(200)
    for (let polls = 0; polls < 5; polls++) await nextPoll(fleet)
    expect([seen.length, await tenant.openDeliveries()]).toEqual([begun, open])
    await tenant.pauses.resume({ handler: "paced" })
    await fleet.drain()
    expect(new Set(seen).size).toBe(601)
  })
})

async function held(tenant: string): Promise<number> {
  const rows = await db.database.query(
    "select 1 from fleetprompt.deliveries where tenant = $1 and leased_by is not null",
    [tenant],
  )
  return rows.length
}

function nextPoll(fleet: Fleet): Promise<void> {
  return new Promise((resolve) => {
    const unlisten = fleet.telemetry.listen({
      steps: ["poll"],
      stop: () => {
        unlisten()
        resolve()
      },
    })
  })
}

test("a limit that another process used up lets this one go on when it looks again", async () => {
  const gate = closedGate()
  const handler = defineHandler({ name: "limited", on: "**", concurrency: { perTenant: 1 }, run: () => gate.pass() })
  const options = { handlers: [handler], worker: { pollMs: 50 } }
  const fleets = [await testFleet(db.database, options), await testFleet(db.database, options)] as const
  const done = Promise.race(fleets.map(({ fleet }) => nextEvent(fleet, "delivery.settled")))
  await fleets[0].tenant.emitMany(many(6))
  await gate.reached
  gate.open()
  await done
  await fleets[0].fleet.drain()
})

test("what is emitted right after a pause is not begun", async () => {
  const begun: string[] = []
  const handlerOf = (name: string) => defineHandler({ name, on: "item.added", run: () => void begun.push(name) })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handlerOf("paused"), handlerOf("goes.on")] })
  for (let round = 1; round <= 20; round += 1) {
    await tenant.pauses.pause({ handler: "paused" })
    await tenant.emit("item.added", {})
    await expect.poll(() => begun.filter((name) => name === "goes.on"), SHORT).toHaveLength(round)
    expect(begun.filter((name) => name === "paused")).toHaveLength(round - 1)
    await tenant.pauses.resume({ handler: "paused" })
    await fleet.drain()
    expect(begun.filter((name) => name === "paused")).toHaveLength(round)
  }
})
