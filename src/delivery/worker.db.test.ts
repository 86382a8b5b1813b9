import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet } from "../../test/support/test-fleet.ts"
import type { Fleet } from "../fleet.ts"
import { claimDeliveries } from "../store/deliveries.ts"
import { completeDeliveries } from "../store/completions.ts"
import { settleDeliveries } from "../store/settlements.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { defineHandler } from "./handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const everyone = ["internal", "admin_only"] as const

/** Makes every waiting delivery due at once, in place of waiting for the backoff. */
async function skipBackoff(): Promise<void> {
  await db.database.query("update fleetprompt.deliveries set run_at = now() where leased_by is null")
}

/** Drives retries to their end without waiting for the backoff. */
function hurry(fleet: Fleet): void {
  fleet.telemetry.listen((name, fields) => {
    if (name === "delivery.settled" && "outcome" in fields && fields.outcome === "failed") void skipBackoff()
  })
}

test("a handler runs on each signal that fits its pattern and condition", async () => {
  const seen: unknown[] = []
  const handler = defineHandler<{ n: number }>({
    name: "count",
    on: "lead.*",
    where: ({ data }) => data.n > 1,
    run: ({ signal, tenant, attempt }) => void seen.push([tenant, signal.type, signal.data.n, attempt]),
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  for (const [type, n] of [
    ["lead.received", 1],
    ["lead.received", 2],
    ["lead.lost", 3],
    ["order.created", 4],
  ] as const)
    await tenant.emit(type, { n })
  await fleet.drain()
  expect(seen.toSorted()).toEqual([
    [tenant.slug, "lead.lost", 3, 1],
    [tenant.slug, "lead.received", 2, 1],
  ])
  expect(await tenant.counts()).toMatchObject({ signals: 4, done: 2, dead: 0, waiting: 0 })
})

test("what a handler emits carries cause and correlation, and chains", async () => {
  const a = defineHandler({ name: "a", on: "one", run: async ({ emit }) => void (await emit("two", { from: "a" })) })
  const b = defineHandler({ name: "b", on: "two", run: async ({ emit }) => void (await emit("three", {})) })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [a, b] })
  const { signal } = await tenant.emit("one", {}, { subject: "lead:1", visibility: "admin_only" })
  await fleet.drain()
  const root = await tenant.signals.get(signal.id, everyone)
  expect(root?.effects).toMatchObject([
    { type: "two", handler: "a", effects: [{ type: "three", handler: "b", effects: [] }] },
  ])
  const three = await tenant.signals.get(root?.effects[0]?.effects[0]?.id ?? "", everyone)
  expect(three?.ancestors.map(({ type }) => type)).toEqual(["one", "two"])
  expect(three?.metadata).toMatchObject({ correlation_id: signal.id, causation_id: root?.effects[0]?.id })
  expect(three).toMatchObject({ signal: { subject: "lead:1", source: "handler:b" }, visibility: "admin_only" })
  expect(await tenant.deepestChain()).toBe(3)
})

test("a handler that throws is tried again with what happened on record, and harms no other", async () => {
  let tries = 0
  const flaky = defineHandler({
    name: "flaky",
    on: "**",
    run: async ({ emit }) => {
      await emit("half.way", {}, { dedupeKey: "half" }).catch(() => {})
      if (++tries < 3) throw new TypeError(`try ${tries}`)
    },
  })
  const steady = defineHandler({ name: "steady", on: "start", run: () => {} })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [{ ...flaky, on: steady.on }, steady] })
  hurry(fleet)
  const { signal } = await tenant.emit("start", {})
  await fleet.drain()
  const detail = await tenant.signals.get(signal.id, everyone)
  expect(detail?.deliveries).toMatchObject([
    { handler: "flaky", status: "done", attempts: 3, error: null },
    { handler: "steady", status: "done", attempts: 1 },
  ])
  expect(
    detail?.deliveries[0]?.history.map(({ outcome, error }) => [outcome, error?.["name"], error?.["message"]]),
  ).toEqual([
    ["failed", "TypeError", "try 1"],
    ["failed", "TypeError", "try 2"],
    ["done", undefined, undefined],
  ])
})

