import fc from "fast-check"
import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { createFleet, type Fleet, type FleetOptions } from "../../src/fleetprompt.ts"
import { openServerDatabase } from "../../src/store/server-database.ts"
import { checkWalls } from "../../src/store/wall-checks.ts"
import { withinTenant } from "../../src/store/within-tenant.ts"
import { aCall, answerOf, doorsOf } from "./calls.ts"
import { HANDLERS, isolationHandlers, makeSide, type Side } from "./sides.ts"
import { KIT, orderOptions } from "./orders.ts"
import { type Logins, makeLogins } from "./logins.ts"

/* What is promised of logins is a matter of real servers, so this runs on one, whatever the other tests run on. */

const SETUP_MS = 240_000
let logins: Logins
let fleet: Fleet
let sides: readonly Side[]
beforeAll(async () => {
  logins = await makeLogins()
  fleet = createFleet(settings())
  await fleet.start()
  sides = [
    await makeSide(fleet, "own", "marka"),
    await makeSide(fleet, "shared", "markb"),
    await makeSide(fleet, "shared", "markc"),
  ]
}, SETUP_MS)
afterAll(() => fleet.stop({ graceMs: 0 }))

function settings(): FleetOptions {
  return {
    databaseUrl: logins.appUrl,
    ownerUrl: logins.ownerUrl,
    production: true,
    handlers: isolationHandlers(),
    ...orderOptions(),
    retention: false,
    worker: { pollMs: 50 },
  }
}

async function connected(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString })
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

/** Tables that hold rows of tenants, as an administrator sees them. */
async function tables(): Promise<readonly string[]> {
  const admin = await connected(logins.adminUrl)
  const { rows } = await admin.query<{ name: string }>(
    `select pg_class.oid::regclass::text as name from pg_class join pg_attribute on attrelid = pg_class.oid and attname = 'tenant'
     where relkind = 'r' and relnamespace::regnamespace::text ~ '^(fleetprompt|org_)'`,
  )
  return rows.map(({ name }) => name)
}

test("a fleet runs in production with a login that owns nothing", async () => {
  const [a] = sides
  expect((await a?.tenant.counts())?.signals).toBeGreaterThan(5)
  const letters = (await a?.tenant.deadLetters.list())?.letters ?? []
  expect(letters.map(({ handler }) => handler).toSorted()).toEqual([`${KIT}.tell`, HANDLERS[0]].toSorted())
  const { database, close } = await asApp()
  expect(await checkWalls(database)).toEqual([])
  await close()
})

test("every door works so: none asks for a right that the roles do not have", async () => {
  for (const side of sides) {
    const doors = new Map(doorsOf(side.tenant).map((door) => [door.name, door]))
    const refused = new Set<string>()
    for (const { name, args } of fc.sample(aCall([...doors.keys()], side), { numRuns: 200, seed: 1 })) {
      const door = doors.get(name)
      const answer = door ? await answerOf(door, args) : ""
      const denied = /permission denied[^\n]*|new row violates row-level security[^\n]*/.exec(answer)
      if (denied) refused.add(`${name}: ${denied[0]}`)
    }
    expect([...refused]).toEqual([])
  }
})

async function asApp() {
  const database = await openServerDatabase({ connectionString: logins.appUrl, role: "engine" })
  return { database, close: () => database.close() }
}

test("the owner of the tables sees no tenant's rows without saying that it migrates", async () => {
  const owner = await connected(logins.ownerUrl)
  for (const { scope } of sides) {
    expect((await owner.query(`select * from ${scope.schema}.signals`)).rows).toEqual([])
    await owner.query("begin; set local fleetprompt.owner = 'on'")
    expect((await owner.query(`select * from ${scope.schema}.signals`)).rows.length).toBeGreaterThan(0)
    await owner.query("rollback")
  }
})

