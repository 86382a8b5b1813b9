import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest"
import { type TestDatabase, testDatabase } from "../../test/support/test-database.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import { FleetPromptError } from "../errors.ts"
import { openSchedules } from "../fleet/schedules-door.ts"
import type { JsonObject } from "../signal/json.ts"
import type { Queryable } from "../store/database.ts"
import { migrateControl } from "../store/migrate.ts"
import { type ScheduleRecord, selectSchedules } from "../store/schedules.ts"
import type { TelemetryEvents, TelemetryName } from "../telemetry/events.ts"
import { Telemetry } from "../telemetry/telemetry.ts"
import type { EmitTo } from "./emit-slot.ts"
import { defineSchedule, type ScheduleDefinition, type ScheduledTenant } from "./schedule.ts"
import { Scheduler, type SchedulerDeps } from "./scheduler.ts"

let db: TestDatabase

beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())

const HOUR = 3_600_000
const EVERY_SECOND = "* * * * * *"
const TENANTS: readonly ScheduledTenant[] = [
  { slug: "acme", class: "standard" },
  { slug: "globex", class: "premium" },
]

let name = ""
beforeEach(() => {
  name = testSlug()
})

function schedule(options: Partial<ScheduleDefinition> = {}) {
  return defineSchedule({ name, cron: EVERY_SECOND, emit: { type: "test.due" }, ...options })
}

/** Stands for the tenants' signals: a key is there once, as the database has it. */
class Ledger {
  readonly calls: { readonly tenant: string; readonly key: string; readonly data: JsonObject }[] = []
  readonly emitTo: EmitTo = async (tenant, _type, data, { dedupeKey }) => {
    this.calls.push({ tenant, key: dedupeKey, data })
  }
  get keys(): readonly string[] {
    return [...new Set(this.calls.map(({ tenant, key }) => `${tenant} ${key}`))].toSorted()
  }
}

interface TestScheduler {
  readonly scheduler: Scheduler
  readonly telemetry: Telemetry
  /** Resolves when so many events of a name were told. */
  readonly told: <Name extends TelemetryName>(name: Name, count?: number) => Promise<readonly TelemetryEvents[Name][]>
}

let workers = 0

/** A scheduler as a process of its own would have it; it stops with the test. */
function startScheduler(deps: Partial<SchedulerDeps> & Pick<SchedulerDeps, "emitTo">): TestScheduler {
  const telemetry = new Telemetry()
  const events: { readonly name: TelemetryName; readonly fields: unknown }[] = []
  const watchers = new Set<() => void>()
  telemetry.listen((event, fields) => {
    events.push({ name: event, fields })
    for (const watch of watchers) watch()
  })
  const scheduler = new Scheduler({
    workerName: `worker-${++workers}`,
    database: db.database,
    schedules: [schedule()],
    listTenants: async () => TENANTS,
    telemetry,
    ...deps,
  })
  scheduler.start()
  onTestFinished(() => scheduler.stop())
  const told = <Name extends TelemetryName>(wanted: Name, count = 1) =>
    new Promise<readonly TelemetryEvents[Name][]>((resolve) => {
      const watch = () => {
        const found = events.filter((event) => event.name === wanted)
        // The name says whose fields they are.
        if (found.length >= count) resolve(found.map(({ fields }) => fields as TelemetryEvents[Name]))
      }
      watchers.add(watch)
      watch()
    })
  return { scheduler, telemetry, told }
}

async function row(): Promise<ScheduleRecord | undefined> {
  return (await selectSchedules(db.database)).find((each) => each.name === name)
}

/** Resolves when the schedule's row is as asked for. */
function rowThat(fits: (row: ScheduleRecord) => boolean): Promise<ScheduleRecord> {
  return vi.waitFor(
    async () => {
      const found = await row()
      if (!found || !fits(found)) throw new Error(`the row is ${JSON.stringify(found)}`)
      return found
    },
    { timeout: 30_000, interval: 20 },
  )
}

/** Records a schedule as if its last slot had been fired so long ago. */
async function outage(cron: string, ms: number): Promise<number> {
  const nextSlot = Math.ceil((Date.now() - ms) / HOUR) * HOUR
  await db.database.query(
    `insert into fleetprompt.schedules (name, cron, time_zone, next_slot) values ($1, $2, 'UTC', $3::timestamptz)`,
    [name, cron, new Date(nextSlot).toISOString()],
  )
  return nextSlot
}

