import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet, type TestFleet } from "../../test/support/test-fleet.ts"
import type { Handler } from "./handler-definition.ts"
import { defineHandler } from "./handler.ts"
import { cancel, snooze } from "./outcome.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const everyone = ["internal", "admin_only"] as const

/** Two processes of one fleet, as far as the database can tell. */
async function twoFleets(handlers: readonly Handler[]): Promise<readonly [TestFleet, TestFleet]> {
  return [await testFleet(db.database, { handlers }), await testFleet(db.database, { handlers })]
}

/** Counts how many runs are under way at once, by a name; each run lasts a few turns of the event loop. */
function gauge() {
  const running = new Map<string, number>()
  const most = new Map<string, number>()
  let runs = 0
  return {
    most: (name: string) => most.get(name) ?? 0,
    runs: () => runs,
    run: async (name: string) => {
      const now = (running.get(name) ?? 0) + 1
      running.set(name, now)
      most.set(name, Math.max(now, most.get(name) ?? 0))
      runs += 1
      await new Promise((resolve) => setTimeout(resolve, 3))
      running.set(name, (running.get(name) ?? 1) - 1)
    },
  }
}

function many(count: number, type = "item.added"): { type: string; data: { n: number }; subject: string }[] {
  return Array.from({ length: count }, (_, n) => ({ type, data: { n }, subject: `item:${n % 4}` }))
}

describe("limits hold in all processes together", () => {
  test("how many run at once for a tenant", async () => {
    const seen = gauge()
    const handler = defineHandler({
      name: "limited",
      on: "item.added",
      concurrency: { perTenant: 3 },
      run: ({ tenant }) => seen.run(tenant),
    })
    const [{ fleet, tenant }] = await twoFleets([handler])
    await tenant.emitMany(many(40))
    await fleet.drain()
    expect(seen.runs()).toBe(40)
    expect(seen.most(tenant.slug)).toBeLessThanOrEqual(3)
    expect(seen.most(tenant.slug)).toBeGreaterThan(1)
  })

  test("how many run at once for all tenants", async () => {
    const seen = gauge()
    const handler = defineHandler({
      name: "global",
      on: "item.added",
      concurrency: { global: 2 },
      run: () => seen.run("all"),
    })
    const [{ fleet, tenant }] = await twoFleets([handler])
    const other = fleet.tenant((await fleet.tenants.provision(`${tenant.slug}_b`)).slug)
    await tenant.emitMany(many(15))
    await other.emitMany(many(15))
    await fleet.drain()
    expect(seen.runs()).toBe(30)
    expect(seen.most("all")).toBe(2)
  })

  test("how many run at once for a key, while other keys go on", async () => {
    const seen = gauge()
    const handler = defineHandler<{ n: number }>({
      name: "keyed",
      on: "item.added",
      key: ({ data }) => `k${data.n % 3}`,
      concurrency: { perKey: 2 },
      run: async ({ signal }) => {
        await Promise.all([seen.run(`k${signal.data.n % 3}`), seen.run("all")])
      },
    })
    const [{ fleet, tenant }] = await twoFleets([handler])
    await tenant.emitMany(many(30))
    await fleet.drain()
    expect(seen.runs()).toBe(60)
    for (const key of ["k0", "k1", "k2"]) expect(seen.most(key)).toBe(2)
    expect(seen.most("all")).toBeGreaterThan(2)
  })

  test("how many begin within a period", async () => {
    const begun: number[] = []
    const handler = defineHandler({
      name: "paced",
      on: "item.added",
      rateLimit: { limit: 5, perMs: 400 },
      run: () => void begun.push(performance.now()),
    })
    const [{ fleet, tenant }] = await twoFleets([handler])
    await tenant.emitMany(many(12))
    await fleet.drain()
    expect(begun).toHaveLength(12)
    // The database measures the period from claim to claim; a handler begins a moment after its claim.
    const spends = await db.database.query<{ at: number; count: number }>(
      "select extract(epoch from spent_at)::float8 * 1000 as at, count from fleetprompt.rate_spends where handler = 'paced'",
    )
    expect(spends.length).toBeGreaterThan(0)
    const sorted = begun.toSorted((a, b) => a - b)
    const [first = 0] = sorted
    expect(sorted.filter((at) => at < first + 300).length).toBeLessThanOrEqual(5)
  })

  test("how many begin within a period for a key", async () => {
    const begun = new Map<string, number>()
    const handler = defineHandler({
      name: "paced-by-key",
      on: "item.added",
      rateLimit: { limit: 2, perMs: 60_000, per: "key" },
      run: ({ signal }) => void begun.set(signal.subject ?? "", (begun.get(signal.subject ?? "") ?? 0) + 1),
    })
    const [{ tenant }] = await twoFleets([handler])
    // What waits for a minute would hold up every drain after this test.
    onTestFinished(async () => {
      await db.database.query("delete from fleetprompt.deliveries where tenant = $1", [tenant.slug])
    })
    await tenant.emitMany(many(16))
    await expect.poll(() => tenant.openDeliveries(), { timeout: 30_000 }).toBe(8)
    expect([...begun.values()]).toEqual([2, 2, 2, 2])
  })
})