test("a run that is repeated emits nothing twice", async () => {
  let tries = 0
  const handler = defineHandler({
    name: "twice",
    on: "start",
    run: async ({ emit }) => {
      await emit("note.made", { n: 1 })
      await emit("note.made", { n: 2 })
      if (++tries === 1) throw new Error("after the emits")
    },
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  hurry(fleet)
  await tenant.emit("start", {})
  await fleet.drain()
  expect(tries).toBe(2)
  expect((await tenant.counts()).signals).toBe(3)
})

test("after the last attempt a delivery is dead, and stays on record", async () => {
  const handler = defineHandler({
    name: "never",
    on: "**",
    retry: { attempts: 2 },
    run: () => Promise.reject(new Error("no")),
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  hurry(fleet)
  const { signal } = await tenant.emit("a.b", {})
  await fleet.drain()
  const detail = await tenant.signals.get(signal.id, everyone)
  expect(detail?.deliveries).toMatchObject([{ status: "dead", attempts: 2, error: "no" }])
  expect(await tenant.counts()).toMatchObject({ failed: 1, dead: 1, done: 0 })
})

describe("whatever a handler throws is an outcome", () => {
  class Trap extends Error {
    override get message(): string {
      throw new Error("from the getter")
    }
  }
  test.each([
    ["null", null],
    ["a string", "just text"],
    ["an error whose getter throws", new Trap()],
    ["fifty megabytes of message", new Error("x".repeat(50_000_000))],
    ["an object that cannot be printed", Object.create(null)],
    ["text that Postgres cannot hold", new Error("a\u0000\uD83D")],
  ])("%s", async (_, thrown) => {
    const handler = defineHandler({
      name: "thrower",
      on: "**",
      retry: { attempts: 1 },
      run: () => {
        throw thrown
      },
    })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
    const { signal } = await tenant.emit("a.b", {})
    await fleet.drain()
    const error = (await tenant.signals.get(signal.id, everyone))?.deliveries[0]?.history[0]?.error
    expect(error).toBeTruthy()
    expect(JSON.stringify(error).length).toBeLessThan(10_000)
  })

  test("a secret in an error is not kept", async () => {
    const token = ["ghp", "_", "a1B2".repeat(9)].join("")
    const handler = defineHandler({
      name: "leaky",
      on: "**",
      retry: { attempts: 1 },
      run: () => Promise.reject(new Error(`401 for Bearer ${token}`)),
    })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
    const { signal } = await tenant.emit("a.b", {})
    await fleet.drain()
    const detail = JSON.stringify(await tenant.signals.get(signal.id, everyone))
    expect(detail).toContain("401 for")
    expect(detail).not.toContain(token)
  })
})

test("a condition that throws is seen as a failed attempt", async () => {
  const handler = defineHandler({
    name: "picky",
    on: "**",
    retry: { attempts: 1 },
    where: () => {
      throw new Error("bad condition")
    },
    run: () => {},
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  const told = nextEvent(fleet, "handler.condition_failed")
  const { signal } = await tenant.emit("a.b", {})
  await fleet.drain()
  expect((await told).handler).toBe("picky")
  expect((await tenant.signals.get(signal.id, everyone))?.deliveries).toMatchObject([
    { status: "dead", error: "bad condition" },
  ])
})

test("a handler that does not end is timed out and told so", async () => {
  let reason: unknown
  const handler = defineHandler({
    name: "stuck",
    on: "**",
    timeoutMs: 20,
    retry: { attempts: 1 },
    run: ({ abort }) => new Promise(() => abort.addEventListener("abort", () => (reason = abort.reason))),
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  const { signal } = await tenant.emit("a.b", {})
  await fleet.drain()
  expect((await tenant.signals.get(signal.id, everyone))?.deliveries[0]?.history[0]?.error).toMatchObject({
    code: "handler_timeout",
  })
  expect(reason).toMatchObject({ code: "handler_timeout" })
})

test("one handler of one signal cannot change what another sees", async () => {
  const seen: unknown[] = []
  const vandal = defineHandler({
    name: "a-vandal",
    on: "**",
    retry: { attempts: 1 },
    run: ({ signal }) => void Object.assign(signal.data as object, { n: 99 }),
  })
  const reader = defineHandler({ name: "b-reader", on: "**", run: ({ signal }) => void seen.push(signal.data) })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [vandal, reader] })
  await tenant.emit("a.b", { n: 1 })
  await fleet.drain()
  expect(seen).toEqual([{ n: 1 }])
})

/** A handler's run that tells when it has begun and ends when it is told to. */
function heldRun(): {
  readonly started: Promise<void>
  readonly finish: () => void
  readonly run: () => Promise<void>
} {
  let begin = (): void => {}
  let finish = (): void => {}
  const started = new Promise<void>((resolve) => (begin = resolve))
  const finished = new Promise<void>((resolve) => (finish = resolve))
  return {
    started,
    finish: () => finish(),
    run: () => {
      begin()
      return finished
    },
  }
}

describe("stopping", () => {
  test("waits for what runs", async () => {
    const { started, finish, run } = heldRun()
    const handler = defineHandler({ name: "slow", on: "**", run })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
    await tenant.emit("a.b", {})
    await started
    const settled = nextEvent(fleet, "delivery.settled")
    const stopping = fleet.stop({ graceMs: 60_000 })
    finish()
    await stopping
    expect((await settled).outcome).toBe("done")
  })

  test("gives back what does not end in time, at once and without counting the attempt", async () => {
    let reason: unknown
    const { started, run } = heldRun()
    const handler = defineHandler({
      name: "endless",
      on: "**",
      run: ({ abort }) => {
        abort.addEventListener("abort", () => (reason = abort.reason))
        return run()
      },
    })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
    await tenant.emit("a.b", {})
    await started
    await fleet.stop({ graceMs: 1 })
    expect(reason).toMatchObject({ code: "fleet_stopped" })
    const rows = await db.database.query(
      "select attempt, leased_by, run_at <= clock_timestamp() as due from fleetprompt.deliveries where tenant = $1",
      [tenant.slug],
    )
    expect(rows).toEqual([{ attempt: 0, leased_by: null, due: true }])
    await db.database.query("delete from fleetprompt.deliveries where tenant = $1", [tenant.slug])
  })

  test("leaves an attempt that has ended and could not be booked to the end of its lease: it counts", async () => {
    const deaf = interceptDatabase(db.database, ({ name, run }) =>
      name === "completeDeliveries"
        ? Promise.reject(Object.assign(new Error("the server went away"), { code: "57P01" }))
        : run(),
    )
    const handler = defineHandler({ name: "done", on: "**", run: () => {} })
    const { fleet, tenant } = await testFleet(deaf, { handlers: [handler] })
    const failed = nextEvent(fleet, "background.failed")
    await tenant.emit("a.b", {})
    expect(await failed).toMatchObject({ step: "settle" })
    await fleet.stop({ graceMs: 1 })
    const rows = await db.database.query(
      "select attempt, leased_by, leased_until > clock_timestamp() as held from fleetprompt.deliveries where tenant = $1",
      [tenant.slug],
    )
    expect(rows).toEqual([{ attempt: 1, leased_by: fleet.workerName, held: true }])
    await db.database.query("delete from fleetprompt.deliveries where tenant = $1", [tenant.slug])
  })
})

describe("a lost worker", () => {
  const claim = (handler: string, tenant: string, leaseMs: number) =>
    claimDeliveries(db.database, { worker: "lost", leaseMs }, [{ handler, tenant, priority: 0, version: 1, take: 10 }])

  test("keeps its delivery while the lease holds, and loses it after; then it books nothing", async () => {
    const handler = defineHandler({ name: "takeover", on: "**", run: () => {} })
    const { fleet, tenant } = await testFleet(db.database, { worker: false, handlers: [handler] })
    await tenant.emit("a.b", {})
    const [lost] = await claim("takeover", tenant.slug, 60_000)
    expect(await claim("takeover", tenant.slug, 60_000)).toEqual([])
    await db.database.query("update fleetprompt.deliveries set leased_until = now() where tenant = $1", [tenant.slug])
    const [second] = await claim("takeover", tenant.slug, 60_000)
    expect([lost?.attempt, second?.attempt, second?.lostBy]).toEqual([1, 2, "lost"])
    if (!lost || !second) throw new Error("nothing was claimed")
    const done = { outcome: "done", durationMs: 1, retryInMs: 0, error: null, version: 1 } as const
    const { schema } = tenantScope(tenant.slug)
    for (const book of [settleDeliveries, completeDeliveries]) {
      expect(await book(db.database, schema, "lost", [{ ...done, delivery: lost }])).toEqual(new Set([0]))
    }
    expect(await tenant.openDeliveries()).toBe(1)
    expect(await completeDeliveries(db.database, schema, "second", [{ ...done, delivery: second }])).toEqual(new Set())
    expect(await tenant.openDeliveries()).toBe(0)
    await fleet.stop()
  })

  test("that was lost in every attempt leaves a dead delivery that says so", async () => {
    const handler = defineHandler({ name: "crasher", on: "**", retry: { attempts: 2 }, run: () => {} })
    const first = await testFleet(db.database, { worker: false, handlers: [handler] })
    const { signal } = await first.tenant.emit("a.b", {})
    for (const _ of [1, 2]) {
      expect(await claim("crasher", first.tenant.slug, 0)).toHaveLength(1)
    }
    await first.fleet.stop()
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
    await fleet.drain()
    const detail = await tenant.signals.get(signal.id, everyone)
    const last = detail?.deliveries[0]?.history.at(-1)
    // It was not run a third time.
    expect(last).toMatchObject({ attempt: 2, outcome: "dead", error: { code: "worker_lost" } })
    expect(await tenant.deadLetters.list()).toMatchObject({ letters: [{ attempts: 2 }] })
  })
})

test("deliveries of handlers that this process does not have are left to others", async () => {
  const mine = defineHandler({ name: "mine", on: "**", run: () => {} })
  const theirs = defineHandler({ name: "theirs", on: "**", run: () => {} })
  const emitter = await testFleet(db.database, { worker: false, handlers: [mine, theirs] })
  await emitter.tenant.emit("a.b", {})
  const { fleet, tenant } = await testFleet(db.database, { handlers: [mine] })
  await nextEvent(fleet, "delivery.settled")
  expect(await tenant.counts()).toMatchObject({ done: 1, waiting: 1 })
  await db.database.query("delete from fleetprompt.deliveries where tenant = $1", [tenant.slug])
})
