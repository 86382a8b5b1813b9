import { setImmediate } from "node:timers/promises"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { closedGate, interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet } from "../../test/support/test-fleet.ts"
import { FleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import { claimDeliveries } from "../store/deliveries.ts"
import type { Tenant } from "../tenants/tenant.ts"
import { defineHandler } from "./handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())
afterEach(() => db.database.query("delete from fleetprompt.deliveries"))

const everyone = ["internal", "admin_only"] as const
/** A lease that a busy machine does not let end while its heartbeat goes. */
const LEASE_MS = 1_500

function away(): FleetPromptError {
  return new FleetPromptError("database_connection_lost", "the test cut the line")
}

function many(count: number): { type: string; data: { n: number } }[] {
  return Array.from({ length: count }, (_, n) => ({ type: "item.added", data: { n } }))
}

/** Resolves when so many statements of a name were answered. */
function statements(fleet: Fleet, name: string, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0
    const unlisten = fleet.telemetry.listen({
      steps: ["statement"],
      stop: ({ fields }) => {
        if (!("statement" in fields) || fields.statement !== name || ++seen < count) return
        unlisten()
        resolve()
      },
    })
  })
}

/** What became of a signal's first delivery, each attempt by outcome and worker. */
async function historyOf(tenant: Tenant, signalId: string): Promise<readonly (readonly [number, string, string])[]> {
  const detail = await tenant.signals.get(signalId, everyone)
  return (detail?.deliveries[0]?.history ?? []).map(({ attempt, outcome, worker }) => [attempt, outcome, worker])
}

interface QueueState {
  readonly attempt: number
  readonly leased_by: string | null
}

function queueOf(tenant: Tenant): Promise<readonly QueueState[]> {
  return db.database.query<QueueState>(
    "select attempt, leased_by from fleetprompt.deliveries where tenant = $1 order by position",
    [tenant.slug],
  )
}

describe("a worker that went away without a word", () => {
  test("is taken over when its lease ends; who lost it stands in the history", async () => {
    const attempts: number[] = []
    const handler = defineHandler({ name: "h", on: "**", run: ({ attempt }) => void attempts.push(attempt) })
    const emitter = await testFleet(db.database, { worker: false, handlers: [handler] })
    const { signal } = await emitter.tenant.emit("item.added", {})
    const lane = { handler: "h", tenant: emitter.tenant.slug, priority: 0, version: 1, take: 1 }
    expect(await claimDeliveries(db.database, { worker: "host:gone", leaseMs: 200 }, [lane])).toHaveLength(1)
    const { fleet } = await testFleet(db.database, { handlers: [handler], worker: { pollMs: 50 } })
    const told: unknown[] = []
    fleet.telemetry.listen((name, fields) => {
      if (name === "delivery.settled" && "outcome" in fields) told.push([fields.attempt, fields.outcome])
    })
    await fleet.drain()
    expect(attempts).toEqual([2])
    expect(await historyOf(emitter.tenant, signal.id)).toEqual([
      [1, "lost", "host:gone"],
      [2, "done", fleet.workerName],
    ])
    expect(told).toEqual([
      [1, "lost"],
      [2, "done"],
    ])
  })

  test("and comes back late books nothing, and is told to stop", async () => {
    const gate = closedGate()
    let isAway = true
    let reason: unknown
    const database = interceptDatabase(db.database, ({ name, run }) =>
      name === "extendLeases" && isAway ? Promise.reject(away()) : run(),
    )
    const slow = defineHandler({
      name: "h",
      on: "**",
      run: async ({ abort }) => {
        abort.addEventListener("abort", () => (reason = abort.reason))
        await gate.pass()
      },
    })
    const quick = defineHandler({ name: "h", on: "**", run: () => {} })
    const second = await testFleet(db.database, { handlers: [quick], worker: { pollMs: 50 } })
    const first = await testFleet(database, { handlers: [slow], worker: { leaseMs: 300, pollMs: 60_000 } })
    const { signal } = await first.tenant.emit("item.added", {})
    await gate.reached
    await second.fleet.drain()
    const noticed = statements(first.fleet, "extendLeases", 1)
    isAway = false
    await noticed
    await setImmediate()
    expect(reason).toMatchObject({ code: "worker_lost" })
    const lost = nextEvent(first.fleet, "delivery.lost")
    gate.open()
    expect(await lost).toMatchObject({ signalId: signal.id, attempt: 1 })
    expect(await historyOf(first.tenant, signal.id)).toEqual([
      [1, "lost", first.fleet.workerName],
      [2, "done", second.fleet.workerName],
    ])
  })

  test("with deliveries that it had not begun does not begin those that others have now", async () => {
    const gate = closedGate()
    const ran: number[] = []
    const handler = defineHandler<{ n: number }>({
      name: "h",
      on: "**",
      run: async ({ signal }) => {
        ran.push(signal.data.n)
        if (signal.data.n === 0) await gate.pass()
      },
    })
    const worker = { concurrency: 1, leaseMs: 600, pollMs: 60_000 }
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler], worker })
    for (const { type, data } of many(2)) await tenant.emit(type, data)
    await gate.reached
    expect((await queueOf(tenant)).filter(isHeld)).toHaveLength(2)
    await db.database.query(
      `update fleetprompt.deliveries set leased_by = 'other', lease_token = lease_token + 1
       where position = (select max(position) from fleetprompt.deliveries where tenant = $1)`,
      [tenant.slug],
    )
    await statements(fleet, "extendLeases", 2)
    gate.open()
    await statements(fleet, "completeDeliveries", 1)
    await setImmediate()
    expect(ran).toEqual([0])
  })
})

