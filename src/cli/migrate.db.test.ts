import { afterEach, expect, onTestFinished, test } from "vitest"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import { createFleet } from "../fleet.ts"
import { type Migration, tenantMigrations } from "../store/sql.ts"
import { migrate, type MigrateOptions } from "./migrate.ts"

const NEXT = 900_001
const next: Migration = { version: NEXT, name: "900001_next.sql", text: "create table :schema.added (id integer);" }
const broken: Migration = {
  ...next,
  text: `do $$ begin if ':schema' like '%bad%' then raise exception 'told by the test'; end if; end $$; ${next.text}`,
}
const usual: MigrateOptions = {
  status: false,
  dryRun: false,
  concurrency: 4,
  retryFailed: false,
  breaking: false,
  dataDirectory: "unused",
  json: true,
}

afterEach(() => {
  process.exitCode = undefined
})

/** A database on a server with these tenants at the version of this release. */
async function withTenants(slugs: readonly string[]): Promise<string> {
  const databaseUrl = await serverDatabaseUrl()
  const fleet = createFleet({ databaseUrl, worker: false, retention: false, migrations: { auto: false } })
  await fleet.start()
  for (const slug of slugs) await fleet.tenants.provision(slug)
  await fleet.stop()
  return databaseUrl
}

/** Runs the command; answers what it printed for programs. */
async function run(databaseUrl: string, options: Partial<MigrateOptions>, stop = new AbortController()) {
  const printed: string[] = []
  const progress: string[] = []
  await migrate(
    { ...usual, ...options },
    {
      environment: { databaseUrl, listenUrl: undefined, metricsToken: undefined, githubSecret: undefined },
      terminal: {
        line: () => {},
        progress: (text) => void progress.push(text),
      },
      output: (text) => void printed.push(text),
      stop: stop.signal,
    },
  )
  return { text: printed.join("\n"), progress, json: () => JSON.parse(printed.join("\n")) as Record<string, unknown> }
}

test("tells what it would do, does it, and tells how it stands", async () => {
  const url = await withTenants(["one", "two"])
  const migrations = [...tenantMigrations, next]
  const from = tenantMigrations.at(-1)?.version
  const plan = await run(url, { dryRun: true, migrations })
  expect(plan.json()).toEqual({
    control: [],
    schemas: ["one", "two"].map((tenant) => ({ tenant, from, to: NEXT, migrations: [next.name] })),
  })
  const planned = await run(url, { dryRun: true, migrations, json: false })
  expect(planned.text).toContain("2 schemas would be migrated")
  const done = await run(url, { migrations })
  expect(done.json()).toMatchObject({ latest: NEXT, open: 0, failed: 0, behind: 0, failures: [] })
  const state = await run(url, { status: true, migrations, json: false })
  expect(state.text).toContain("2 of 2, 100 %")
  expect(state.text).toMatch(/completed +2 +2 at the first attempt/)
  const again = await run(url, { migrations, json: false })
  expect(again.text).toBe(`every schema is at version ${NEXT}; nothing to do`)
  expect(process.exitCode).toBeUndefined()
})

test("on a database without anything it tells so, and makes the control schema", async () => {
  const url = await serverDatabaseUrl()
  expect((await run(url, { dryRun: true })).json()).toMatchObject({ schemas: null })
  expect((await run(url, { status: true, json: false })).text).toContain("run fleetprompt migrate")
  expect((await run(url, {})).json()).toMatchObject({ total: 0, failed: 0 })
  expect((await run(url, { dryRun: true, json: false })).text).toBe("every schema is up to date; nothing would be done")
})

test(
  "one that fails is in a table and in the exit code, and is tried again when that is said",
  { timeout: 120_000 },
  async () => {
    const url = await withTenants(["bad", "good"])
    const failed = await run(url, { migrations: [...tenantMigrations, broken], json: false })
    expect(failed.text).toMatch(/bad +\d+ +900001 +5 +statement +.*told by the test/)
    // The good one may be done before they are counted.
    expect(failed.text).toMatch(/\[={28}\] (1 of 1|2 of 2), 100 %/)
    expect(process.exitCode).toBe(1)
    process.exitCode = undefined
    const state = await run(url, { status: true, migrations: [...tenantMigrations, broken], json: false })
    expect(state.text).toContain("1 in quarantine")
    expect(process.exitCode).toBe(1)
    process.exitCode = undefined
    const mended = await run(url, { migrations: [...tenantMigrations, next], retryFailed: true })
    expect(mended.json()).toMatchObject({ failed: 0, behind: 0 })
    expect(process.exitCode).toBeUndefined()
  },
)

test("one tenant alone", async () => {
  const url = await withTenants(["one", "two"])
  const done = await run(url, { tenant: "two", migrations: [...tenantMigrations, next] })
  expect(done.json()).toMatchObject({ failed: 0, behind: 0 })
  const state = await run(url, { status: true, migrations: [...tenantMigrations, next] })
  expect(state.json()).toMatchObject({ migrations: { behind: 1 } })
})

test("stopped half-way it ends in order, and the next goes on", async () => {
  const slugs = Array.from({ length: 16 }, (_, n) => `t_${n}`)
  const url = await withTenants(slugs)
  // Long enough that one look does not find all of them done.
  const slow = { ...next, text: `select pg_sleep(0.4); ${next.text}` }
  const stop = new AbortController()
  let looks = 0
  const migrations = [...tenantMigrations, slow]
  const running = migrate(
    { ...usual, migrations },
    {
      environment: { databaseUrl: url, listenUrl: undefined, metricsToken: undefined, githubSecret: undefined },
      terminal: { line: () => {}, progress: () => void (++looks === 2 && stop.abort()) },
      output: () => {},
      stop: stop.signal,
    },
  )
  onTestFinished(() => stop.abort())
  await running
  expect(process.exitCode).toBe(130)
  const state = await run(url, { status: true, migrations })
  const { behind } = state.json()["migrations"] as { behind: number }
  expect(behind).toBeGreaterThan(0)
  expect(behind).toBeLessThanOrEqual(16)
  process.exitCode = undefined
  expect((await run(url, { migrations })).json()).toMatchObject({ open: 0, failed: 0, behind: 0 })
})