const slotOf = (fired: { readonly slot: string }): number => Date.parse(fired.slot)

test("several processes fire each slot once, into each tenant", async () => {
  const ledger = new Ledger()
  const schedules = [schedule({ emit: { type: "test.due", data: { of: "report" } } })]
  const processes = [1, 2, 3].map(() => startScheduler({ emitTo: ledger.emitTo, schedules }))
  await Promise.race(processes.map(({ told }) => told("schedule.fired", 3)))
  await Promise.all(processes.map(({ scheduler }) => scheduler.stop()))
  const slots = [...new Set(ledger.calls.map(({ data }) => String(data["slot"])))]
  expect(ledger.calls.length).toBe(ledger.keys.length)
  expect(ledger.keys).toEqual(
    TENANTS.flatMap(({ slug }) => slots.map((slot) => `${slug} schedule:${name}:${slot}`)).toSorted(),
  )
  expect(ledger.calls[0]?.data).toEqual({ of: "report", slot: slots[0], schedule: name })
  expect(slots.every((slot) => /:\d\d\.000Z$/.test(slot))).toBe(true)
})

test("only chosen tenants get it, and a choice that throws is told", async () => {
  const ledger = new Ledger()
  const chooses = ({ slug }: ScheduledTenant): boolean => {
    if (slug === "acme") throw new Error("no such plan")
    return true
  }
  const { told } = startScheduler({ emitTo: ledger.emitTo, schedules: [schedule({ tenants: chooses })] })
  expect(await told("schedule.fired")).toMatchObject([{ schedule: name, tenants: 1 }])
  expect(ledger.calls[0]?.tenant).toBe("globex")
  expect(await told("background.failed")).toMatchObject([{ step: "schedule", error: { message: "no such plan" } }])
})

describe("after a day without any process", () => {
  test("last fires the last slot, once", async () => {
    await outage("0 * * * *", 24 * HOUR)
    const ledger = new Ledger()
    const { told } = startScheduler({ emitTo: ledger.emitTo, schedules: [schedule({ cron: "0 * * * *" })] })
    const before = Date.now()
    const [fired] = await told("schedule.fired")
    expect(fired && slotOf(fired)).toBe(Math.floor(before / HOUR) * HOUR)
    const { nextSlot, lastSlot } = await rowThat(({ leasedBy }) => leasedBy === null)
    expect(nextSlot.getTime()).toBe((fired ? slotOf(fired) : 0) + HOUR)
    expect(lastSlot?.toISOString()).toBe(fired?.slot)
    expect(ledger.calls.length).toBe(TENANTS.length)
  })

  test("none fires nothing and waits for the next slot", async () => {
    const cron = farFromNow()
    await outage(cron, 24 * HOUR)
    const ledger = new Ledger()
    startScheduler({ emitTo: ledger.emitTo, schedules: [schedule({ cron, catchUp: "none" })] })
    const { lastFiredAt } = await rowThat(({ nextSlot }) => nextSlot.getTime() > Date.now())
    expect(lastFiredAt).toBeNull()
    expect(ledger.calls).toEqual([])
  })

  test("all fires each slot, in order", async () => {
    const first = await outage("0 * * * *", 24 * HOUR)
    const ledger = new Ledger()
    const { told } = startScheduler({
      emitTo: ledger.emitTo,
      schedules: [schedule({ cron: "0 * * * *", catchUp: "all" })],
    })
    const fired = await told("schedule.fired", 24)
    expect(fired.map(slotOf)).toEqual(Array.from({ length: 24 }, (_, n) => first + n * HOUR))
  })

  test("all makes up for 100 and tells that it dropped the others", async () => {
    await outage("* * * * *", 24 * HOUR)
    const ledger = new Ledger()
    const { told } = startScheduler({
      emitTo: ledger.emitTo,
      schedules: [schedule({ cron: "* * * * *", catchUp: "all" })],
    })
    const fired = (await told("schedule.fired", 100)).map(slotOf)
    expect(fired).toEqual(Array.from({ length: 100 }, (_, n) => (fired[0] ?? 0) + n * 60_000))
    const [failed] = await told("background.failed")
    expect(failed?.error).toMatchObject({ code: "schedule_slots_dropped" })
    await rowThat(({ nextSlot }) => nextSlot.getTime() > Date.now())
  })
})

/** A daily cron whose slots are half a day away from now, so that none is hardly late. */
function farFromNow(): string {
  return `0 ${(new Date().getUTCHours() + 12) % 24} * * *`
}