describe("a lease holds as long as the work takes", () => {
  test("of one run, which nobody else begins meanwhile", async () => {
    const gate = closedGate()
    let runs = 0
    const handler = defineHandler({
      name: "h",
      on: "**",
      run: async () => {
        runs += 1
        await gate.pass()
      },
    })
    const options = { handlers: [handler], worker: { leaseMs: LEASE_MS, pollMs: 50 } }
    await testFleet(db.database, options)
    const first = await testFleet(db.database, options)
    const { signal } = await first.tenant.emit("item.added", {})
    await gate.reached
    // A heartbeat comes three times in a lease.
    await statements(first.fleet, "extendLeases", 5)
    gate.open()
    await first.fleet.drain()
    expect(runs).toBe(1)
    expect(await historyOf(first.tenant, signal.id)).toEqual([[1, "done", first.fleet.workerName]])
  })

  test("of a batch, and of what waits for its turn", async () => {
    const gate = closedGate()
    const calls: number[] = []
    const handler = defineHandler({
      name: "h",
      on: "**",
      batch: { size: 5 },
      run: async ({ signals }) => {
        calls.push(signals.length)
        await gate.pass()
      },
    })
    const worker = { leaseMs: LEASE_MS, pollMs: 50, concurrency: 1 }
    const fleets = [
      await testFleet(db.database, { handlers: [handler], worker }),
      await testFleet(db.database, { handlers: [handler], worker }),
    ] as const
    const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
    await emitter.tenant.emitMany(many(10))
    await gate.reached
    await Promise.all(fleets.map(({ fleet }) => statements(fleet, "extendLeases", 5)))
    gate.open()
    await emitter.fleet.drain()
    expect(calls.reduce((sum, each) => sum + each, 0)).toBe(10)
    expect(await emitter.tenant.counts()).toMatchObject({ done: 10, failed: 0, dead: 0 })
    expect(await outcomes(emitter.tenant)).toEqual(["done 1"])
  })

  test("also while its result cannot be booked, which then is booked once", async () => {
    let isAway = true
    const database = interceptDatabase(db.database, ({ name, run }) =>
      name === "completeDeliveries" && isAway ? Promise.reject(away()) : run(),
    )
    let runs = 0
    const handler = defineHandler({ name: "h", on: "**", run: () => void (runs += 1) })
    const worker = { leaseMs: LEASE_MS, pollMs: 50 }
    await testFleet(db.database, { handlers: [handler], worker })
    const first = await testFleet(database, { handlers: [handler], worker })
    const { signal } = await first.tenant.emit("item.added", {})
    await statements(first.fleet, "extendLeases", 5)
    isAway = false
    await first.fleet.drain()
    expect(runs).toBe(1)
    expect(await historyOf(first.tenant, signal.id)).toEqual([[1, "done", first.fleet.workerName]])
  })
})