describe("raw SQL", () => {
  test("as the login itself reads no table", async () => {
    const app = await connected(logins.appUrl)
    for (const table of await tables())
      await expect(app.query(`select * from ${table}`), table).rejects.toMatchObject({ code: "42501" })
  })

  test("as the engine reads no content, and of what it must compare no other column", async () => {
    const app = await connected(logins.appUrl)
    await app.query("set role fleetprompt_engine")
    // The heads of audit logs are hashes.
    for (const table of (await tables()).filter((name) => !/^fleetprompt\.|\.audit_heads$/.test(name)))
      await expect(app.query(`select * from ${table}`), table).rejects.toMatchObject({ code: "42501" })
    for (const { scope } of sides) {
      for (const [table, column] of [
        ["signals", "data"],
        ["signals", "metadata"],
        ["attempts", "error"],
        ["dead_letters", "error"],
      ])
        await expect(app.query(`select ${column} from ${scope.schema}.${table}`)).rejects.toMatchObject({
          code: "42501",
        })
      await expect(app.query(`update ${scope.schema}.signals set data = '1'`)).rejects.toMatchObject({ code: "42501" })
      await expect(app.query(`delete from ${scope.schema}.signals`)).rejects.toMatchObject({ code: "42501" })
      await expect(app.query(`truncate ${scope.schema}.effects`)).rejects.toMatchObject({ code: "42501" })
    }
  })

  test("as a tenant reads that tenant's rows and no others, in any table", async () => {
    const app = await connected(logins.appUrl)
    for (const side of sides) {
      await app.query(`begin; set local role fleetprompt_tenant; set local fleetprompt.tenants = '${side.scope.slug}'`)
      for (const table of await tables()) {
        await app.query("savepoint here")
        const rows = await app.query(`select tenant, found::text as row from ${table} as found`).then(
          (answer) => answer.rows as readonly { tenant: string; row: string }[],
          (error: { code: string }) => {
            expect(error.code, table).toBe("42501")
            return []
          },
        )
        await app.query("rollback to here")
        expect(
          rows.filter(({ tenant }) => tenant !== side.scope.slug),
          table,
        ).toEqual([])
        for (const other of sides) if (other !== side) expect(JSON.stringify(rows)).not.toContain(other.marker)
      }
      await app.query("rollback")
    }
  })

  test("as a tenant without a name, or with one that is none, reads nothing", async () => {
    const app = await connected(logins.appUrl)
    await app.query("set role fleetprompt_tenant")
    for (const named of ["", "*", "%", "nobody", `${sides[1]?.scope.slug} `]) {
      await app.query(`set fleetprompt.tenants = '${named}'`)
      for (const { scope } of sides) expect((await app.query(`select * from ${scope.schema}.signals`)).rows).toEqual([])
    }
  })

  test("the catalogue's views show no content: statistics, plans, other sessions' statements", async () => {
    const admin = await connected(logins.adminUrl)
    await admin.query("analyze")
    const app = await connected(logins.appUrl)
    for (const role of ["none", "fleetprompt_engine", "fleetprompt_tenant"]) {
      await app.query(`set role ${role}`)
      for (const view of ["pg_stats", "pg_stat_activity", "pg_stats_ext", "pg_prepared_statements", "pg_settings"]) {
        const { rows } = await app.query(`select v::text as row from ${view} as v`)
        for (const { marker } of sides) expect(JSON.stringify(rows), `${view} as ${role}`).not.toContain(marker)
      }
    }
  })

  test("a login that is no member is told so, and its transaction stays usable", async () => {
    const [a] = sides
    const admin = await connected(logins.adminUrl)
    const name = `stranger_${a?.scope.slug}`
    await admin.query(`create role ${name} login password 'x'`)
    const stranger = await connected(Object.assign(new URL(logins.adminUrl), { username: name, password: "x" }).href)
    await stranger.query("begin")
    await expect(a?.tenant.emit("thing.happened", {}, { tx: stranger })).rejects.toMatchObject({
      code: "transaction_unsupported",
      message: expect.stringContaining("fleetprompt_tenant"),
    })
    expect((await stranger.query("select 1 as one")).rows).toEqual([{ one: 1 }])
    await stranger.query("rollback")
  })

  test("a transaction of the application's own login emits, and is its own again", async () => {
    const [a] = sides
    const app = await connected(logins.appUrl)
    await app.query("begin; set local search_path = public")
    await a?.tenant.emit("thing.joined", {}, { tx: app })
    const { rows } = await app.query(
      "select current_user = session_user as is_itself, current_setting('search_path') as path, current_setting('fleetprompt.tenants', true) as tenants",
    )
    expect(rows).toEqual([{ is_itself: true, path: "public", tenants: "" }])
    await app.query("commit")
  })
})

