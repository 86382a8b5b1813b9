import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { startTcpProxy, type TcpProxy } from "../../test/support/tcp-proxy.ts"
import { serverDatabaseUrl, testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { looked, nextEvent, testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import type { Health } from "./health.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** Nobody listens there. */
const NOWHERE = 1

/** A server's database behind a line that can be cut. */
async function lineToServer(): Promise<{ readonly url: string; readonly proxy: TcpProxy; readonly port: number }> {
  const server = new URL(await serverDatabaseUrl())
  const port = Number(server.port)
  const proxy = await startTcpProxy(port)
  onTestFinished(() => proxy.close())
  return { url: Object.assign(server, { port: String(proxy.port) }).href, proxy, port }
}

function away(proxy: TcpProxy): void {
  proxy.leadTo(NOWHERE)
  proxy.cut()
}

function told({ ready, checks }: Health): readonly unknown[] {
  return [ready, checks.filter(({ ok }) => !ok).map(({ name }) => name)]
}

test("a further database that is away at the start comes in as soon as it answers", async () => {
  const { url, proxy, port } = await lineToServer()
  away(proxy)
  const ran: string[] = []
  const handlers = [defineHandler({ name: "work", on: "item.**", run: ({ signal }) => void ran.push(signal.tenant) })]
  const { fleet, tenant } = await testFleet(db.database, { handlers, databases: { eu: { databaseUrl: url } } })
  expect(told(await fleet.health())).toEqual([true, ["database eu"]])
  await tenant.emit("item.added", {})
  await expect(fleet.drain()).rejects.toMatchObject({ code: "database_unreachable" })
  await expect(fleet.tenants.provision(testSlug("eu"), { cell: "eu" })).rejects.toMatchObject({
    code: "database_unreachable",
  })
  proxy.leadTo(port)
  await expect.poll(async () => told(await fleet.health()), { timeout: 60_000 }).toEqual([true, []])
  const slug = testSlug("eu")
  expect(await fleet.tenants.provision(slug, { cell: "eu" })).toMatchObject({ status: "ready", cell: "eu" })
  await fleet.tenant(slug).emit("item.added", {})
  await fleet.drain()
  expect(ran.toSorted()).toEqual([tenant.slug, slug].toSorted())
}, 120_000)

test("while a further database is away its tenants wait, the others go on, and it comes back by itself", async () => {
  const { url, proxy, port } = await lineToServer()
  const ran: string[] = []
  const handlers = [defineHandler({ name: "work", on: "item.**", run: ({ signal }) => void ran.push(signal.id) })]
  const { fleet, tenant } = await testFleet(db.database, { handlers, databases: { eu: { databaseUrl: url } } })
  const slug = testSlug("eu")
  await fleet.tenants.provision(slug, { cell: "eu" })
  const far = fleet.tenant(slug)
  const stored = [(await far.emit("item.added", { n: 1 })).signal.id]
  await fleet.drain()

  away(proxy)
  const waiting = far.emit("item.added", { n: 2 })
  const near = nextEvent(fleet, "delivery.settled", (settled) => settled.tenant === tenant.slug)
  stored.push((await tenant.emit("item.added", { n: 3 })).signal.id)
  await near
  expect(told(await fleet.health())).toEqual([true, ["database eu"]])
  await expect(far.counts()).rejects.toSatisfy(isAway)
  await expect(fleet.pauses.pause({})).rejects.toSatisfy(isAway)
  await fleet.pauses.resume({}).catch(() => undefined)
  expect((await fleet.tenants.list()).filter((each) => [slug, tenant.slug].includes(each.slug))).toMatchObject(
    [
      { slug, cell: "eu", status: "elsewhere" },
      { slug: tenant.slug, cell: null, status: "ready" },
    ].toSorted((one, other) => (one.slug < other.slug ? -1 : 1)),
  )
  expect((await fleet.stats()).pool.total).toBeGreaterThanOrEqual(0)
  expect(await fleet.operations.list({ tenant: tenant.slug })).toEqual([])
  expect((await fleet.migrations.status()).behind).toBe(0)

  proxy.leadTo(port)
  stored.push((await waiting).signal.id)
  await fleet.drain()
  await looked(fleet)
  expect(told(await fleet.health())).toEqual([true, []])
  expect(ran.toSorted()).toEqual(stored.toSorted())
  expect(await fleet.tenants.get(slug)).toMatchObject({ status: "ready", cell: "eu" })
}, 120_000)

test("a fleet stops while one of its further databases is away", async () => {
  const { url, proxy } = await lineToServer()
  const { fleet, tenant } = await testFleet(db.database, { databases: { eu: { databaseUrl: url } } })
  away(proxy)
  await tenant.emit("item.added", {})
  await fleet.stop({ graceMs: 0 })
  expect(told(await fleet.health())).toEqual([false, ["fleet"]])
}, 120_000)

/** Whatever the line's state was when it was asked. */
function isAway(error: unknown): boolean {
  const codes = ["database_unreachable", "database_connection_lost"]
  return error instanceof Error && "code" in error && codes.includes(String(error.code))
}