test("an ordered handler takes the signals of a subject one by one as they were stored, failures included", async () => {
  const order = new Map<string, number[]>()
  const failed = new Set<number>()
  const running = new Set<string>()
  const handler = defineHandler<{ n: number }>({
    name: "ordered",
    on: "item.added",
    ordered: "subject",
    retry: { backoff: { firstMs: 5, longestMs: 5 } },
    run: async ({ signal }) => {
      const subject = signal.subject ?? ""
      if (running.has(subject)) throw new Error("two at once")
      running.add(subject)
      await new Promise((resolve) => setTimeout(resolve, 1))
      running.delete(subject)
      if (signal.data.n % 5 === 0 && !failed.has(signal.data.n)) {
        failed.add(signal.data.n)
        throw new Error("first try")
      }
      order.set(subject, [...(order.get(subject) ?? []), signal.data.n])
    },
  })
  const [{ fleet, tenant }] = await twoFleets([handler])
  await tenant.emitMany(many(20))
  await tenant.emitMany(many(24).slice(20))
  await fleet.drain()
  for (const index of [0, 1, 2, 3]) {
    const expected = Array.from({ length: 6 }, (_, n) => index + 4 * n)
    expect(order.get(`item:${index}`)).toEqual(expected)
  }
  expect(failed.size).toBe(5)
})

test("within a tenant the more urgent goes first", async () => {
  const seen: number[] = []
  const handler = defineHandler<{ n: number }>({
    name: "urgent",
    on: "item.added",
    priority: ({ data }) => data.n,
    run: ({ signal }) => void seen.push(signal.data.n),
  })
  const first = await testFleet(db.database, { worker: false, handlers: [handler] })
  for (const n of [-5, 100, 3, 1_000, -200, 7]) await first.tenant.emit("item.added", { n })
  const { fleet } = await testFleet(db.database, { handlers: [handler], worker: { concurrency: 1, pollMs: 50 } })
  await fleet.drain()
  // Beyond 100 is as urgent as 100, and those two are taken in their order.
  expect(seen).toEqual([100, 1_000, 7, 3, -5, -200])
})

test("a delay is the database's, and a delayed delivery is not begun early", async () => {
  const handler = defineHandler({ name: "later", on: "item.added", delayMs: 30 * 86_400_000, run: () => {} })
  const { tenant } = await testFleet(db.database, { handlers: [handler] })
  await tenant.emit("item.added", {})
  const [row] = await db.database.query<{ days: number }>(
    "select extract(epoch from run_at - now())::float8 / 86400 as days from fleetprompt.deliveries where tenant = $1",
    [tenant.slug],
  )
  expect(row?.days).toBeCloseTo(30, 1)
  await db.database.query("delete from fleetprompt.deliveries where tenant = $1", [tenant.slug])
})

