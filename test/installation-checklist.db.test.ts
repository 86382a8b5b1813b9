import { afterAll, beforeAll, expect, test } from "vitest"
import { tenantScope } from "../src/store/tenant-scope.ts"
import { withinTenant } from "../src/store/within-tenant.ts"
import { logTo } from "../src/telemetry/log-to.ts"
import { exampleFleet } from "./support/example-rig.ts"
import { testDatabase, type TestDatabase } from "./support/test-database.ts"

/** What docs/reference/installation-checklist.md says and no test nearer to the code shows, with a package of the examples. */
let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** Rows of a table of the tenant's own schema. */
async function rowsOf(slug: string, table: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const scope = tenantScope(slug)
  expect(scope.schema).toBe(`"org_${slug}"`)
  return withinTenant(db.database, scope, (tx) =>
    tx.query<Record<string, unknown>>(`select * from ${scope.schema}.${table} as t order by to_jsonb(t)::text`),
  )
}

test("directive, installation and each signal of the way stand in the tenant's own schema", async () => {
  const { install, tenant } = await exampleFleet(db.database)
  await install("lead-qualification")
  const [directive, ...others] = await rowsOf(tenant.slug, "directives")
  expect(others).toEqual([])
  expect(directive).toMatchObject({ type: "package.install", status: "completed" })
  expect(await rowsOf(tenant.slug, "installations")).toMatchObject([
    { package: "lead-qualification", version: "1.0.0", status: "active" },
  ])
  const types = (await rowsOf(tenant.slug, "signals")).map(({ type }) => type)
  expect(types.toSorted()).toEqual([
    "directive.completed",
    "directive.requested",
    "directive.started",
    "package.install.completed",
    "package.install.requested",
    "package.install.started",
  ])
})

test("an order waits until a worker comes, and goes from requested to completed, its installation from queued to active", async () => {
  const { tenant } = await exampleFleet(db.database, { worker: false })
  const { directive } = await tenant.packages.install({ slug: "lead-qualification" })
  const now = async () => {
    const detail = await tenant.packages.get("lead-qualification")
    return [(await tenant.directives.get(directive.id))?.status, detail?.installation.status, detail?.bindings.length]
  }
  expect(await now()).toEqual(["requested", "queued", 0])
  await exampleFleet(db.database)
  await tenant.directives.wait(directive.id)
  expect(await now()).toEqual(["completed", "active", 1])
})

test("each log line of an order says its tenant, directive, correlation and cause", async () => {
  const { fleet, install, tenant } = await exampleFleet(db.database)
  const lines: Readonly<Record<string, unknown>>[] = []
  const write = (fields: object) => void lines.push({ ...fields })
  fleet.telemetry.listen(logTo({ debug: write, info: write, warn: write, error: write }))
  await install("lead-qualification")
  const [directive] = await rowsOf(tenant.slug, "directives")
  const ofDirective = lines.filter(({ event }) => String(event).startsWith("directive."))
  expect(ofDirective.map(({ event }) => event)).toEqual([
    "directive.requested",
    "directive.started",
    "directive.completed",
  ])
  for (const line of ofDirective)
    expect(line).toMatchObject({
      tenant: tenant.slug,
      directiveId: directive?.["id"],
      type: "package.install",
      correlationId: directive?.["correlation_id"],
      causationId: null,
    })
})

test("a replay runs the handlers of a package again, and no fact is told twice", async () => {
  const { fleet, install, follow, dataOf, tenant } = await exampleFleet(db.database)
  await install("lead-qualification")
  await follow("lead.received", { lead_id: "ada", budget: 500_000, timeline: "immediate", pre_approved: true })
  const before = await rowsOf(tenant.slug, "signals")
  const actor = { id: "anna", role: "admin" } as const
  const { id } = await tenant.replays.start({ filter: { pattern: "lead.received" }, force: true }, { actor })
  await expect.poll(async () => (await tenant.replays.get(id))?.status, { timeout: 60_000 }).toBe("completed")
  await fleet.drain()
  const runs = (await rowsOf(tenant.slug, "attempts")).filter(({ handler }) => handler === "lead-qualification.qualify")
  expect(runs.map(({ outcome }) => outcome)).toEqual(["done", "done"])
  expect(await dataOf("lead.qualified")).toHaveLength(1)
  expect(await rowsOf(tenant.slug, "signals")).toEqual(before)
})
