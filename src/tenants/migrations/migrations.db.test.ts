import { describe, expect, onTestFinished, test } from "vitest"
import { interceptDatabase } from "../../../test/support/intercepted-database.ts"
import { testDatabase } from "../../../test/support/test-database.ts"
import { nextEvent } from "../../../test/support/test-fleet.ts"
import { defineHandler } from "../../delivery/handler.ts"
import { defineSchedule } from "../../delivery/schedule.ts"
import { createFleet, type Fleet } from "../../fleet.ts"
import type { FleetOptions } from "../../fleet/options.ts"
import type { Database } from "../../store/database.ts"
import { type Migration, tenantMigrations } from "../../store/sql.ts"
import { selectBehind, selectIsProvisioning } from "../../store/schema-units.ts"
import { tenantFeatures } from "../../store/tenant-features.ts"
import type { TelemetryEvents } from "../../telemetry/events.ts"

const LATEST = tenantMigrations.at(-1)?.version ?? 0
/** Above every number that a release will have. */
const NEXT = 900_001

/** A further migration, which notes where it ran: twice in one schema fails. */
const next: Migration = {
  version: NEXT,
  name: "900001_next.sql",
  text: "create table :schema.added (id integer); insert into public.ran values (':schema', 900001);",
}
const broken: Migration = {
  ...next,
  text: `do $$ begin if ':schema' like '%bad%' then raise exception 'told by the test'; end if; end $$; ${next.text}`,
}

interface Rig {
  readonly database: Database
  /** Starts a fleet with the migrations of this release and others after them; it ends with the test. */
  readonly start: (extra: readonly Migration[], options?: FleetOptions) => Promise<Fleet>
  readonly stop: (fleet: Fleet) => Promise<void>
}

/** A database of the test's own with these tenants, at the version of this release. */
async function rig(slugs: readonly string[], migrations = tenantMigrations): Promise<Rig> {
  const { database, close } = await testDatabase()
  const running = new Set<Fleet>()
  onTestFinished(async () => {
    for (const fleet of running) await fleet.stop({ graceMs: 0 })
    await close()
  })
  const kept = { ...interceptDatabase(database, ({ run }) => run()), close: async () => {} }
  const open = async (options: FleetOptions): Promise<Fleet> => {
    const fleet = createFleet({ worker: { pollMs: 20 }, retention: false, ...options, database: kept })
    running.add(fleet)
    await fleet.start()
    return fleet
  }
  const stop = async (fleet: Fleet): Promise<void> => {
    await fleet.stop({ graceMs: 0 })
    running.delete(fleet)
  }
  const first = await open({ tenantMigrations: migrations, worker: false, migrations: { auto: false } })
  await database.query("create table public.ran (schema text, version integer, primary key (schema, version))")
  for (const slug of slugs) {
    const [name = "", how] = slug.split(":")
    await first.tenants.provision(name, {
      ...(how === "shared" && { placement: "shared" }),
      ...((how === "premium" || how === "enterprise") && { class: how }),
    })
  }
  await stop(first)
  return {
    database,
    start: (extra, options = {}) => open({ ...options, tenantMigrations: [...tenantMigrations, ...extra] }),
    stop,
  }
}

/** Asks again and again, without a rest of its own. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10))
}

async function untilMigrated(fleet: Fleet): Promise<void> {
  await until(async () => {
    const { behind, runs } = await fleet.migrations.status()
    return behind === 0 && runs.queued + runs.running === 0
  })
}

/** Attempts that failed are tried again at once. */
async function untilQuarantined(fleet: Fleet, database: Database, tenant: string): Promise<void> {
  await until(async () => {
    await database.query("update fleetprompt.deliveries set run_at = now() where run_at > now()")
    const [run] = await fleet.migrations.list({ tenant })
    return run?.status === "failed"
  })
}

/** Resolves when the fleet's worker has read anew what is held back. */
function holdsRead(fleet: Fleet): Promise<void> {
  return new Promise((resolve) => {
    const unlisten = fleet.telemetry.listen({
      steps: ["statement"],
      stop: ({ fields }) => {
        if (!("statement" in fields) || fields.statement !== "selectHolds") return
        unlisten()
        // The poller has it in the next turn.
        setImmediate(resolve)
      },
    })
  })
}