test("a short delay comes due by itself", async () => {
  const handler = defineHandler({ name: "soon", on: "item.added", delayMs: 120, run: () => {} })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler], worker: { pollMs: 1_000 } })
  const settled = nextEvent(fleet, "delivery.settled")
  const start = performance.now()
  await tenant.emit("item.added", {})
  expect((await settled).outcome).toBe("done")
  expect(performance.now() - start).toBeGreaterThanOrEqual(110)
})

test("a batch handler gets several signals in one call, and one that failed runs alone", async () => {
  const calls: number[][] = []
  const handler = defineHandler<{ n: number }>({
    name: "batch",
    on: "item.added",
    batch: { size: 10 },
    retry: { backoff: { firstMs: 1, longestMs: 1 } },
    run: ({ signals }) => {
      calls.push(signals.map(({ data }) => data.n))
      if (signals.length > 1 && signals.some(({ data }) => data.n === 3)) throw new Error("three spoils it")
    },
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  await tenant.emitMany(many(25))
  await fleet.drain()
  expect(Math.max(...calls.map((call) => call.length))).toBe(10)
  expect(calls.filter((call) => call.includes(3)).map((call) => call.length)).toEqual([10, 1])
  expect(new Set(calls.flat())).toEqual(new Set(many(25).map(({ data }) => data.n)))
  expect(await tenant.counts()).toMatchObject({ done: 25, failed: 10, dead: 0 })
})

test("debounce runs the last of several that come close together, and says so of the others", async () => {
  const seen: unknown[] = []
  const handler = defineHandler<{ n: number }>({
    name: "debounced",
    on: "item.added",
    debounce: { quietMs: 150 },
    run: ({ signal }) => void seen.push([signal.subject, signal.data.n]),
  })
  const [{ fleet, tenant }] = await twoFleets([handler])
  const results = await tenant.emitMany(many(12))
  await fleet.drain()
  expect(seen.toSorted()).toEqual([
    ["item:0", 8],
    ["item:1", 9],
    ["item:2", 10],
    ["item:3", 11],
  ])
  const first = await tenant.signals.get(results[0]?.signal.id ?? "", everyone)
  expect(first?.deliveries).toMatchObject([{ status: "cancelled" }])
  expect(first?.deliveries[0]?.history[0]?.error).toMatchObject({ name: "Superseded" })
})

test("debounce does not wait for ever while others keep coming", async () => {
  const seen: number[] = []
  const handler = defineHandler<{ n: number }>({
    name: "impatient",
    on: "item.added",
    debounce: { quietMs: 60_000, maxMs: 200 },
    run: ({ signal }) => void seen.push(signal.data.n),
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  for (const n of [1, 2, 3]) await tenant.emit("item.added", { n })
  await fleet.drain()
  expect(seen).toEqual([3])
})

test("a snooze does not count as an attempt, and cancel leaves no dead letter", async () => {
  let calls = 0
  const attempts: number[] = []
  const sleepy = defineHandler({
    name: "sleepy",
    on: "item.added",
    retry: { attempts: 1 },
    run: ({ attempt }) => {
      attempts.push(attempt)
      return ++calls < 4 ? snooze(5) : undefined
    },
  })
  const unwilling = defineHandler({ name: "unwilling", on: "item.added", run: () => cancel("a test lead") })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [sleepy, unwilling] })
  const { signal } = await tenant.emit("item.added", {})
  await fleet.drain()
  expect(attempts).toEqual([1, 1, 1, 1])
  const detail = await tenant.signals.get(signal.id, everyone)
  expect(detail?.deliveries).toMatchObject([
    { handler: "sleepy", status: "done", attempts: 1 },
    { handler: "unwilling", status: "cancelled", attempts: 1, error: "a test lead" },
  ])
  expect(detail?.deliveries[0]?.history.map(({ outcome }) => outcome)).toEqual([
    "snoozed",
    "snoozed",
    "snoozed",
    "done",
  ])
})

test("errors that are not worth another attempt make a delivery dead at once", async () => {
  const handler = defineHandler({
    name: "choosy",
    on: "item.added",
    retry: { attempts: 9, when: (error) => !(error instanceof TypeError) },
    run: () => {
      throw new TypeError("never again")
    },
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  await tenant.emit("item.added", {})
  await fleet.drain()
  expect(await tenant.counts()).toMatchObject({ dead: 1, failed: 0 })
})

test("code of an older version leaves the deliveries of a newer one alone", async () => {
  const ran: number[] = []
  const version = (number: number): Handler =>
    defineHandler({ name: "rolling", on: "item.added", version: number, run: () => void ran.push(number) })
  const old = await testFleet(db.database, { handlers: [version(1)] })
  const emitter = await testFleet(db.database, { worker: false, handlers: [version(2)] })
  await emitter.tenant.emit("item.added", {})
  await expect.poll(() => polls(old)).toBeGreaterThan(0)
  expect([ran, await emitter.tenant.openDeliveries()]).toEqual([[], 1])
  const next = await testFleet(db.database, { handlers: [version(2)] })
  await next.fleet.drain()
  expect(ran).toEqual([2])
})

const pollCounts = new WeakMap<object, number>()

/** How often a fleet has looked at the queue since this was first asked. */
function polls({ fleet }: TestFleet): number {
  if (!pollCounts.has(fleet)) {
    pollCounts.set(fleet, 0)
    fleet.telemetry.listen({
      stop: ({ name }) => void (name === "poll" && pollCounts.set(fleet, (pollCounts.get(fleet) ?? 0) + 1)),
    })
  }
  return pollCounts.get(fleet) ?? 0
}

test("a handler that this process lacks is left to others", async () => {
  const handler = defineHandler({ name: "elsewhere", on: "item.added", run: () => {} })
  const other = await testFleet(db.database, { handlers: [defineHandler({ name: "here", on: "x", run: () => {} })] })
  const emitter = await testFleet(db.database, { worker: false, handlers: [handler] })
  await emitter.tenant.emit("item.added", {})
  await expect.poll(() => polls(other)).toBeGreaterThan(0)
  expect(await emitter.tenant.openDeliveries()).toBe(1)
  await db.database.query("delete from fleetprompt.deliveries where tenant = $1", [emitter.tenant.slug])
})

test("what one tenant has queued does not hold up another", async () => {
  const order: string[] = []
  const handler = defineHandler({ name: "fair", on: "item.added", run: ({ tenant }) => void order.push(tenant) })
  const emitter = await testFleet(db.database, { worker: false, handlers: [handler] })
  const small = emitter.fleet.tenant((await emitter.fleet.tenants.provision(`${emitter.tenant.slug}_s`)).slug)
  for (let n = 0; n < 3; n++) await emitter.tenant.emitMany(many(1_000))
  await small.emit("item.added", {})
  const { fleet } = await testFleet(db.database, { handlers: [handler] })
  await fleet.drain()
  expect(order).toHaveLength(3_001)
  // The flood was stored first, and yet the small tenant is in the first claims.
  expect(order.indexOf(small.slug)).toBeLessThan(1_000)
})

test("a tenant whose handlers take long leaves slots to others", async () => {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  const begun: string[] = []
  const handler = defineHandler({
    name: "hog",
    on: "item.added",
    run: async ({ tenant }) => {
      begun.push(tenant)
      await held
    },
  })
  const { fleet, tenant } = await testFleet(db.database, {
    handlers: [handler],
    worker: { concurrency: 10, pollMs: 50 },
  })
  const small = fleet.tenant((await fleet.tenants.provision(`${tenant.slug}_s`)).slug)
  await tenant.emitMany(many(50))
  await expect.poll(() => begun.length).toBe(8)
  await small.emit("item.added", {})
  await expect.poll(() => begun.at(-1)).toBe(small.slug)
  release()
  await fleet.drain()
})
