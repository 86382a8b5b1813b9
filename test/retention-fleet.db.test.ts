import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { defineHandler } from "../src/delivery/handler.ts"
import { defineSchedule } from "../src/delivery/schedule.ts"
import { Scheduler } from "../src/delivery/scheduler.ts"
import { RETENTION, retentionHandler, retentionSchedule } from "../src/emit/retention-handler.ts"
import type { Fleet } from "../src/fleet.ts"
import { tail } from "../src/inspect/tail.ts"
import { Placements } from "../src/store/placements.ts"
import type { Placement } from "../src/store/tenant-scope.ts"
import { insertPlainSignals } from "./support/plain-signals.ts"
import { type TestDatabase, testDatabase } from "./support/test-database.ts"
import { nextEvent, testFleet, testSlug } from "./support/test-fleet.ts"

let db: TestDatabase

beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const placements: readonly Placement[] = ["own", "shared"]

/** A fleet that keeps signals for 30 days, with a tenant of a placement. */
async function retainingFleet(placement: Placement) {
  const known = new Placements(db.database)
  const handler = retentionHandler({}, () => ({
    database: db.database,
    telemetry: fleet.telemetry,
    placements: known,
  }))
  const { fleet } = await testFleet(db.database, { handlers: [defineHandler(handler)] })
  const slug = testSlug(placement)
  await fleet.tenants.provision(slug, { placement })
  return { fleet, tenant: fleet.tenant(slug), scope: (await known.find(slug)).scope }
}

/** Fires the built-in schedule for one tenant, as if a night had passed without any process. */
async function nightPasses(fleet: Fleet, slug: string): Promise<void> {
  const name = `${RETENTION}.${slug}`
  await db.database.query(
    `insert into fleetprompt.schedules (name, cron, time_zone, next_slot)
     values ($1, '0 3 * * *', 'UTC', date_trunc('day', now(), 'UTC') - interval '21 hours')`,
    [name],
  )
  const scheduler = new Scheduler({
    workerName: fleet.workerName,
    database: db.database,
    schedules: [defineSchedule({ ...retentionSchedule({}), name, tenants: [slug] })],
    emitTo: (tenant, type, data, options) => fleet.tenant(tenant).emit(type, data, options),
    listTenants: async () => (await fleet.tenants.list()).filter(({ status }) => status === "ready"),
    telemetry: fleet.telemetry,
  })
  const done = nextEvent(fleet, "delivery.settled", ({ handler }) => handler === RETENTION)
  scheduler.start()
  onTestFinished(() => scheduler.stop())
  expect(await done).toMatchObject({ outcome: "done" })
}

describe.each(placements)("with placement %s", (placement) => {
  test("each night what is old goes, and its keys are still known", async () => {
    const { fleet, tenant, scope } = await retainingFleet(placement)
    const fact = { type: "lead.received", data: { a: 1, b: { c: [2] } }, ageDays: 31 }
    const [old, , young] = await insertPlainSignals(db.database, scope, [
      { ...fact, dedupeKey: "zillow:1" },
      { ...fact, sourceEventId: "event-1" },
      { ...fact, ageDays: 1 },
    ])
    await nightPasses(fleet, tenant.slug)
    expect((await tenant.signals.read([old ?? "", young ?? ""], ["internal"])).map(({ id }) => id)).toEqual([young])
    const again = { b: { c: [2] }, a: 1 }
    const late = await tenant.emit("lead.received", again, { source: "test", dedupeKey: "zillow:1" })
    expect([late.inserted, late.signal.id]).toEqual([false, old])
    const other = tenant.emit("lead.received", { a: 2 }, { source: "test", dedupeKey: "zillow:1" })
    await expect(other).rejects.toThrow(expect.objectContaining({ code: "idempotency_conflict" }))
    const event = { source: "test", sourceEventId: "event-1" }
    expect((await tenant.emit("lead.received", again, event)).inserted).toBe(false)
    expect((await tenant.emit("lead.received", again, { ...event, source: "elsewhere" })).inserted).toBe(true)
  })

  test("a tail follows what the fleet emits", async () => {
    const { fleet, tenant, scope } = await retainingFleet(placement)
    const onCommit = (listener: () => void) =>
      fleet.onCommit({ onCommit: (news) => news.tenant === tenant.slug && listener(), onGap: listener })
    const signals = tail({ database: db.database, onCommit }, scope, { visibilities: ["internal"] })
    const emitted = Array.from({ length: 300 }, (_, n) => tenant.emit("lead.received", { n }))
    const seen: string[] = []
    for await (const { signal } of signals) if (seen.push(signal.id) === 300) break
    expect(new Set(seen)).toEqual(new Set((await Promise.all(emitted)).map(({ signal }) => signal.id)))
  })
})