const ran = async (database: Database): Promise<readonly string[]> =>
  (
    await database.query<{ schema: string }>(
      "select schema from public.ran where schema not like '%fleetprompt%' order by schema",
    )
  ).map(({ schema }) => schema)

describe("tenants that are behind", () => {
  test("are migrated after the start, each once, and may be used meanwhile", async () => {
    const { database, start } = await rig(["one", "two", "three"])
    const fleet = await start([next])
    expect((await fleet.tenants.list()).map(({ schemaVersion }) => schemaVersion).includes(LATEST)).toBe(true)
    const emitted = await Promise.all(
      ["one", "two", "three"].map((slug) => fleet.tenant(slug).emit("lead.received", { slug })),
    )
    expect(emitted.map(({ inserted }) => inserted)).toEqual([true, true, true])
    await untilMigrated(fleet)
    expect(await ran(database)).toEqual(['"org_one"', '"org_three"', '"org_two"'])
    expect(await fleet.migrations.status()).toMatchObject({
      latest: NEXT,
      versions: [{ version: NEXT, tenants: 3, quarantined: 0 }],
      runs: { completed: 3, firstTime: 3, failed: 0 },
    })
    expect(await fleet.migrations.list({ tenant: "one" })).toMatchObject([
      { fromVersion: LATEST, toVersion: NEXT, status: "completed", kind: "upgrade", attempt: 1, error: null },
    ])
    expect((await fleet.migrations.list()).every(({ correlationId }) => correlationId !== null)).toBe(true)
  })

  test("wait when a fleet is told not to ask, and are migrated one by one when it is asked to", async () => {
    const { start } = await rig(["one", "two"])
    const fleet = await start([next], { migrations: { auto: false } })
    expect(await fleet.migrations.request({ tenant: "one" })).toBe(1)
    await until(async () => (await fleet.migrations.status()).behind === 1)
    expect((await fleet.tenants.list()).map(({ schemaVersion }) => schemaVersion)).toEqual([NEXT, LATEST])
  })

  test("are migrated by class, those that share a schema together and first", async () => {
    const { start } = await rig([
      "a_standard",
      "b_premium:premium",
      "c_enterprise:enterprise",
      "dd:shared",
      "ee:shared",
    ])
    const fleet = await start([next], { worker: false })
    await until(async () => (await fleet.migrations.status()).runs.queued === 4)
    const migrated: string[] = []
    const other = await start([next], { migrations: { concurrency: 1 } })
    other.telemetry.listen((name, fields) => {
      // The name says which fields.
      if (name === "tenant.migrated") migrated.push((fields as TelemetryEvents["tenant.migrated"]).tenant)
    })
    await untilMigrated(other)
    // Once each, unless a worker stood still for longer than its lease.
    expect([...new Set(migrated)]).toEqual(["*", "c_enterprise", "b_premium", "a_standard"])
    expect(new Set((await fleet.tenants.list()).map(({ schemaVersion }) => schemaVersion))).toEqual(new Set([NEXT]))
  })

  test("whose provisioning was cut short are completed", async () => {
    const { database, start } = await rig(["whole"])
    await database.query(
      `insert into fleetprompt.tenants (slug, schema_name, status, changed_at)
       values ('half', 'org_half', 'provisioning', now() - interval '1 minute')`,
    )
    const fleet = await start([next])
    await untilMigrated(fleet)
    expect(await fleet.migrations.list({ tenant: "half" })).toMatchObject([{ kind: "provision", status: "completed" }])
    await fleet.tenant("half").emit("lead.received", {})
    expect(await ran(database)).toEqual(['"org_half"', '"org_whole"'])
  })

  test("that are being provisioned are left to whoever does that, unless somebody asks for all", async () => {
    const { database, start } = await rig(["whole"])
    const fleet = await start([], { migrations: { auto: false } })
    await database.query(
      "insert into fleetprompt.tenants (slug, schema_name, status) values ('half', 'org_half', 'provisioning')",
    )
    expect(await selectBehind(database, LATEST, undefined, 60_000)).toEqual([])
    expect(await selectIsProvisioning(database, 60_000)).toBe(true)
    expect(await fleet.migrations.request()).toBe(1)
    await untilMigrated(fleet)
    expect(await selectIsProvisioning(database, 60_000)).toBe(false)
  })

  test("that a backup turned back are migrated once more", async () => {
    const { database, start } = await rig(["one"])
    const fleet = await start([next])
    await untilMigrated(fleet)
    await database.script(
      `delete from public.ran; drop table org_one.added; update fleetprompt.tenants set schema_version = ${LATEST} where slug = 'one'`,
    )
    expect(await fleet.migrations.request()).toBe(1)
    await untilMigrated(fleet)
    expect(await fleet.migrations.list({ tenant: "one" })).toMatchObject([{ status: "completed", requests: 2 }])
    expect(await ran(database)).toEqual(['"org_one"'])
  })

  test("are refused where this release cannot work with them, until they are migrated", async () => {
    const tooOld = tenantMigrations.filter(({ version }) => version < tenantFeatures.signals)
    const { start } = await rig(["old"], tooOld)
    const fleet = await start([], { migrations: { auto: false } })
    await expect(fleet.tenant("old").emit("lead.received", {})).rejects.toMatchObject({ code: "tenant_behind" })
    await fleet.migrations.request()
    await untilMigrated(fleet)
    expect(await fleet.tenant("old").emit("lead.received", {})).toMatchObject({ inserted: true })
  })
})

