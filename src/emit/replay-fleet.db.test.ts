import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import { createFleet, type Fleet } from "../fleet.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const actor = { id: "user_1", role: "owner" }
const everyone = ["internal", "admin_only"] as const

function completed(fleet: Fleet) {
  return nextEvent(fleet, "replay.progress", ({ status }) => status === "completed")
}

test("a forced replay runs handlers again, marked, and makes no new facts", async () => {
  const runs: [string, number, string | undefined][] = []
  const qualify = defineHandler<{ n: number }>({
    name: "qualify",
    on: "lead.received",
    run: async ({ signal, emit, replay }) => {
      runs.push(["qualify", signal.data.n, replay?.id])
      // What a run finds out may differ each time; what was stored first stays.
      await emit("lead.qualified", { n: signal.data.n, at: runs.length })
    },
  })
  const mail = defineHandler({
    name: "mail",
    on: "lead.*",
    replay: "skip",
    run: ({ replay }) => void runs.push(["mail", 0, replay?.id]),
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [qualify, mail] })
  await tenant.emitMany([1, 2, 3].map((n) => ({ type: "lead.received", data: { n } })))
  await fleet.drain()
  const before = await tenant.signals.list({ limit: 100, visibilities: everyone })
  expect(runs.splice(0)).toHaveLength(9)

  const skipped = completed(fleet)
  await tenant.replays.start({ filter: {} }, { actor })
  expect(await skipped).toMatchObject({ signals: 6, deliveries: 0 })
  expect(runs).toEqual([])

  const done = completed(fleet)
  const replay = await tenant.replays.start({ filter: {}, force: true }, { actor })
  expect(await done).toMatchObject({ signals: 6, deliveries: 3 })
  expect(runs.toSorted((a, b) => a[1] - b[1])).toEqual([1, 2, 3].map((n) => ["qualify", n, replay.id]))
  expect(await tenant.replays.get(replay.id)).toMatchObject({ status: "completed", enqueued: 3, skipped: 6, open: 0 })
  const after = await tenant.signals.list({ limit: 100, visibilities: everyone })
  expect(after.signals.map(({ id }) => id)).toEqual(before.signals.map(({ id }) => id))
})

test("a handler that came later catches up on what was there before it", async () => {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  const emitted = await tenant.emitMany([1, 2, 3].map((n) => ({ type: "lead.received", data: { n } })))
  await fleet.stop()
  const seen: string[] = []
  const late = defineHandler({ name: "late", on: "lead.*", run: ({ signal }) => void seen.push(signal.id) })
  const later = await sameTenant(tenant.slug, { handlers: [late], worker: { concurrency: 1 } })
  const done = completed(later.fleet)
  await later.tenant.replays.start({ filter: { pattern: "lead.**" }, handler: "late" }, { actor })
  await done
  expect(seen).toEqual(emitted.map(({ signal }) => signal.id))
})

async function sameTenant(slug: string, options: Parameters<typeof testFleet>[1]) {
  const { fleet } = await testFleet(db.database, options)
  return { fleet, tenant: fleet.tenant(slug) }
}

test("what died is put back when its cause is mended, by redriving or by a replay", async () => {
  let isBroken = true
  const handler = defineHandler({
    name: "mail.send",
    on: "mail.*",
    retry: { attempts: 1 },
    run: () => {
      if (isBroken) throw new TypeError("the mail service is down")
    },
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler] })
  const [first, second, third] = await tenant.emitMany([1, 2, 3].map((n) => ({ type: "mail.due", data: { n } })))
  await fleet.drain()
  const { letters } = await tenant.deadLetters.list({ errorName: "TypeError" })
  expect(letters.map(({ type, attempts }) => [type, attempts])).toEqual(
    Array.from({ length: 3 }, () => ["mail.due", 1]),
  )

  isBroken = false
  const key = { signalId: first?.signal.id ?? "", handler: "mail.send" }
  expect(await tenant.deadLetters.redrive(key)).toBe(1)
  await fleet.drain()
  const detail = await tenant.signals.get(key.signalId, everyone)
  expect(detail?.deliveries).toMatchObject([{ status: "done", history: [{ outcome: "dead" }, { outcome: "done" }] }])

  const done = completed(fleet)
  await tenant.replays.start({ signalId: second?.signal.id ?? "" }, { actor })
  await done
  expect(await tenant.deadLetters.get(second?.signal.id ?? "", "mail.send")).toBeUndefined()

  expect(await tenant.deadLetters.discard({ all: true }, { expected: 1, reason: "sent by hand" })).toBe(1)
  const discarded = await tenant.signals.get(third?.signal.id ?? "", everyone)
  expect(discarded?.deliveries[0]?.history.at(-1)).toMatchObject({
    outcome: "discarded",
    error: { message: "sent by hand" },
  })
  expect(await tenant.openDeliveries()).toBe(0)
})

