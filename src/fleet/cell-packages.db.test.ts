import { afterAll, beforeAll, expect, test } from "vitest"
import { z } from "zod"
import { cellFleet, testCells, type TestCells } from "../../test/support/cell-fleet.ts"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { labels, notingTemplates, publishAll, type Seen, triage, triageNext } from "../../test/support/package-rig.ts"
import { looked, type TestFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { Principal } from "../access/principal.ts"
import { defineDirective } from "../directives/define-directive.ts"
import type { PackageOrdered } from "../packages/installations/tenant-packages.ts"
import type { Database } from "../store/database.ts"
import { countTenantRows } from "../store/tenant-removal.ts"
import type { Tenant } from "../tenants/tenant.ts"
import type { FleetOptions } from "./options.ts"

let cells: TestCells
beforeAll(async () => {
  cells = await testCells()
})
afterAll(() => cells.close())

/** A fleet whose catalogue has the packages of the rig, with a tenant of the running test in a database. */
async function packageFleet(
  cell: "main" | "eu",
  options: FleetOptions = {},
): Promise<TestFleet & Seen & { readonly slug: string }> {
  const seen = notingTemplates()
  const { fleet } = await cellFleet(cells, { ...options, templates: seen.templates })
  await publishAll(fleet, [labels, triage, triageNext])
  const slug = testSlug(cell)
  await fleet.tenants.provision(slug, { cell })
  return { fleet, slug, tenant: fleet.tenant(slug), ...seen }
}

function admin(tenant: string, id: string): { readonly actor: Principal } {
  return { actor: { kind: "user", id, tenant, role: "admin" } }
}

async function done(tenant: Tenant, ordered: Promise<PackageOrdered>): Promise<PackageOrdered> {
  const got = await ordered
  expect(await tenant.directives.wait(got.directive.id)).toMatchObject({ status: "completed", errorMessage: null })
  return got
}

/** Resolves when nothing of a tenant waits any more; other tests' tenants may have something. */
async function isDone(tenant: Tenant): Promise<void> {
  await expect.poll(() => tenant.openDeliveries(), { timeout: 30_000 }).toBe(0)
}

function rowsOf(database: Database, table: string, slug: string): Promise<number> {
  return database.owner.transaction((tx) => countTenantRows(tx, "fleetprompt", table, slug))
}

async function packagesIn(database: Database): Promise<number> {
  return (await database.owner.transaction((tx) => tx.query("select from fleetprompt.packages"))).length
}

test("a tenant in a further database installs, upgrades, switches off, takes back and removes what the first one's catalogue has", async () => {
  const { fleet, slug, tenant, notes } = await packageFleet("eu")
  expect(await tenant.packages.plan({ slug: "triage", version: "1.0.0" })).toMatchObject({ problems: [] })
  const { directive } = await done(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0" }))
  expect(await tenant.directives.trail(directive.id)).toHaveLength(7)
  await tenant.emit("issue.opened", { n: 1 })
  await expect.poll(() => notes, { timeout: 30_000 }).toEqual([`${slug} triage 1.0.0 issue.opened: label bug`])
  expect(await tenant.packages.execute("triage", "add", { a: 1, b: 2 })).toEqual({ sum: 3, by: "bug" })

  await done(tenant, tenant.packages.upgrade({ slug: "triage", version: "1.1.0" }))
  await expect
    .poll(
      async () => {
        await tenant.emit("issue.closed", {})
        return notes
      },
      { timeout: 30_000 },
    )
    .toContain(`${slug} triage 1.1.0 issue.closed: close`)
  await isDone(tenant)

  await done(tenant, tenant.packages.disable("triage"))
  expect(await tenant.packages.get("triage")).toMatchObject({ installation: { status: "paused" } })
  await done(tenant, tenant.packages.enable("triage"))
  await done(tenant, tenant.packages.rollback("triage"))
  expect(await tenant.packages.get("triage")).toMatchObject({ installation: { status: "active", version: "1.0.0" } })

  expect((await fleet.packages.get("triage"))?.versions.map(({ version, installs }) => [version, installs])).toEqual([
    ["1.1.0", 1],
    ["1.0.0", 1],
  ])
  await fleet.packages.review(slug, "triage", { rating: 5, text: "good" })
  expect((await tenant.audit.list()).entries.map(({ action }) => action)).toContain("package.review")
  expect([await packagesIn(cells.main), await packagesIn(cells.eu)]).toEqual([2, 0])
  expect([await rowsOf(cells.main, "bindings", slug), await rowsOf(cells.eu, "bindings", slug)]).toEqual([0, 1])

  await done(tenant, tenant.packages.uninstall("triage"))
  expect(await rowsOf(cells.eu, "bindings", slug)).toBe(0)
  const deleted = await fleet.operations.wait((await fleet.tenants.delete(slug, { delayMs: 0 })).id)
  expect(deleted).toMatchObject({ status: "completed", error: null })
  expect([
    await rowsOf(cells.main, "package_reviews", slug),
    await rowsOf(cells.main, "package_installs", slug),
  ]).toEqual([0, 0])
}, 120_000)

test("a binding of a further database runs in a process that was not told of it, and ends with the package", async () => {
  const { tenant, slug } = await packageFleet("eu", { worker: false })
  const other = notingTemplates()
  const { fleet } = await cellFleet({ main: deaf(cells.main), eu: deaf(cells.eu) }, { templates: other.templates })
  await done(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0" }))
  await expect
    .poll(
      async () => {
        await fleet.tenant(slug).emit("issue.opened", {})
        return other.notes
      },
      { timeout: 30_000 },
    )
    .toContain(`${slug} triage 1.0.0 issue.opened: label bug`)
  await isDone(fleet.tenant(slug))
}, 120_000)

test.each([
  ["main", "eu"],
  ["eu", "main"],
] as const)(
  "what a tenant's packages have run goes along from %s to %s, and each is run once",
  async (from, to) => {
    const { fleet, slug, tenant, notes: all, templates } = await packageFleet(from)
    const { fleet: unheard } = await cellFleet(
      { main: deaf(cells.main), eu: deaf(cells.eu) },
      { templates, worker: false },
    )
    const notes = () => all.filter((note) => note.startsWith(slug))
    const { installationId } = await done(
      tenant,
      tenant.packages.install({ slug: "triage", version: "1.0.0", config: { label: "defect" } }),
    )
    await tenant.pauses.pause({ handler: "triage.label", reason: "for the test" })
    await looked(fleet)
    // The directive is over a moment before its delivery is.
    await isDone(tenant)
    await expect
      .poll(
        async () => {
          await tenant.emit("issue.opened", { n: 0 })
          return tenant.openDeliveries()
        },
        { timeout: 30_000 },
      )
      .toBeGreaterThan(0)
    for (let n = 1; n < 20; n++) await tenant.emit("issue.opened", { n })
    const waiting = await tenant.openDeliveries()
    const before = await tenant.packages.get("triage")

    const moved = await fleet.operations.wait((await fleet.tenants.move(slug, { cell: to })).id)
    expect(moved).toMatchObject({ status: "completed", error: null })
    // A process that heard nothing of the move makes a delivery for the first signal after it.
    await unheard.tenant(slug).emit("issue.opened", { n: 20 })
    expect(await tenant.openDeliveries()).toBe(waiting + 1)
    expect(await tenant.packages.get("triage")).toEqual(before)
    expect(notes()).toEqual([])
    expect(await rowsOf(cells[from], "bindings", slug)).toBe(0)

    await tenant.pauses.resume({ handler: "triage.label" })
    await isDone(tenant)
    const ran = `${slug} triage 1.0.0 issue.opened: label defect`
    expect(notes()).toEqual(Array.from({ length: waiting + 1 }, () => ran))
    await done(tenant, tenant.packages.upgrade({ slug: "triage", version: "1.1.0" }))
    await done(tenant, tenant.packages.rollback("triage"))
    await done(tenant, tenant.packages.uninstall("triage"))
    expect(await tenant.packages.get(installationId)).toMatchObject({ installation: { status: "uninstalled" } })
  },
  120_000,
)

test("deliveries of a package that was removed before the move are cancelled after it", async () => {
  const { fleet, slug, tenant, notes } = await packageFleet("main")
  await done(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0" }))
  await tenant.pauses.pause({ handler: "triage.label", reason: "for the test" })
  await looked(fleet)
  await isDone(tenant)
  await expect
    .poll(
      async () => {
        await tenant.emit("issue.opened", {})
        return tenant.openDeliveries()
      },
      { timeout: 30_000 },
    )
    .toBeGreaterThan(0)
  await done(tenant, tenant.packages.uninstall("triage"))
  const moved = await fleet.operations.wait((await fleet.tenants.move(slug, { cell: "eu" })).id)
  expect(moved).toMatchObject({ status: "completed", error: null })
  await tenant.pauses.resume({ handler: "triage.label" })
  await isDone(tenant)
  expect(notes.filter((note) => note.startsWith(slug))).toEqual([])
}, 120_000)

test("a directive that waits for an approval is approved, and carried out, where its tenant came to", async () => {
  const erase = defineDirective({
    type: "data.erase",
    params: z.object({}),
    approval: true,
    run: async ({ emit }) => void (await emit("data.erased", {})),
  })
  const { fleet, slug, tenant } = await packageFleet("main", { directives: [erase] })
  const { directive } = await tenant.directives.request(erase, {}, admin(slug, "0198c0de-0000-7000-8000-000000000001"))
  const moved = await fleet.operations.wait((await fleet.tenants.move(slug, { cell: "eu" })).id)
  expect(moved).toMatchObject({ status: "completed", error: null })
  await tenant.directives.approve(directive.id, admin(slug, "0198c0de-0000-7000-8000-000000000002"))
  expect(await tenant.directives.wait(directive.id)).toMatchObject({ status: "completed" })
  expect((await tenant.directives.trail(directive.id)).map(({ type }) => type)).toEqual([
    "directive.requested",
    "directive.approved",
    "directive.started",
    "data.erased",
    "directive.completed",
  ])
}, 120_000)

/** A database whose announcements are not heard. */
function deaf(database: Database): Database {
  return { ...interceptDatabase(database, ({ run }) => run()), listen: async () => async () => {} }
}