test("two processes migrate each schema once, also when one is stopped half-way", async () => {
  const slugs = Array.from({ length: 12 }, (_, n) => `t_${n}`)
  const { database, start, stop } = await rig(slugs)
  const [one, two] = await Promise.all([start([next]), start([next])])
  await until(async () => (await ran(database)).length >= 3)
  await stop(one)
  await untilMigrated(two)
  expect(await ran(database)).toHaveLength(12)
  expect((await two.migrations.status()).runs).toMatchObject({ completed: 12, failed: 0 })
})

test("a later release goes on where an earlier one stopped, and each request is for its own version", async () => {
  const { database, start, stop } = await rig(["one"])
  const early = await start([next], { worker: false })
  await until(async () => (await early.migrations.status()).runs.queued === 1)
  await stop(early)
  const later = {
    version: NEXT + 1,
    name: "900002_later.sql",
    text: "insert into public.ran values (':schema', 900002);",
  }
  const fleet = await start([next, later])
  await untilMigrated(fleet)
  expect(await database.query("select version from public.ran where schema = '\"org_one\"' order by version")).toEqual([
    { version: NEXT },
    { version: NEXT + 1 },
  ])
  expect(await fleet.migrations.list({ tenant: "one" })).toHaveLength(2)
})

describe("a tenant whose migration fails", () => {
  async function quarantined() {
    const handled: string[] = []
    const handlers = [defineHandler({ name: "note", on: "lead.**", run: ({ tenant }) => void handled.push(tenant) })]
    const { database, start, stop } = await rig(["bad", "good"])
    const fleet = await start([broken], { handlers })
    await untilQuarantined(fleet, database, "bad")
    await holdsRead(fleet)
    return { database, start, stop, fleet, handled, handlers }
  }

  test("is put into quarantine after its attempts: its deliveries wait, all others go on", async () => {
    const { fleet, handled } = await quarantined()
    expect(await fleet.migrations.list({ status: "failed" })).toMatchObject([
      { tenant: "bad", attempt: 5, error: { kind: "statement", details: { migration: next.name, code: "P0001" } } },
    ])
    const [bad, good] = await fleet.tenants.list()
    expect(bad).toMatchObject({ status: "ready", schemaVersion: LATEST, holdsDeliveries: true })
    expect(bad?.quarantineReason).toContain("told by the test")
    expect(good).toMatchObject({ schemaVersion: NEXT, quarantineReason: null })
    await fleet.tenant("bad").emit("lead.received", {})
    const settled = nextEvent(fleet, "delivery.settled", ({ tenant }) => tenant === "good")
    await fleet.tenant("good").emit("lead.received", {})
    await settled
    expect(handled).toEqual(["good"])
    expect(await fleet.tenant("bad").openDeliveries()).toBe(1)
  })

  test("is not asked again by another start, and is retried when somebody says so", async () => {
    const { database, start, stop, fleet, handled, handlers } = await quarantined()
    await fleet.tenant("bad").emit("lead.received", {})
    await stop(fleet)
    const mended = await start([next], { handlers })
    expect(await mended.migrations.request()).toBe(1)
    expect(await mended.migrations.list({ tenant: "bad" })).toMatchObject([{ status: "failed" }])
    const settled = nextEvent(mended, "delivery.settled", ({ handler }) => handler === "note")
    expect(await mended.migrations.retry({ by: "ann" })).toBe(1)
    await settled
    expect(handled).toEqual(["bad"])
    expect(await mended.tenants.list()).toMatchObject([
      { slug: "bad", schemaVersion: NEXT, quarantineReason: null, holdsDeliveries: false },
      { slug: "good" },
    ])
    expect(
      await database.query(
        "select action, resource, actor_id from fleetprompt.audit_intake where tenant = '*' union all select action, resource, actor_id from fleetprompt.audit_log",
      ),
    ).toEqual([{ action: "tenant.migration.retry", resource: "tenant:bad", actor_id: "ann" }])
  })

  test("goes on at its version when it is skipped", async () => {
    const { database, fleet, handled } = await quarantined()
    await fleet.tenant("bad").emit("lead.received", {})
    const settled = nextEvent(fleet, "delivery.settled", ({ handler }) => handler === "note")
    expect(await fleet.migrations.skip("bad")).toBe(true)
    await settled
    expect(handled).toEqual(["bad"])
    expect(await fleet.migrations.skip("bad")).toBe(false)
    expect(await fleet.migrations.list({ tenant: "bad" })).toMatchObject([{ status: "skipped" }])
    expect((await fleet.migrations.status()).behind).toBe(1)
    // The platform's own dead letter was thrown away as part of that, which is one act.
    const noted = ["fleetprompt.audit_intake", "fleetprompt.audit_log", "org_fleetprompt.audit_log"]
    const sql = noted.map((table) => `select action from ${table}`).join(" union all ")
    expect(await database.query(sql)).toEqual([{ action: "tenant.migration.skip" }])
  })
})