test("a pause holds deliveries back, through a restart, until it is resumed", async () => {
  const seen: string[] = []
  const handlers = ["a", "b"].map((name) => defineHandler({ name, on: "**", run: () => void seen.push(name) }))
  const { fleet, tenant } = await testFleet(db.database, { handlers, worker: false })
  await tenant.pauses.pause({ handler: "a", reason: "being repaired" })
  await tenant.emit("some.thing", {})
  await fleet.stop()
  const later = await sameTenant(tenant.slug, { handlers })
  await later.tenant.emit("some.thing", {})
  await expect.poll(() => seen.length).toBe(2)
  expect(seen).toEqual(["b", "b"])
  expect(await later.fleet.pauses.list()).toMatchObject([
    { tenant: tenant.slug, handler: "a", reason: "being repaired" },
  ])
  await later.tenant.pauses.resume({ handler: "a" })
  await later.fleet.drain()
  expect(seen.toSorted()).toEqual(["a", "a", "b", "b"])
})

test("live work goes before the deliveries of a replay", async () => {
  const REPLAYED = 2_000
  const LIVE = 50
  const order: ("live" | "replayed")[] = []
  let open = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const handler = defineHandler({
    name: "count",
    on: "**",
    run: async ({ replay }) => {
      order.push(replay ? "replayed" : "live")
      await gate
    },
  })
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  const many = (count: number) => Array.from({ length: count }, () => ({ type: "lead.received", data: {} }))
  for (let n = 0; n < REPLAYED / 1_000; n++) await tenant.emitMany(many(1_000))
  await fleet.stop()
  const later = await sameTenant(tenant.slug, { handlers: [handler] })
  const made = nextEvent(later.fleet, "replay.progress", ({ deliveries }) => deliveries === REPLAYED)
  await later.tenant.replays.start({ filter: {}, perSecond: 10_000, maxOpen: REPLAYED }, { actor })
  await made
  const done = completed(later.fleet)
  // All of the replay is in the queue, and what was claimed of it runs.
  await later.tenant.emitMany(many(LIVE))
  open()
  await done
  expect(order.filter((each) => each === "replayed")).toHaveLength(REPLAYED)
  expect(order.filter((each) => each === "live")).toHaveLength(LIVE)
  // What the process had claimed before may be done first.
  expect(order.lastIndexOf("live")).toBeLessThan(REPLAYED / 2)
  expect((await later.tenant.counts()).signals).toBe(REPLAYED + LIVE)
})

test("a replay is carried out by another process than the one that asked for it", async () => {
  const seen: number[] = []
  const handler = defineHandler({ name: "count", on: "**", run: () => void seen.push(1) })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler], worker: false })
  const worker = createFleet({
    database: { ...methodsOf(), close: async () => {} },
    handlers: [handler],
    retention: false,
  })
  await worker.start()
  onTestFinished(() => worker.stop({ graceMs: 0 }))
  await tenant.emit("lead.received", {})
  await fleet.drain()
  const done = completed(worker)
  const replay = await tenant.replays.start({ filter: {}, force: true }, { actor })
  await done
  expect(seen).toHaveLength(2)
  for await (const { status } of tenant.replays.watch(replay.id)) expect(status).toBe("completed")
})

function methodsOf() {
  const { database } = db
  return {
    kind: database.kind,
    hot: database.hot,
    owner: database.owner,
    of: database.of.bind(database),
    hears: database.hears,
    poolUse: () => database.poolUse(),
    query: database.query.bind(database),
    script: database.script.bind(database),
    transaction: database.transaction.bind(database),
    listen: database.listen.bind(database),
  }
}
