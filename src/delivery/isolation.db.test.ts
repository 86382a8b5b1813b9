import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { Fleet } from "../fleet.ts"
import { SHARED_SCHEMA } from "../store/tenant-scope.ts"
import type { Tenant } from "../tenants/tenant.ts"
import { defineHandler } from "./handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())
afterEach(() => db.database.query("delete from fleetprompt.deliveries"))

async function another(fleet: Fleet, placement: "own" | "shared", more: string): Promise<Tenant> {
  return fleet.tenant((await fleet.tenants.provision(testSlug(more), { placement })).slug)
}

describe("a tenant whose tables cannot be read", () => {
  test("holds up no other, and goes on when they can, without an attempt lost", async () => {
    const attempts: (readonly [string, number])[] = []
    const handler = defineHandler({
      name: "h",
      on: "**",
      run: ({ tenant, attempt }) => void attempts.push([tenant, attempt]),
    })
    const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
    const broken = await another(emitter.fleet, "own", "broken")
    for (let n = 0; n < 20; n++) {
      await broken.emit("a.b", {})
      await emitter.tenant.emit("a.b", {})
    }
    await db.database.query(`alter table org_${broken.slug}.signals rename to signals_away`)
    const { fleet } = await testFleet(db.database, { handlers: [handler], worker: { pollMs: 20, leaseMs: 500 } })
    const failed = nextEvent(fleet, "background.failed")
    await expect.poll(() => emitter.tenant.openDeliveries(), { timeout: 20_000 }).toBe(0)
    expect(await failed).toMatchObject({ step: "claim", error: { code: "42P01" } })
    expect(attempts).toEqual(Array.from({ length: 20 }, () => [emitter.tenant.slug, 1]))
    await db.database.query(`alter table org_${broken.slug}.signals_away rename to signals`)
    await fleet.drain()
    expect(attempts.slice(20)).toEqual(Array.from({ length: 20 }, () => [broken.slug, 1]))
    expect(await broken.counts()).toMatchObject({ done: 20, dead: 0, failed: 0 })
  })
})

describe("a result that cannot be booked", () => {
  test("holds up none of the others in its schema, of its own tenant or of another", async () => {
    const handlers = ["good", "bad"].map((name) =>
      defineHandler({ name, on: `${name}.**`, retry: { attempts: 2 }, run: () => {} }),
    )
    const failing = defineHandler({
      name: "failing",
      on: "good.**",
      retry: { attempts: 1 },
      run: () => Promise.reject(new Error("no")),
    })
    const { fleet } = await testFleet(db.database, { handlers: [...handlers, failing] })
    const [one, other] = [await another(fleet, "shared", "one"), await another(fleet, "shared", "other")]
    await db.database.script(`
      create function refuse_bad() returns trigger language plpgsql as $$
        begin raise exception 'the test refuses it'; end $$;
      create trigger refuse_bad before insert on ${SHARED_SCHEMA}.attempts
        for each row when (new.handler = 'bad') execute function refuse_bad()`)
    const told = nextEvent(fleet, "background.failed", ({ step }) => step === "settle")
    await Promise.all(
      Array.from({ length: 40 }, (_, n) => (n % 2 ? one : other).emit(n === 10 ? "bad.one" : "good.one", {})),
    )
    await expect.poll(async () => (await one.openDeliveries()) + (await other.openDeliveries())).toBe(1)
    expect((await told).error).toMatchObject({ message: expect.stringContaining("the test refuses it") })
    const counts = [await one.counts(), await other.counts()]
    expect(counts.map(({ done, dead }) => [done, dead])).toEqual([
      [20, 20],
      [19, 19],
    ])
    // Once it can be booked, it is run and booked by whoever claims it next.
    await db.database.script(`drop trigger refuse_bad on ${SHARED_SCHEMA}.attempts; drop function refuse_bad()`)
    await db.database.query("update fleetprompt.deliveries set leased_until = now()")
    await fleet.drain()
    expect((await other.counts()).done).toBe(20)
  })
})

describe("code of the user's that throws where nobody expects it", () => {
  const fail = (): never => {
    throw new Error("from the user's code")
  }

  test("in an option that depends on the signal is told of, and the delivery is made with the default", async () => {
    const seen: unknown[] = []
    const handler = defineHandler({
      name: "odd",
      on: "**",
      priority: fail,
      delayMs: fail,
      key: fail,
      concurrency: { perKey: 1 },
      run: ({ signal }) => void seen.push(signal.type),
    })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
    const told = nextEvent(fleet, "handler.condition_failed")
    await tenant.emit("a.b", {})
    expect(await told).toMatchObject({ handler: "odd", error: { message: "from the user's code" } })
    await fleet.drain()
    expect(seen).toEqual(["a.b"])
  })

  test("in a question about an attempt that failed, is an attempt that failed", async () => {
    const handler = defineHandler({
      name: "odd",
      on: "**",
      retry: { attempts: 2, when: fail, backoff: fail },
      run: fail,
    })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
    const failed = nextEvent(fleet, "delivery.settled")
    await tenant.emit("a.b", {})
    expect((await failed).outcome).toBe("failed")
    await db.database.query("update fleetprompt.deliveries set run_at = now()")
    await fleet.drain()
    expect(await tenant.counts()).toMatchObject({ failed: 1, dead: 1 })
  })

  test("in a listener, harms neither the other listeners nor the work", async () => {
    const heard: string[] = []
    const handler = defineHandler({ name: "h", on: "**", run: () => {} })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
    const other = await testFleet(db.database, { handlers: [handler], worker: false })
    for (const each of [fleet, other.fleet]) {
      each.telemetry.listen(fail)
      each.onCommit({ onCommit: fail, onGap: fail })
      each.onCommit({ onCommit: ({ stored }) => heard.push(...stored), onGap: () => {} })
    }
    const { signal } = await tenant.emit("a.b", {})
    await fleet.drain()
    await expect.poll(() => heard).toEqual([signal.id, signal.id])
  })

  test("in a handler's own promise that nobody waits for, is not the worker's", async () => {
    const handler = defineHandler({
      name: "h",
      on: "**",
      timeoutMs: 20,
      retry: { attempts: 1 },
      run: ({ abort }) =>
        new Promise((_, reject) =>
          abort.addEventListener("abort", () => setTimeout(() => reject(new Error("late")), 5)),
        ),
    })
    const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
    await tenant.emit("a.b", {})
    await fleet.drain()
    expect(await tenant.counts()).toMatchObject({ dead: 1 })
  })
})

test("one bad handler of a hundred on one signal spoils it for no other", async () => {
  const done = new Set<string>()
  const handlers = Array.from({ length: 100 }, (_, n) =>
    defineHandler({
      name: `h${n}`,
      on: "**",
      retry: { attempts: 1 },
      run: () => {
        if (n === 50) throw new Error("the bad one")
        done.add(`h${n}`)
      },
    }),
  )
  const { fleet, tenant } = await testFleet(db.database, { handlers })
  await tenant.emit("a.b", {})
  await fleet.drain()
  expect(done.size).toBe(99)
  expect(await tenant.counts()).toMatchObject({ done: 99, dead: 1 })
})