test("a process that goes away in each attempt leads to quarantine too", async () => {
  const { database, start, stop } = await rig(["one"])
  const asking = await start([next], { worker: false })
  await until(async () => (await asking.migrations.status()).runs.queued === 1)
  await stop(asking)
  // As if five processes had claimed it and were killed.
  await database.query(
    "update fleetprompt.deliveries set attempt = 5, leased_by = 'gone', leased_until = now() - interval '1 second'",
  )
  await database.query("update fleetprompt.migration_runs set status = 'running', attempt = 5")
  const fleet = await start([next])
  await until(async () => {
    await fleet.migrations.status()
    return (await fleet.tenants.list())[0]?.holdsDeliveries === true
  })
  expect(await fleet.migrations.list()).toMatchObject([{ status: "failed", error: { kind: "other" } }])
  expect(await fleet.migrations.retry()).toBe(1)
  await untilMigrated(fleet)
  expect((await fleet.tenants.list())[0]).toMatchObject({ schemaVersion: NEXT, holdsDeliveries: false })
})

describe("a breaking migration", () => {
  const breaking: Migration = { ...next, text: `-- breaking\n${next.text}` }

  test("waits until it is asked for, and holds up what comes after it", async () => {
    const before = { version: NEXT - 1, name: "900000_before.sql", text: "select 1;" }
    const { start } = await rig(["one"])
    const fleet = await start([before, breaking])
    await until(async () => (await fleet.tenants.list())[0]?.schemaVersion === NEXT - 1)
    expect(await fleet.migrations.request()).toBe(0)
    expect(await fleet.migrations.request({ breaking: true })).toBe(1)
    await untilMigrated(fleet)
    expect((await fleet.tenants.list())[0]).toMatchObject({ schemaVersion: NEXT, breakingVersion: NEXT })
  })

  test("makes processes of the release before leave the tenant alone", async () => {
    const { start } = await rig(["one"])
    const older = await start([], { worker: false })
    const newer = await start([breaking], { migrations: { breaking: true } })
    await older.tenant("one").emit("lead.received", {})
    await untilMigrated(newer)
    await until(() =>
      older
        .tenant("one")
        .emit("lead.received", {})
        .then(
          () => false,
          (error: { code?: string }) => error.code === "tenant_ahead",
        ),
    )
    expect(await newer.tenant("one").emit("lead.received", {})).toMatchObject({ inserted: true })
  })
})

