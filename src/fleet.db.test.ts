import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { closedGate, type Intercept, interceptDatabase } from "../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../test/support/test-database.ts"
import { testFleet, testSlug } from "../test/support/test-fleet.ts"
import { defineHandler } from "./delivery/handler.ts"
import { createFleet, type Fleet } from "./fleet.ts"
import type { FleetOptions } from "./fleet/options.ts"
import type { Database } from "./store/database.ts"
import { migrateControl } from "./store/migrate.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
  // The connection that listens stays, so that its heartbeat is not taken for a fleet's.
  await db.database.listen("elsewhere", { onMessage: () => {}, onGap: () => {} })
})
afterAll(() => db.close())
afterEach(async () => {
  vi.useRealTimers()
  await db.database.query("delete from fleetprompt.deliveries")
})

const handlers = [
  defineHandler({ name: "plain", on: "**", run: () => {} }),
  defineHandler({ name: "keyed", on: "**", ordered: "subject", run: () => {} }),
]

/** A fleet on the file's database, whose closing is counted. */
function fleetOn(intercept: Intercept, options: FleetOptions = {}) {
  let closed = 0
  const database: Database = { ...interceptDatabase(db.database, intercept), close: async () => void (closed += 1) }
  return { fleet: createFleet({ handlers, ...options, database }), closed: () => closed }
}

const runs: Intercept = ({ run }) => run()

/** Counts what is begun to be done again and again from now on, and was not ended. */
async function intervals(): Promise<() => number> {
  // What the database itself needs of that is there already.
  await db.database.hot.query("select 1")
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
  return () => vi.getTimerCount()
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

async function isUsable(fleet: Fleet): Promise<boolean> {
  const tenant = fleet.tenant((await fleet.tenants.provision(testSlug())).slug)
  const { inserted } = await tenant.emit("a.b", {}, { dedupeKey: crypto.randomUUID() })
  await fleet.drain()
  return inserted
}

describe("a start that fails", () => {
  async function failsAt(statement: string): Promise<void> {
    let isBroken = true
    const { fleet, closed } = fleetOn(({ name, run }) =>
      isBroken && name === statement ? Promise.reject(new Error("told by the test")) : run(),
    )
    const count = await intervals()
    await expect(fleet.start()).rejects.toThrow("told by the test")
    expect([closed(), count()]).toEqual([1, 0])
    vi.useRealTimers()
    expect((await fleet.health()).ready).toBe(false)
    isBroken = false
    await fleet.start()
    expect(await isUsable(fleet)).toBe(true)
    await fleet.stop()
  }

  test.each(["selectControlMigrations"])(
    "at %s closes the database, leaves nothing running, and can be repeated",
    failsAt,
  )

  test("since nothing can be heard closes the database, and leaves nothing running", async () => {
    const database: Database = {
      ...interceptDatabase(db.database, runs),
      listen: () => Promise.reject(new Error("told by the test")),
      close: async () => {},
    }
    const count = await intervals()
    await expect(createFleet({ handlers, database }).start()).rejects.toThrow("told by the test")
    expect(count()).toBe(0)
  })
})

describe("starting and stopping", () => {
  test("a fleet works again after a stop, and is quiet after the last", async () => {
    let statements = 0
    const { fleet } = fleetOn(
      ({ run }) => {
        statements += 1
        return run()
      },
      { worker: { pollMs: 10 } },
    )
    for (const _ of [1, 2]) {
      await fleet.start()
      expect(await isUsable(fleet)).toBe(true)
      await fleet.stop()
    }
    const before = statements
    const { fleet: other } = await testFleet(db.database, { handlers, worker: { pollMs: 10 } })
    for (let polls = 0; polls < 10; polls++) await nextPoll(other)
    expect(statements).toBe(before)
  })

  test("a second start is refused while the fleet runs", async () => {
    const { fleet } = await testFleet(db.database)
    await expect(fleet.start()).rejects.toMatchObject({ code: "config_invalid" })
    expect(await isUsable(fleet)).toBe(true)
  })

  test("a second start is refused while the first is under way", async () => {
    const { fleet } = fleetOn(runs)
    const starts = await Promise.allSettled([fleet.start(), fleet.start()])
    await fleet.stop()
    expect(starts.map(({ status }) => status)).toEqual(["fulfilled", "rejected"])
  })

  test("a stop during the start ends what was started", async () => {
    const gate = closedGate()
    const { fleet } = fleetOn(async ({ name, run }) => {
      if (name === "findLanes") await gate.pass()
      return run()
    })
    const starting = fleet.start()
    await gate.reached
    const stopping = fleet.stop({ graceMs: 0 })
    gate.open()
    await Promise.allSettled([starting, stopping])
    const { ready } = await fleet.health()
    await fleet.stop({ graceMs: 0 })
    expect(ready).toBe(false)
  })

  test("a second stop waits for the first", async () => {
    const gate = closedGate()
    const slow = defineHandler({ name: "slow", on: "**", run: () => gate.pass() })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [slow] })
    await tenant.emit("a.b", {})
    await gate.reached
    const order: string[] = []
    const first = fleet.stop().then(() => order.push("first"))
    const second = fleet.stop().then(() => order.push("second"))
    setImmediate(gate.open)
    await Promise.all([first, second])
    expect(order).toEqual(["first", "second"])
  })

  test("a stop while others go on emitting does not take the whole grace", async () => {
    const database = interceptDatabase(db.database, async ({ name, run }) => {
      // Two statements are under way at a time, so there is always one.
      if (name === "insertSignals") await new Promise((resolve) => setTimeout(resolve, 5))
      return run()
    })
    const { fleet, tenant } = await testFleet(database, { handlers })
    const over = new AbortController()
    const emitters = Array.from({ length: 100 }, async () => {
      while (!over.signal.aborted) await tenant.emit("a.b", {}).catch(() => over.abort())
    })
    await tenant.emit("a.b", {})
    const stopped = fleet.stop({ graceMs: 4_000 }).then(() => "stopped")
    const half = new Promise((resolve) => setTimeout(() => resolve("still waiting"), 2_000))
    const first = await Promise.race([stopped, half])
    over.abort()
    await Promise.all([stopped, ...emitters])
    expect(first).toBe("stopped")
  })

  test("a fleet that only stores begins nothing", async () => {
    const { fleet } = fleetOn(runs, { worker: false })
    const count = await intervals()
    await fleet.start()
    expect(count()).toBe(0)
    await fleet.stop()
  })
})

describe("settings that nothing can work with are refused before anything is opened", () => {
  test.each([
    { worker: { concurrency: 0 } },
    { worker: { concurrency: Number.NaN } },
    { worker: { leaseMs: 0 } },
    { worker: { pollMs: -1 } },
    { emitQueue: { limit: 0 } },
    { emitQueue: { waitMs: Number.NaN } },
    { maxDataBytes: 0 },
  ])("%j", (options) => {
    expect(() => createFleet(options)).toThrow(expect.objectContaining({ code: "config_invalid" }))
  })
})
