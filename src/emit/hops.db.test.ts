import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import { MAX_HOPS } from "./emit-for-handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** Emits the other type, and does not try again. */
function relay(name: string, on: string, type: string) {
  return defineHandler({
    name,
    on,
    retry: { attempts: 1 },
    run: async ({ emit, attempt }) => void (await emit(type, { attempt })),
  })
}

test("handlers that cause each other stop after so many signals, and the error shows the loop", async () => {
  const handlers = [relay("ping", "ball.left", "ball.right"), relay("pong", "ball.right", "ball.left")]
  const { fleet, tenant } = await testFleet(db.database, { handlers })
  const dead = nextEvent(fleet, "delivery.settled", ({ outcome }) => outcome === "dead")
  const { signal } = await tenant.emit("ball.left", {})
  await fleet.drain()
  expect((await dead).error).toMatchObject({
    code: "hop_limit",
    message: expect.stringMatching(/ball\.left > ball\.right > ball\.left > ball\.right.*cause each other/),
  })
  expect(await tenant.counts()).toMatchObject({ signals: MAX_HOPS + 1, done: MAX_HOPS, dead: 1 })
  expect(await tenant.deepestChain()).toBe(MAX_HOPS + 1)
  const rows = await db.database.query<{ hops: number; correlation: string }>(
    `select coalesce((metadata->>'hops')::int, 0) as hops, metadata->>'correlation_id' as correlation
     from org_${tenant.slug}.signals order by 1`,
  )
  expect(rows).toEqual(Array.from({ length: MAX_HOPS + 1 }, (_, hops) => ({ hops, correlation: signal.id })))
})

test("a handler that causes itself stops as well, and each try of the last one ends the same way", async () => {
  const handler = defineHandler({
    name: "echo",
    on: "sound",
    retry: { attempts: 3, backoff: { firstMs: 0, longestMs: 0 } },
    run: async ({ emit }) => void (await emit("sound", {})),
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  await tenant.emit("sound", {})
  await fleet.drain()
  expect(await tenant.counts()).toMatchObject({ signals: MAX_HOPS + 1, failed: 2, dead: 1 })
})

test("a chain that a caller continues is counted on", async () => {
  const handler = relay("next", "step.taken", "step.done")
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  const failed = nextEvent(fleet, "delivery.settled", ({ outcome }) => outcome === "dead")
  await tenant.emit("step.taken", {}, { metadata: { hops: MAX_HOPS } })
  await tenant.emit("step.taken", {}, { metadata: { hops: MAX_HOPS - 1 } })
  await fleet.drain()
  expect((await failed).error).toMatchObject({ code: "hop_limit" })
  expect(await tenant.counts()).toMatchObject({ signals: 3, done: 1, dead: 1 })
})

test("a handler that catches the error goes on with its work", async () => {
  const caught: unknown[] = []
  const handler = defineHandler({
    name: "careful",
    on: "step.taken",
    run: ({ emit }) =>
      emit("step.taken", {}).then(
        () => undefined,
        (error: unknown) => void caught.push(error),
      ),
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  await tenant.emit("step.taken", {}, { metadata: { hops: MAX_HOPS - 2 } })
  await fleet.drain()
  expect(caught).toMatchObject([{ code: "hop_limit" }])
  expect(await tenant.counts()).toMatchObject({ signals: 3, done: 3, dead: 0 })
})

test("a replay of the whole loop adds no signal", async () => {
  const handlers = [relay("ping", "ball.left", "ball.right"), relay("pong", "ball.right", "ball.left")]
  const { fleet, tenant } = await testFleet(db.database, { handlers })
  await tenant.emit("ball.left", {}, { metadata: { hops: MAX_HOPS - 10 } })
  await fleet.drain()
  const before = (await tenant.counts()).signals
  await db.database.query(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler)
     select tenant, id, case type when 'ball.left' then 'ping' else 'pong' end from org_${tenant.slug}.signals`,
  )
  await fleet.drain()
  expect((await tenant.counts()).signals).toBe(before)
})
