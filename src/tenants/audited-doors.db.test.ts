import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { bury, placements, queueOf, storeSignals } from "../../test/support/tenant-rows.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { AuditLog } from "../audit/audit-door.ts"
import type { Database } from "../store/database.ts"
import { selectSchedules, upsertSchedule } from "../store/schedules.ts"
import { type Placement, type TenantScope, tenantScope } from "../store/tenant-scope.ts"
import type { Fleet } from "../fleet.ts"
import type { Tenant } from "./tenant.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const ada = { kind: "user", id: "ada", role: "admin" } as const
const program = { kind: "system", id: "fleet", role: null }

interface Rig {
  readonly fleet: Fleet
  readonly tenant: Tenant
  readonly scope: TenantScope
}

async function rigOf(placement: Placement, database: Database = db.database): Promise<Rig> {
  const { fleet } = await testFleet(database, { worker: false })
  const slug = testSlug(placement)
  await fleet.tenants.provision(slug, { placement })
  return { fleet, tenant: fleet.tenant(slug), scope: tenantScope(slug, placement) }
}

/** Dead letters of as many signals; their ids in order. */
async function letters(scope: TenantScope, many: number, handler = "mail.send"): Promise<readonly string[]> {
  const rows = Array.from({ length: many }, () => ({}))
  const ids = await storeSignals(db.database, scope, rows)
  await bury(
    db.database,
    scope,
    ids.map((signalId) => ({ signalId, handler })),
  )
  return ids
}

/** What a log says of actions that fit, the oldest first; it must be sound. */
async function said(log: AuditLog, action: string) {
  expect(await log.verify()).toMatchObject({ ok: true, signed: true, waiting: 0, findings: [] })
  const { entries } = await log.list({ action, limit: 500 })
  return entries
    .map(({ action: what, resource, actor, details, outcome }) => ({ what, resource, actor, details, outcome }))
    .toReversed()
}