test("when the process that fires is killed, another fires the same slot, and each tenant has it once", async () => {
  await outage("0 * * * *", HOUR)
  const ledger = new Ledger()
  const dead = deadly(db.database)
  const begun = withResolvers()
  const schedules = [schedule({ cron: "0 * * * *" })]
  const leaseMs = 1_000
  startScheduler({
    database: dead.database,
    schedules,
    leaseMs,
    emitTo: async (tenant, type, data, options) => {
      if (ledger.calls.length === 1) {
        dead.kill()
        begun.resolve()
        return dead.gone
      }
      return ledger.emitTo(tenant, type, data, options)
    },
  })
  onTestFinished(dead.end)
  await begun.promise
  const { told } = startScheduler({ emitTo: ledger.emitTo, schedules, leaseMs })
  const [fired] = await told("schedule.fired")
  expect(fired?.tenants).toBe(2)
  // The first tenant got it from both; its key makes it one.
  expect(ledger.calls.length).toBe(3)
  expect(ledger.keys).toEqual(TENANTS.map(({ slug }) => `${slug} schedule:${name}:${fired?.slot}`).toSorted())
})

/** A database of a process that can be killed: nothing is answered any more, until it is told to end. */
function deadly(database: Queryable) {
  let killed = false
  const gone = withResolvers<never>()
  gone.promise.catch(() => {})
  const query = <Row extends object>(text: string, values?: readonly unknown[]): Promise<readonly Row[]> =>
    killed ? gone.promise : database.query<Row>(text, values)
  const end = () => gone.reject(new Error("the process is gone"))
  return { database: { query }, gone: gone.promise, kill: () => (killed = true), end }
}