describe("a session that was left in a bad state", () => {
  const POISON: readonly string[] = [
    "set role fleetprompt_tenant",
    "set session fleetprompt.tenants = 'everybody'",
    "set search_path = nowhere",
    "commit; set role fleetprompt_engine; begin",
    "set default_transaction_read_only = on",
    "create temporary table signals (id uuid)",
    "select pg_advisory_lock(1)",
  ]

  test.each(POISON)("by `%s` gives nothing to whoever comes next", async (poison) => {
    const own = createFleet({ ...settings(), maxConnections: 1, worker: false })
    await own.start()
    onTestFinished(() => own.stop({ graceMs: 0 }))
    const [a, b] = [sides[1], sides[2]]
    if (!a || !b) throw new Error("there are three sides")
    await own.transaction((tx) => tx.script(poison)).catch(() => undefined)
    const list = await own.tenant(a.scope.slug).signals.list({ limit: 500, visibilities: ["internal", "admin_only"] })
    expect(list.signals.map(({ id }) => id)).toEqual(expect.arrayContaining([a.ids[0]]))
    for (const id of b.ids) expect(JSON.stringify(list)).not.toContain(id)
    await own.transaction(async (tx) => {
      expect(await tx.query("select current_user = session_user as is_itself")).toEqual([{ is_itself: true }])
    })
  })

  test("an error, a cancelled statement and an ended session within a tenant's transaction leave nothing behind", async () => {
    const [a, b] = [sides[1], sides[2]]
    if (!a || !b) throw new Error("there are three sides")
    const database = await openServerDatabase({ connectionString: logins.appUrl, role: "engine", maxConnections: 1 })
    onTestFinished(() => database.close())
    const admin = await connected(logins.adminUrl)
    const endings: readonly ((pid: unknown) => Promise<unknown>)[] = [
      () => Promise.reject(new Error("thrown")),
      (pid) => admin.query("select pg_cancel_backend($1)", [pid]),
      (pid) => admin.query("select pg_terminate_backend($1)", [pid]),
    ]
    for (const end of endings) {
      const failed = withinTenant(database, b.scope, async (tx) => {
        const [row] = await tx.query<{ pid: number }>("select pg_backend_pid() as pid")
        await Promise.all([tx.query("select pg_sleep(20)"), end(row?.pid)])
      })
      await expect(failed).rejects.toThrow()
      const [after] = await database.query<object>(
        "select current_user::text as who, coalesce(current_setting('fleetprompt.tenants', true), '') as tenants",
      )
      expect(after).toEqual({ who: "fleetprompt_engine", tenants: "" })
      const rows = await withinTenant(database, a.scope, (tx) =>
        tx.query(`select tenant from ${a.scope.schema}.signals`),
      )
      expect(new Set(rows.map((row) => Reflect.get(row, "tenant")))).toEqual(new Set([a.scope.slug]))
    }
  })
})

describe("in production a fleet does not start", () => {
  test("as a superuser, and says what to do", async () => {
    const unsafe = createFleet({ databaseUrl: logins.adminUrl, production: true })
    await expect(unsafe.start()).rejects.toMatchObject({
      code: "database_unsafe",
      message: expect.stringMatching(/superuser[\s\S]*create role app login noinherit/),
    })
  })

  test("as the owner of the tables", async () => {
    const unsafe = createFleet({ databaseUrl: logins.ownerUrl, production: true })
    await expect(unsafe.start()).rejects.toMatchObject({
      code: "database_unsafe",
      message: expect.stringContaining("owner "),
    })
  })

  test("where one table has no wall", async () => {
    const admin = await connected(logins.adminUrl)
    await admin.query("create table fleetprompt.notes (tenant text)")
    onTestFinished(async () => void (await admin.query("drop table fleetprompt.notes")))
    const unsafe = createFleet(settings())
    await expect(unsafe.start()).rejects.toMatchObject({
      code: "database_unsafe",
      message: expect.stringContaining("select fleetprompt.raise_wall('fleetprompt.notes');"),
    })
  })

  test("elsewhere it starts, and tells", async () => {
    const told: string[] = []
    const lax = createFleet({ databaseUrl: logins.adminUrl, production: false, worker: false, retention: false })
    lax.telemetry.listen(
      (name, fields) => void (name === "database.risk" && "setting" in fields && told.push(fields.setting)),
    )
    await lax.start()
    await lax.stop()
    expect(told).toContain("superuser")
  })
})
