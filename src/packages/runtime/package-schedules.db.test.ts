import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { publishAll } from "../../../test/support/package-rig.ts"
import { testDatabase, type TestDatabase } from "../../../test/support/test-database.ts"
import { nextEvent, testFleet } from "../../../test/support/test-fleet.ts"
import { defineHandlerTemplate } from "../../delivery/define-template.ts"
import type { Fleet } from "../../fleet.ts"
import { selectScheduleRecipients } from "../../store/package-schedules.ts"
import type { Tenant } from "../../tenants/tenant.ts"
import type { PackageManifest } from "../manifest.ts"
import type { PackageOrdered } from "../installations/tenant-packages.ts"
import { PackageSchedules } from "./package-schedules.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const LONG = { timeout: 300_000 }
const EACH_SECOND = "* * * * * *"

/** A package that does something by the clock. */
function clock(version: string, more: Partial<PackageManifest>): PackageManifest {
  return {
    slug: "clock",
    name: "Clock",
    version,
    description: "For tests.",
    category: "tests",
    publisher: "tests",
    license: "MIT",
    config: { type: "object", properties: { word: { type: "string", default: "tick" } }, additionalProperties: false },
    ...more,
  }
}

const ticking = clock("1.0.0", {
  schedules: [{ name: "tick", cron: EACH_SECOND, emit: { type: "clock.ticked", data: { word: "${config.word}" } } }],
})

const YEARLY = { cron: "0 0 1 1 *", emit: { type: "clock.ticked" } }

async function ended(tenant: Tenant, ordered: Promise<PackageOrdered>): Promise<void> {
  const { directive } = await ordered
  expect(await tenant.directives.wait(directive.id)).toMatchObject({ status: "completed", errorMessage: null })
}

interface Row {
  readonly type: string
  readonly data: { readonly slot: string; readonly word?: string; readonly item?: number }
}

async function signalsOf({ slug }: Tenant, type: string): Promise<readonly Row[]> {
  return db.database.owner.transaction((tx) =>
    tx.query<Row>(`select type, data from org_${slug}.signals where type = $1 order by position`, [type]),
  )
}

/** A slot of the package came and went, from now on. */
async function slotPassed(fleet: Fleet): Promise<void> {
  for (let n = 0; n < 2; n++)
    await nextEvent(fleet, "schedule.fired", ({ schedule }) => schedule.startsWith("packages.clock."))
}

async function rowsOf({ slug }: Tenant): Promise<readonly unknown[]> {
  return db.database.owner.transaction((tx) =>
    tx.query(`select kind, name, cron from fleetprompt.package_schedules where tenant = $1 order by kind, name`, [
      slug,
    ]),
  )
}

test("a schedule runs once a slot in all processes, in tenants that have it, while it is enabled", LONG, async () => {
  const { fleet, tenant } = await testFleet(db.database)
  const { fleet: other } = await testFleet(db.database)
  const loud = `${tenant.slug.slice(0, 16)}_2`
  await fleet.tenants.provision(loud)
  await publishAll(fleet, [ticking, clock("1.1.0", {})])
  const without = `${tenant.slug.slice(0, 16)}_3`
  await other.tenants.provision(without)
  await ended(tenant, tenant.packages.install({ slug: "clock", version: "1.0.0" }))
  const config = { word: "TICK" }
  await ended(fleet.tenant(loud), fleet.tenant(loud).packages.install({ slug: "clock", version: "1.0.0", config }))
  await expect
    .poll(async () => (await signalsOf(tenant, "clock.ticked")).length, { timeout: 60_000 })
    .toBeGreaterThan(2)
  await expect
    .poll(async () => (await signalsOf(fleet.tenant(loud), "clock.ticked")).length, { timeout: 60_000 })
    .toBeGreaterThan(0)
  const ticks = await signalsOf(tenant, "clock.ticked")
  expect(new Set(ticks.map(({ data }) => data.slot)).size).toBe(ticks.length)
  expect(ticks[0]?.data).toMatchObject({ word: "tick", schedule: "clock.tick" })
  expect((await signalsOf(fleet.tenant(loud), "clock.ticked"))[0]?.data.word).toBe("TICK")
  expect(await signalsOf(fleet.tenant(without), "clock.ticked")).toEqual([])

  await ended(tenant, tenant.packages.disable("clock"))
  const disabledAt = new Date().toISOString()
  await Promise.race([slotPassed(fleet), slotPassed(other)])
  const late = (await signalsOf(tenant, "clock.ticked")).filter(({ data }) => data.slot > disabledAt)
  expect(late).toEqual([])
  expect(await rowsOf(tenant)).toEqual([])

  const before = (await signalsOf(tenant, "clock.ticked")).length
  await ended(tenant, tenant.packages.enable("clock"))
  await expect
    .poll(async () => (await signalsOf(tenant, "clock.ticked")).length, { timeout: 60_000 })
    .toBeGreaterThan(before)
  await ended(tenant, tenant.packages.upgrade({ slug: "clock", version: "1.1.0" }))
  expect(await rowsOf(tenant)).toEqual([])
  await ended(tenant, tenant.packages.rollback("clock"))
  expect(await rowsOf(tenant)).toEqual([{ kind: "schedule", name: "tick", cron: EACH_SECOND }])
  await ended(tenant, tenant.packages.uninstall("clock"))
  expect(await rowsOf(tenant)).toEqual([])
  expect(await rowsOf(fleet.tenant(loud))).toHaveLength(1)
})