/** The attempts of a tenant, by outcome and number, each once. */
async function outcomes({ slug }: Tenant): Promise<readonly string[]> {
  const rows = await db.database.query<{ attempt: string }>(
    `select distinct outcome || ' ' || attempt as attempt from org_${slug}.attempts order by 1`,
  )
  return rows.map(({ attempt }) => attempt)
}

describe("an answer that gets lost", () => {
  /** A database whose first statement of a name is carried out, and its answer lost. A claim that got nothing does not count. */
  function losing(statement: string) {
    let isLost = false
    return interceptDatabase(db.database, async ({ name, run }) => {
      const rows = await run()
      if (name !== statement || isLost || (name === "claimDeliveries" && rows.length === 0)) return rows
      isLost = true
      throw away()
    })
  }

  test.each(["completeDeliveries", "settleDeliveries"])("of %s books an attempt once", async (statement) => {
    let runs = 0
    const handler = defineHandler({
      name: "h",
      on: "**",
      retry: { backoff: { firstMs: 1, longestMs: 1 } },
      run: () => {
        runs += 1
        if (statement === "settleDeliveries" && runs === 1) throw new Error("first try")
      },
    })
    const { fleet, tenant } = await testFleet(losing(statement), { handlers: [handler] })
    const { signal } = await tenant.emit("item.added", {})
    await fleet.drain()
    const expected = statement === "settleDeliveries" ? ["failed", "done"] : ["done"]
    expect((await historyOf(tenant, signal.id)).map(([, outcome]) => outcome)).toEqual(expected)
    expect(runs).toBe(expected.length)
  })

  test("of a booking is not told as a lost delivery", async () => {
    const handler = defineHandler({ name: "h", on: "**", run: () => {} })
    const { fleet, tenant } = await testFleet(losing("completeDeliveries"), { handlers: [handler] })
    const told = Promise.race([
      nextEvent(fleet, "delivery.lost").then(() => "lost"),
      nextEvent(fleet, "delivery.settled").then(({ outcome }) => outcome),
    ])
    await tenant.emit("item.added", {})
    expect(await told).toBe("done")
  })

  test("of a claim costs an attempt and a lease, and nothing else", async () => {
    const attempts: number[] = []
    const handler = defineHandler({ name: "h", on: "**", run: ({ attempt }) => void attempts.push(attempt) })
    const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
    const { signal } = await emitter.tenant.emit("item.added", {})
    const worker = { leaseMs: 300, pollMs: 50 }
    const { fleet } = await testFleet(losing("claimDeliveries"), { handlers: [handler], worker })
    await fleet.drain()
    expect(attempts).toEqual([2])
    expect((await historyOf(emitter.tenant, signal.id)).map(([attempt, outcome]) => [attempt, outcome])).toEqual([
      [1, "lost"],
      [2, "done"],
    ])
  })

  test("of the reading of signals costs no attempt", async () => {
    const attempts: number[] = []
    const handler = defineHandler({ name: "h", on: "**", run: ({ attempt }) => void attempts.push(attempt) })
    const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
    await emitter.tenant.emitMany(many(5))
    const { fleet } = await testFleet(losing("selectSignals"), { handlers: [handler], worker: { pollMs: 50 } })
    await fleet.drain()
    expect(attempts).toEqual([1, 1, 1, 1, 1])
    expect(await outcomes(emitter.tenant)).toEqual(["done 1"])
  })
})