describe("the platform itself", () => {
  test("is no tenant that anybody sees, and nobody's handlers or schedules run for it", async () => {
    const seen = new Set<string>()
    const handlers = [defineHandler({ name: "all", on: "**", run: ({ tenant }) => void seen.add(tenant) })]
    const schedules = [defineSchedule({ name: "tick", cron: "* * * * * *", emit: { type: "tick.came" } })]
    const { start } = await rig(["one"])
    const fleet = await start([next], { handlers, schedules })
    await untilMigrated(fleet)
    await nextEvent(fleet, "schedule.fired")
    await nextEvent(fleet, "delivery.settled", ({ type }) => type === "tick.came")
    expect([...seen]).toEqual(["one"])
    expect((await fleet.tenants.list()).map(({ slug }) => slug)).toEqual(["one"])
    expect(() => fleet.tenant("fleetprompt")).toThrow(expect.objectContaining({ code: "tenant_invalid" }))
    await expect(fleet.tenants.provision("fleetprompt")).rejects.toMatchObject({ code: "tenant_invalid" })
    await expect(fleet.migrations.request({ tenant: "fleetprompt" })).rejects.toMatchObject({ code: "tenant_invalid" })
  })
})

test.runIf(process.env["TEST_DATABASE"] === "server")(
  "a long read holds up neither the tenant's emits nor others, and costs no attempt",
  async () => {
    const { database, start } = await rig(["read", "other"])
    const change = { ...next, text: `alter table :schema.signals add column more text; ${next.text}` }
    let open = (): void => {}
    const closed = new Promise<void>((resolve) => (open = resolve))
    let isReading = (): void => {}
    const reading = new Promise<void>((resolve) => (isReading = resolve))
    const read = database.owner.transaction(async (tx) => {
      await tx.query("select from org_read.signals")
      isReading()
      await closed
    })
    await reading
    const fleet = await start([change])
    const failed = nextEvent(fleet, "tenant.migration_failed")
    await until(async () => (await fleet.migrations.list({ tenant: "other" }))[0]?.status === "completed")
    const slowest = await slowestEmit(fleet, failed)
    expect(await failed).toMatchObject({ tenant: "read", kind: "lock", isQuarantined: false })
    // A try waits for half a second at most, and an emit behind it as long. The rest is for a busy machine.
    expect(slowest).toBeLessThan(6_000)
    open()
    await read
    await until(async () => {
      await database.query("update fleetprompt.deliveries set run_at = now() where run_at > now()")
      return (await fleet.migrations.list({ tenant: "read" }))[0]?.status === "completed"
    })
    expect(await fleet.migrations.list({ tenant: "read" })).toMatchObject([{ attempt: 1 }])
  },
)

/** Emits until something happens; how long the slowest took, milliseconds. */
async function slowestEmit(fleet: Fleet, end: Promise<unknown>): Promise<number> {
  const over = new AbortController()
  void end.then(() => over.abort())
  let slowest = 0
  while (!over.signal.aborted) {
    const startedAt = performance.now()
    await fleet.tenant("read").emit("lead.received", {})
    slowest = Math.max(slowest, performance.now() - startedAt)
  }
  return slowest
}