function withResolvers<Value = void>() {
  let resolve: (value: Value) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<Value>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

test("a process that stops while it fires lets another go on at once", async () => {
  await outage("0 * * * *", HOUR)
  const ledger = new Ledger()
  const begun = withResolvers()
  const go = withResolvers()
  const many = Array.from({ length: 40 }, (_, n) => ({ slug: `tenant_${n}`, class: "standard" }) as const)
  const deps = { schedules: [schedule({ cron: "0 * * * *" })], listTenants: async () => many }
  const first = startScheduler({
    ...deps,
    emitTo: async (...args) => {
      begun.resolve()
      await go.promise
      return ledger.emitTo(...args)
    },
  })
  await begun.promise
  const stopped = first.scheduler.stop()
  go.resolve()
  await stopped
  expect(ledger.calls.length).toBe(16)
  expect(await row()).toMatchObject({ leasedBy: null, lastFiredAt: null })
  const { told } = startScheduler({ ...deps, emitTo: ledger.emitTo })
  expect(await told("schedule.fired")).toMatchObject([{ tenants: 40 }])
  expect(ledger.keys.length).toBe(40)
})

test("a tenant that refuses harms no other, and one in passing trouble is tried again", async () => {
  await outage("0 * * * *", HOUR)
  const ledger = new Ledger()
  let tries = 0
  const emitTo: EmitTo = async (tenant, ...rest) => {
    if (tenant === "initech") throw new FleetPromptError("tenant_unknown", "removed")
    if (tenant === "acme" && ++tries < 3) throw new FleetPromptError("database_busy", "wait")
    await ledger.emitTo(tenant, ...rest)
  }
  const { told } = startScheduler({
    emitTo,
    schedules: [schedule({ cron: "0 * * * *" })],
    listTenants: async () => [{ slug: "initech", class: "standard" }, ...TENANTS],
  })
  expect(await told("schedule.fired")).toMatchObject([{ tenants: 2 }])
  expect(await told("background.failed")).toMatchObject([{ error: { code: "tenant_unknown" } }])
  expect(tries).toBe(3)
})

test("what fails at the database is told, and done when it is back", async () => {
  await outage("0 * * * *", HOUR)
  const ledger = new Ledger()
  const failing = new Set(["selectSchedulesNow", "claimSlot", "finishSlot"])
  const database: Queryable = {
    query: (text, values) => {
      const statement = /\w+/.exec(text)?.[0] ?? ""
      return failing.delete(statement) ? Promise.reject(new Error(statement)) : db.database.query(text, values)
    },
  }
  const { told } = startScheduler({ database, emitTo: ledger.emitTo, schedules: [schedule({ cron: "0 * * * *" })] })
  const [fired] = await told("schedule.fired")
  expect((await told("background.failed")).map(({ error }) => String(error))).toEqual([
    "Error: selectSchedulesNow",
    "Error: claimSlot",
    "Error: finishSlot",
  ])
  expect(ledger.calls.length).toBe(2 * TENANTS.length)
  expect(ledger.keys).toEqual(TENANTS.map(({ slug }) => `${slug} schedule:${name}:${fired?.slot}`).toSorted())
})

test("another expression in the code replaces the next slot, the same one does not", async () => {
  const start = (cron: string) => startScheduler({ emitTo: new Ledger().emitTo, schedules: [schedule({ cron })] })
  const soon = start("0 0 1 1 *")
  const first = await rowThat(() => true)
  await soon.scheduler.stop()
  const again = start("0 0 1 1 *")
  await again.scheduler.stop()
  expect(await row()).toEqual(first)
  start("0 0 1 6 *")
  const changed = await rowThat(({ cron }) => cron === "0 0 1 6 *")
  expect(changed.nextSlot.toISOString()).toMatch(/-06-01T00:00:00.000Z$/)
})

test("an older release that runs on leaves a schedule alone that a newer one defines anew", async () => {
  const ledger = new Ledger()
  const older = startScheduler({ emitTo: ledger.emitTo, schedules: [schedule()] })
  await older.told("schedule.fired")
  startScheduler({ emitTo: ledger.emitTo, schedules: [schedule({ cron: "0 0 1 1 *" })] })
  const { nextSlot } = await rowThat(({ cron }) => cron === "0 0 1 1 *")
  older.scheduler.wake()
  const calls = ledger.calls.length
  await selectSchedules(db.database)
  expect((await row())?.nextSlot).toEqual(nextSlot)
  expect(ledger.calls.length - calls).toBeLessThanOrEqual(TENANTS.length)
})

test("a paused schedule is left alone, beyond a restart, and goes on with the next slot to come", async () => {
  const ledger = new Ledger()
  const { scheduler, told } = startScheduler({ emitTo: ledger.emitTo })
  const door = openSchedules(
    () => db.database,
    () => scheduler.wake(),
  )
  await told("schedule.fired")
  await door.pause(name)
  const { lastSlot } = await rowThat(({ leasedBy, pausedAt }) => leasedBy === null && pausedAt !== null)
  await scheduler.stop()
  const later = startScheduler({ emitTo: ledger.emitTo })
  const passed = Date.now() + 1_000
  await vi.waitUntil(() => Date.now() > passed, { timeout: 30_000, interval: 100 })
  expect((await row())?.lastSlot).toEqual(lastSlot)
  const resumedAt = Date.now()
  await door.resume(name)
  later.scheduler.wake()
  const [fired] = await later.told("schedule.fired")
  expect(fired && slotOf(fired)).toBeGreaterThan(resumedAt - 1_000)
  expect((await door.list()).map((each) => each.name)).toContain(name)
})

test("there is nothing to be paused under a wrong name", async () => {
  const door = openSchedules(
    () => db.database,
    () => {},
  )
  const unknown = expect.objectContaining({ code: "schedule_unknown" })
  await expect(door.pause("nobody")).rejects.toThrow(unknown)
  await expect(door.resume("nobody")).rejects.toThrow(unknown)
})

test("an idle scheduler asks twice, then waits a minute; a year is no timer", async () => {
  const timers = vi.spyOn(globalThis, "setTimeout")
  onTestFinished(() => timers.mockRestore())
  const statements: string[] = []
  const database: Queryable = {
    query: (text, values) => {
      statements.push(/\w+/.exec(text)?.[0] ?? "")
      return db.database.query(text, values)
    },
  }
  startScheduler({ database, emitTo: new Ledger().emitTo, schedules: [schedule({ cron: "0 0 29 2 *" })] })
  await vi.waitFor(() => expect(timers.mock.calls.map(([, ms]) => ms).some((ms) => Number(ms) > 50_000)).toBe(true))
  expect(statements).toEqual(["selectSchedulesNow", "upsertSchedule"])
  expect(Math.max(...timers.mock.calls.map(([, ms]) => ms ?? 0))).toBeLessThanOrEqual(60_000)
})

test("without schedules it asks nothing", async () => {
  const database: Queryable = { query: () => Promise.reject(new Error("asked")) }
  const { scheduler } = startScheduler({ database, emitTo: new Ledger().emitTo, schedules: [] })
  await expect(scheduler.stop()).resolves.toBeUndefined()
})