test("what no tenant has any more is dropped, and taken up again when one has", LONG, async () => {
  const { fleet, tenant } = await testFleet(db.database)
  await publishAll(fleet, [clock("3.0.0", { slug: "yearly", schedules: [{ ...YEARLY, name: "tick" }] })])
  const told: string[] = []
  const schedules = new PackageSchedules({
    engine: db.database.hot,
    scheduler: {
      bring: (brought) => void told.push(...brought.map(({ name }) => `+ ${name.split(".")[1]}`)),
      drop: (dropped) => void told.push(...dropped.map((name) => `- ${name.split(".")[1]}`)),
    },
    telemetry: fleet.telemetry,
    lookMs: 20,
    forgetEveryMs: 0,
  })
  onTestFinished(() => schedules.stop())
  schedules.start()
  await ended(tenant, tenant.packages.install({ slug: "yearly" }))
  await expect.poll(() => told.includes("+ yearly")).toBe(true)
  // What came before it was enabled is not made up for.
  const group = { package: "yearly", kind: "schedule", name: "tick", cron: YEARLY.cron, timeZone: "UTC" } as const
  const at = (ms: number) => selectScheduleRecipients(db.database.hot, group, Date.now() + ms)
  expect(await at(60_000)).toMatchObject([{ slug: tenant.slug, type: "clock.ticked" }])
  expect(await at(-3_600_000)).toEqual([])
  await ended(tenant, tenant.packages.disable("yearly"))
  await expect.poll(() => told.at(-1)).toBe("- yearly")
  await ended(tenant, tenant.packages.enable("yearly"))
  await expect.poll(() => told.at(-1)).toBe("+ yearly")
})

test("a sensor looks at its slots, and tells what it finds once", LONG, async () => {
  let looks = 0
  const look = defineHandlerTemplate({
    name: "test.look",
    run: async ({ params, emit, signal }) => {
      looks++
      // The same two items each time.
      for (const item of [1, 2])
        await emit("feed.item", { item, feed: params["feed"] ?? null }, { dedupeKey: `feed:${item}` })
      await emit("feed.looked", { type: signal.type })
    },
  })
  const { fleet, tenant } = await testFleet(db.database, { templates: [look] })
  const sensing = clock("2.0.0", {
    slug: "feeds",
    sensors: [
      { name: "inbox", uses: "test.look", cron: EACH_SECOND, with: { feed: "${config.word}" } },
      { name: "note" },
    ],
  })
  await publishAll(fleet, [sensing])
  await ended(tenant, tenant.packages.install({ slug: "feeds" }))
  expect(await rowsOf(tenant)).toEqual([{ kind: "sensor", name: "inbox", cron: EACH_SECOND }])
  await expect.poll(() => looks, { timeout: 60_000 }).toBeGreaterThan(2)
  expect((await signalsOf(tenant, "feed.item")).map(({ data }) => data.item)).toEqual([1, 2])
  const { bindings } = (await tenant.packages.get("feeds")) ?? {}
  expect(bindings).toMatchObject([{ handler: "feeds.inbox", template: "test.look", pattern: "package.sensor.due" }])
  await ended(tenant, tenant.packages.uninstall("feeds"))
  expect([await rowsOf(tenant), (await tenant.packages.get("feeds"))?.bindings]).toEqual([[], undefined])
})