describe("a worker that stops", () => {
  test("gives back at once what it has not begun, without an attempt, and another does it", async () => {
    const gate = closedGate()
    let begun = 0
    const handler = defineHandler({
      name: "h",
      on: "**",
      run: () => {
        begun += 1
        return gate.pass()
      },
    })
    const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
    await emitter.tenant.emitMany(many(20))
    const first = await testFleet(db.database, { handlers: [handler], worker: { concurrency: 2, pollMs: 50 } })
    await expect.poll(async () => (await queueOf(first.tenant)).filter(isHeld).length).toBeGreaterThan(2)
    // What was not begun when it stops is given back, all of it.
    await expect.poll(() => begun).toBe(2)
    const stopping = first.fleet.stop({ graceMs: 60_000 })
    // What is running stays held until it ends.
    await expect.poll(async () => (await queueOf(first.tenant)).filter(isHeld).length).toBe(2)
    expect((await queueOf(first.tenant)).filter((row) => !isHeld(row))).toEqual(
      Array.from({ length: 18 }, () => ({ attempt: 0, leased_by: null })),
    )
    gate.open()
    await stopping
    expect(await emitter.tenant.openDeliveries()).toBe(18)
    const second = await testFleet(db.database, { handlers: [handler] })
    await second.fleet.drain()
    expect(await outcomes(emitter.tenant)).toEqual(["done 1"])
  })

  test("waits within the grace for what it is storing, so that nothing is left held", async () => {
    const { stored, gate, fleet, tenant } = await storingFleet()
    const stopping = fleet.stop({ graceMs: 60_000 })
    gate.open()
    await Promise.all([stored(), stopping])
    expect((await queueOf(tenant)).every((row) => !isHeld(row) && row.attempt === 0)).toBe(true)
  })

  test("gives back what is stored after the grace as well", async () => {
    const { stored, gate, fleet, tenant } = await storingFleet()
    await fleet.stop({ graceMs: 0 })
    gate.open()
    await stored()
    await expect.poll(() => queueOf(tenant), { timeout: 30_000 }).toEqual([{ attempt: 0, leased_by: null }])
  })

  /** A fleet in the middle of an emit, whose delivery its own worker is to take. */
  async function storingFleet() {
    const gate = closedGate()
    const handler = defineHandler({ name: "h", on: "**", run: () => {} })
    const database = interceptDatabase(db.database, async ({ name, run }) => {
      const rows = await run()
      if (name === "insertSignals") await gate.pass()
      return rows
    })
    const { fleet, tenant } = await testFleet(database, { handlers: [handler] })
    const emitted = tenant.emit("item.added", {})
    await gate.reached
    expect(await queueOf(tenant)).toEqual([{ attempt: 1, leased_by: fleet.workerName }])
    return { fleet, tenant, gate, stored: () => emitted }
  }
})

function isHeld({ leased_by }: QueueState): boolean {
  return leased_by !== null
}

test("two workers that both live never run one delivery twice, nor at once", async () => {
  await db.database.query("create table if not exists side_runs (delivery text, worker text)")
  const running = new Set<string>()
  const overlaps: string[] = []
  const handler = (worker: string) =>
    defineHandler<{ n: number }>({
      name: "h",
      on: "**",
      run: async ({ deliveryId, signal }) => {
        if (running.has(deliveryId)) overlaps.push(deliveryId)
        running.add(deliveryId)
        await db.database.query("insert into side_runs values ($1, $2)", [deliveryId, worker])
        await new Promise((resolve) => setTimeout(resolve, signal.data.n % 7))
        running.delete(deliveryId)
      },
    })
  const emitter = await testFleet(db.database, { handlers: [handler("none")], worker: false })
  const worker = { concurrency: 8, pollMs: 20, leaseMs: 5_000 }
  const fleets = await Promise.all(
    ["one", "two", "three"].map((name) => testFleet(db.database, { handlers: [handler(name)], worker })),
  )
  // Some come from outside, some are handed over by each process to its own worker.
  await Promise.all([
    emitter.tenant.emitMany(many(150)),
    ...fleets.map(({ tenant }) => Promise.all(many(50).map(({ type, data }) => tenant.emit(type, data)))),
  ])
  await emitter.fleet.drain()
  const rows = await db.database.query<{ runs: number; deliveries: number; workers: number }>(
    `select count(*)::int as runs, count(distinct delivery)::int as deliveries, count(distinct worker)::int as workers
     from side_runs`,
  )
  expect(rows).toEqual([{ runs: 300, deliveries: 300, workers: 3 }])
  expect(overlaps).toEqual([])
  expect(await emitter.tenant.counts()).toMatchObject({ signals: 300, done: 300, failed: 0, dead: 0 })
  expect(await outcomes(emitter.tenant)).toEqual(["done 1"])
})