describe.each(placements)("in the log of a tenant with %s tables", (placement) => {
  test("a decision on dead letters is one entry, with the filter and the count, or with the one letter", async () => {
    const { tenant, scope } = await rigOf(placement)
    const [first = "", second = "", third = ""] = await letters(scope, 3)
    await letters(scope, 1, "other")
    const { deadLetters, audit } = tenant
    expect(await deadLetters.redrive({ signalId: first, handler: "mail.send" }, { by: ada })).toBe(1)
    expect(await deadLetters.discard({ handler: "mail.send" })).toBe(2)
    expect(await deadLetters.discard({ all: true }, { by: ada, reason: "load test", expected: 1 })).toBe(1)
    // Nothing is left, so nothing is done.
    expect(await deadLetters.redrive({ all: true }, { by: ada })).toBe(0)
    expect(await deadLetters.discard({ signalId: second, handler: "mail.send" }, { by: ada })).toBe(0)
    await expect(deadLetters.redrive({})).rejects.toMatchObject({ code: "query_invalid" })
    expect(await said(audit, "dead_letter.**")).toEqual([
      {
        what: "dead_letter.redrive",
        resource: `dead_letter:${first}/mail.send`,
        actor: ada,
        details: null,
        outcome: "done",
      },
      {
        what: "dead_letter.discard",
        resource: "dead_letter:*",
        actor: program,
        details: { filter: { handler: "mail.send" }, count: 2 },
        outcome: "done",
      },
      {
        what: "dead_letter.discard",
        resource: "dead_letter:*",
        actor: ada,
        details: { filter: {}, count: 1, reason: "load test" },
        outcome: "done",
      },
    ])
    const noted = await db.database.query(
      `select worker from ${scope.schema}.attempts where tenant = $1 and outcome = 'discarded' and signal_id = $2::text::uuid`,
      [scope.slug, third],
    )
    expect(noted).toEqual([{ worker: "operator" }])
  })

  test("what takes several batches is one entry too, in the commit of the first", async () => {
    const { tenant, scope } = await rigOf(placement)
    await letters(scope, 1_100)
    expect(await tenant.deadLetters.redrive({ all: true }, { by: ada })).toBe(1_100)
    const entries = await said(tenant.audit, "dead_letter.**")
    expect(entries.map(({ what, details }) => [what, details])).toEqual([
      ["dead_letter.redrive", { filter: {}, count: 1_100 }],
    ])
  })

  test("each change of a replay is one entry; what changes nothing is none", async () => {
    const { tenant, scope } = await rigOf(placement)
    await storeSignals(db.database, scope, [{ type: "order.paid" }, { type: "order.paid" }, { type: "mail.sent" }])
    const { replays, audit } = tenant
    const request = { filter: { pattern: "order.**", source: "app" }, reason: "lost mails" }
    const { id } = await replays.start(request, { actor: { id: "ada", role: "admin" } })
    await replays.pause(id, { by: ada, reason: "too fast" })
    await replays.pause(id, { by: ada })
    await replays.resume(id)
    await replays.cancel(id, { by: ada })
    await replays.cancel(id, { by: ada })
    await expect(replays.resume(id, { by: ada })).rejects.toMatchObject({ code: "replay_ended" })
    await expect(replays.start(request, { actor: { id: "mia", role: "member" } })).rejects.toMatchObject({
      code: "forbidden",
    })
    const [signalId = ""] = await storeSignals(db.database, scope, [{}])
    const one = await replays.start({ signalId }, { actor: { kind: "operator", id: "opal", role: "operator" } })
    const done = { resource: `replay:${id}`, outcome: "done" }
    expect(await said(audit, "replay.**")).toEqual([
      {
        ...done,
        what: "replay.start",
        actor: { kind: "host", id: "ada", role: "admin" },
        details: { pattern: "order.**", source: "app", force: false, signals: 2, reason: "lost mails" },
      },
      { ...done, what: "replay.pause", actor: ada, details: { reason: "too fast" } },
      { ...done, what: "replay.resume", actor: program, details: null },
      { ...done, what: "replay.cancel", actor: ada, details: null },
      {
        what: "replay.start",
        resource: `replay:${one.id}`,
        actor: { kind: "operator", id: "opal", role: "operator" },
        details: { signalId, force: false, signals: 1 },
        outcome: "done",
      },
    ])
  })

  test("its pauses stand in its own, those of all tenants in the platform's", async () => {
    const { fleet, tenant } = await rigOf(placement)
    const handler = `paused.${placement}`
    await tenant.pauses.pause({ handler, by: ada, reason: "it is down" })
    await fleet.pauses.resume({ tenant: tenant.slug, handler, by: ada })
    expect(await tenant.pauses.resume({ handler, by: ada })).toBe(false)
    await tenant.pauses.pause()
    await tenant.pauses.resume()
    await fleet.pauses.pause({ handler, by: ada })
    expect(await fleet.pauses.resume({ handler })).toBe(true)
    const done = { outcome: "done", resource: `handler:${handler}` }
    expect(await said(tenant.audit, "handler.*")).toEqual([
      { ...done, what: "handler.pause", actor: ada, details: { reason: "it is down" } },
      { ...done, what: "handler.resume", actor: ada, details: null },
      { ...done, what: "handler.pause", resource: "handler:*", actor: program, details: null },
      { ...done, what: "handler.resume", resource: "handler:*", actor: program, details: null },
    ])
    const ofPlatform = await said(fleet.audit, "handler.*")
    expect(ofPlatform.filter(({ resource }) => resource === done.resource)).toEqual([
      { ...done, what: "handler.pause", actor: ada, details: null },
      { ...done, what: "handler.resume", actor: program, details: null },
    ])
  })

  test("the end of an operation that somebody asked for", async () => {
    const { fleet, tenant } = await rigOf(placement)
    const { id } = await fleet.tenants.delete(tenant.slug, { by: ada, reason: "they leave" })
    await fleet.operations.cancel(id, { by: ada, reason: "they stay" })
    expect(await fleet.operations.wait(id)).toMatchObject({ status: "cancelled" })
    await expect(fleet.operations.cancel(id, { by: ada })).rejects.toMatchObject({ code: "operation_ended" })
    const entries = await said(tenant.audit, "tenant.**")
    expect(entries.map(({ what, actor, details }) => [what, actor, details])).toEqual([
      ["tenant.delete", ada, { operation: id, delayMs: 30 * 86_400_000, reason: "they leave" }],
      ["tenant.operation.cancel", ada, { operation: id, kind: "delete", reason: "they stay" }],
    ])
  })

  test("nothing is done that cannot be noted", async () => {
    let isFull = false
    const database = interceptDatabase(db.database, ({ name, run }) =>
      isFull && name === "insertAuditIntake" ? Promise.reject(new Error("no entry")) : run(),
    )
    const { fleet, tenant, scope } = await rigOf(placement, database)
    await letters(scope, 2)
    const schedule = `noted.${placement}`
    await upsertSchedule(db.database, { name: schedule, cron: "0 0 1 1 *", timeZone: "UTC", nextSlot: Date.now() })
    const started = await tenant.replays.start({ filter: {} }, { actor: ada })
    isFull = true
    const acts: readonly (() => Promise<unknown>)[] = [
      () => tenant.deadLetters.redrive({ all: true }),
      () => tenant.deadLetters.discard({ all: true }),
      () => tenant.replays.start({ filter: {} }, { actor: ada }),
      () => tenant.replays.pause(started.id),
      () => tenant.replays.cancel(started.id),
      () => tenant.pauses.pause(),
      () => fleet.pauses.pause({ handler: schedule }),
      () => fleet.schedules.pause(schedule),
    ]
    for (const act of acts) await expect(act()).rejects.toThrow("no entry")
    isFull = false
    expect([await tenant.deadLetters.count(), await queueOf(db.database, scope)]).toEqual([2, []])
    expect(await tenant.replays.list()).toMatchObject([{ id: started.id, status: "running" }])
    const pauses = await fleet.pauses.list()
    expect(pauses.filter((each) => each.tenant === tenant.slug || each.handler === schedule)).toEqual([])
    const schedules = await selectSchedules(db.database)
    expect(schedules.find(({ name }) => name === schedule)).toMatchObject({ pausedAt: null })
  })
})

test("what is done to a schedule stands in the platform's log", async () => {
  const { fleet } = await testFleet(db.database, { worker: false })
  const name = "report.noted"
  await upsertSchedule(db.database, { name, cron: "0 0 1 1 *", timeZone: "UTC", nextSlot: Date.now() })
  await fleet.schedules.pause(name, { by: ada, reason: "year's end" })
  await fleet.schedules.resume(name)
  // It is not paused, so there is nothing to be resumed.
  await fleet.schedules.resume(name, { by: ada })
  await expect(fleet.schedules.pause("nobody", { by: ada })).rejects.toMatchObject({ code: "schedule_unknown" })
  const done = { resource: `schedule:${name}`, outcome: "done" }
  expect(await said(fleet.audit, "schedule.*")).toEqual([
    { ...done, what: "schedule.pause", actor: ada, details: { reason: "year's end" } },
    { ...done, what: "schedule.resume", actor: program, details: null },
  ])
})
