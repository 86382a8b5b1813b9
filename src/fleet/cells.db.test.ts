import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { cellFleet, testCells, type TestCells } from "../../test/support/cell-fleet.ts"
import { workHandler } from "../../test/support/moved-tenant.ts"
import { borrowed, testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import { createFleet, type Fleet } from "../fleet.ts"
import type { Database } from "../store/database.ts"
import { hasSchema } from "../store/tenant-copy.ts"
import { selectTenant, type TenantRecord } from "../store/tenants.ts"

let cells: TestCells
beforeAll(async () => {
  cells = await testCells()
})
afterAll(() => cells.close())

const actor = { kind: "operator", id: "ada" } as const

/** A tenant of the running test in the further database. */
async function inEu(fleet: Fleet, more = "eu"): Promise<string> {
  const slug = testSlug(more)
  await fleet.tenants.provision(slug, { cell: "eu" })
  return slug
}

function isIn(database: Database, slug: string): Promise<boolean> {
  return hasSchema(database, `org_${slug}`)
}

describe("a tenant that is made in a further database", () => {
  test("has all its rows there, and works whole: emits, handlers, reads, its queue", async () => {
    const ran: string[] = []
    const handlers = [workHandler(ran)]
    const { fleet, tenant: other } = await cellFleet(cells, { handlers })
    const slug = await inEu(fleet)
    const tenant = fleet.tenant(slug)
    expect(await fleet.tenants.get(slug)).toMatchObject({ slug, cell: "eu", status: "ready", placement: "own" })
    const { signal } = await tenant.emit("item.added", { n: 1 }, { dedupeKey: "one" })
    expect((await tenant.emit("item.added", { n: 1 }, { dedupeKey: "one" })).inserted).toBe(false)
    expect(await tenant.emitMany([{ type: "item.added", data: { n: 2 } }])).toMatchObject([{ inserted: true }])
    await other.emit("item.added", { n: 3 })
    await fleet.drain()
    expect(ran).toHaveLength(3)
    expect(await tenant.counts()).toMatchObject({ signals: 4 })
    const detail = await tenant.signals.get(signal.id, ["internal"])
    expect(detail?.deliveries).toMatchObject([{ handler: "work", status: "done" }])
    expect([await isIn(cells.main, slug), await isIn(cells.eu, slug)]).toEqual([false, true])
    expect([await isIn(cells.main, other.slug), await isIn(cells.eu, other.slug)]).toEqual([true, false])
  })

  test("is listed with its database, and stays there when it is provisioned again", async () => {
    const { fleet } = await cellFleet(cells)
    const slug = await inEu(fleet)
    expect(await fleet.tenants.provision(slug)).toMatchObject({ cell: "eu", status: "ready" })
    const { fleet: again } = await cellFleet(cells)
    expect(await again.tenants.provision(slug, { cell: "main" })).toMatchObject({ cell: "eu" })
    const listed = (await fleet.tenants.list()).filter((each) => each.slug === slug)
    expect(listed).toMatchObject([{ cell: "eu", status: "ready" }])
    const all = await fleet.tenants.list()
    const byPages: TenantRecord[] = []
    for (let page = await fleet.tenants.list({ limit: 1 }); page.length > 0;) {
      byPages.push(...page)
      page = await fleet.tenants.list({ limit: 1, after: page[0]?.slug ?? "" })
    }
    expect(byPages).toEqual(all)
    expect(await isIn(cells.main, slug)).toBe(false)
  })

  test("is suspended, resumed, exported and deleted where it is, with its people in the first database", async () => {
    const { fleet } = await cellFleet(cells)
    const slug = testSlug("org")
    const owner = await fleet.people.create({ email: `${slug}@example.com`, name: "Anna" })
    await fleet.organisations.create({ tenant: slug, name: "Acme", ownerId: owner.id, cell: "eu" })
    const tenant = fleet.tenant(slug)
    const { id } = await fleet.tenants.suspend(slug, { reason: "unpaid" })
    expect(await fleet.operations.wait(id)).toMatchObject({ status: "completed" })
    await expect(tenant.emit("item.added", {})).rejects.toMatchObject({ code: "tenant_suspended" })
    expect((await fleet.operations.list({ tenant: slug })).map(({ kind }) => kind)).toEqual(["suspend"])
    await fleet.operations.wait((await fleet.tenants.resume(slug)).id)
    await tenant.emit("item.added", {})
    expect((await tenant.members.list()).members).toMatchObject([{ role: "owner" }])
    const deleted = await fleet.operations.wait((await fleet.tenants.delete(slug, { delayMs: 0 })).id)
    expect(deleted).toMatchObject({ status: "completed", error: null })
    expect(await fleet.tenants.get(slug)).toMatchObject({ cell: "eu", status: "deleted" })
    expect(await isIn(cells.eu, slug)).toBe(false)
    const people = await cells.main.owner.transaction((tx) =>
      tx.query("select from fleetprompt.memberships where tenant = $1", [slug]),
    )
    expect(people).toHaveLength(0)
  })

  test("has one audit log, with what was done to its people in the first database", async () => {
    const { fleet } = await cellFleet(cells)
    const slug = await inEu(fleet)
    const tenant = fleet.tenant(slug)
    await tenant.audit.append([{ action: "report.download", resource: "report:1", actor }])
    await tenant.serviceAccounts.create({ name: "robot", role: "member" })
    const { entries } = await tenant.audit.list()
    expect(entries.map(({ action }) => action).toSorted()).toEqual(["report.download", "service_account.create"])
    expect(await tenant.audit.verify()).toMatchObject({ ok: true })
    const lines: string[] = []
    for await (const line of tenant.audit.export()) lines.push(line)
    expect(lines).toHaveLength(3)
  })

  test("has API keys that are checked in the first database", async () => {
    const { fleet } = await cellFleet(cells)
    const slug = await inEu(fleet)
    const { id } = await fleet.tenant(slug).serviceAccounts.create({ name: "robot", role: "member" })
    const { key } = await fleet
      .tenant(slug)
      .apiKeys.create({ name: "robot", role: "member", owner: { kind: "service_account", id } })
    expect(await fleet.apiKeys.check(key)).toMatchObject({ tenant: slug })
  })

  test("has credentials that the one key ring of the fleet seals, and counts", async () => {
    const { fleet } = await cellFleet(cells)
    const slug = await inEu(fleet)
    const tenant = fleet.tenant(slug)
    const input = { provider: "github", account: "a", kind: "api_key", secret: { key: "k".repeat(20) } } as const
    const { id } = await tenant.credentials.create(input, actor)
    expect((await tenant.credentials.use(id, actor)).reveal()).toMatchObject(input.secret)
    const { keys } = await fleet.keys.status()
    expect(keys.find(({ isCurrent }) => isCurrent)?.credentials).toBeGreaterThan(0)
  })

  test("takes part in a transaction of its own database, and in no other one", async () => {
    const { fleet } = await cellFleet(cells)
    const slug = await inEu(fleet)
    const tenant = fleet.tenant(slug)
    await fleet.transaction((tx) => tenant.emit("item.added", {}, { tx }), { tenant: slug })
    expect((await tenant.counts()).signals).toBe(1)
    const wrong = fleet.transaction((tx) => tenant.emit("item.added", {}, { tx }))
    await expect(wrong).rejects.toMatchObject({ code: "tenant_elsewhere" })
  })
})

describe("a fleet with a further database", () => {
  test("pauses, counts, migrates and looks after both", async () => {
    const ran: string[] = []
    const handlers = [defineHandler({ name: "work", on: "item.**", run: ({ signal }) => void ran.push(signal.tenant) })]
    const { fleet, tenant } = await cellFleet(cells, { handlers, worker: false })
    const slug = await inEu(fleet)
    await fleet.pauses.pause({ handler: "work", reason: "later" })
    expect(await fleet.pauses.list()).toMatchObject([{ tenant: "*", handler: "work" }])
    for (const each of [tenant, fleet.tenant(slug)]) await each.emit("item.added", {})
    const { queue } = await fleet.stats()
    expect(queue.find(({ handler }) => handler === "work")?.due).toBe(2)
    expect(await fleet.pauses.resume({ handler: "work" })).toBe(true)
    expect(await fleet.pauses.list()).toEqual([])
    expect((await fleet.migrations.status()).behind).toBe(0)
    expect(await fleet.migrations.request({ tenant: slug })).toBe(0)
    const { ready, checks } = await fleet.health()
    expect([ready, checks.map(({ name, ok }) => `${name} ${ok}`)]).toEqual([
      true,
      ["fleet true", "database true", "database eu true"],
    ])
    const { fleet: worker } = await cellFleet(cells, { handlers })
    await worker.drain()
    expect(ran.toSorted()).toEqual([tenant.slug, slug].toSorted())
  })

  test("tells of a tenant that was to be made there and is not, and mends it", async () => {
    const { fleet } = await cellFleet(cells)
    const slug = testSlug("half")
    await cells.main.owner.transaction((tx) =>
      tx.query(
        "insert into fleetprompt.tenants (slug, schema_name, status, cell) values ($1, 'org_' || $1, 'elsewhere', 'eu')",
        [slug],
      ),
    )
    await expect(fleet.tenant(slug).emit("item.added", {})).rejects.toMatchObject({ code: "tenant_unknown" })
    expect(await fleet.tenants.get(slug)).toMatchObject({ status: "provisioning", cell: "eu" })
    const found = (await fleet.tenants.check()).filter(({ id }) => id.endsWith(slug))
    expect(found).toMatchObject([{ problem: "half_provisioned", destroys: false }])
    await fleet.tenants.repair(found[0]?.id ?? "")
    expect(await fleet.tenants.get(slug)).toMatchObject({ status: "ready", cell: "eu" })
  })

  test("starts and works while one is away, and says which", async () => {
    const databases = {
      eu: { database: borrowed(cells.eu) },
      gone: { databaseUrl: "postgres://nobody@127.0.0.1:1/none" },
    }
    const { fleet, tenant } = await testFleet(cells.main, { databases })
    const slug = await inEu(fleet)
    await tenant.emit("item.added", {})
    await fleet.tenant(slug).emit("item.added", {})
    const { ready, checks } = await fleet.health()
    expect([ready, checks.filter(({ ok }) => !ok).map(({ name }) => name)]).toEqual([true, ["database gone"]])
    await expect(fleet.tenants.provision(testSlug("gone"), { cell: "gone" })).rejects.toMatchObject({
      code: "database_unreachable",
    })
    await expect(fleet.pauses.pause({})).rejects.toMatchObject({ code: "database_unreachable" })
  })

  test("refuses a name that is none, and a place that is none", async () => {
    const { fleet } = await cellFleet(cells)
    await expect(fleet.tenants.provision(testSlug("no"), { cell: "us" })).rejects.toMatchObject({
      code: "cell_unknown",
    })
    expect(await selectTenant(cells.main, testSlug("no"))).toBeUndefined()
    for (const databases of [
      { main: { databaseUrl: "postgres://a/b" } },
      { EU: { databaseUrl: "postgres://a/b" } },
      { eu: {} },
    ])
      expect(() => createFleet({ databases })).toThrow(expect.objectContaining({ code: "config_invalid" }))
  })

  test("is told by a process that knows the first database alone where a tenant is", async () => {
    const { fleet } = await cellFleet(cells)
    const slug = await inEu(fleet)
    const { fleet: alone } = await testFleet(cells.main)
    await expect(alone.tenant(slug).emit("item.added", {})).rejects.toMatchObject({ code: "tenant_elsewhere" })
    await expect(alone.tenants.suspend(slug)).rejects.toMatchObject({ code: "tenant_elsewhere" })
    await expect(alone.tenants.setClass(slug, "premium")).rejects.toMatchObject({ code: "tenant_elsewhere" })
  })
})
