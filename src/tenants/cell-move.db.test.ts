import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { cellFleet, testCells, type TestCells } from "../../test/support/cell-fleet.ts"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { failingHandler, workHandler } from "../../test/support/moved-tenant.ts"
import { looked, testSlug } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import type { Fleet } from "../fleet.ts"
import { selectKept } from "../store/kept-placements.ts"
import type { OperationRecord } from "../store/tenant-operations.ts"
import { countTenantRows, selectTenantTables } from "../store/tenant-removal.ts"
import type { Placement } from "../store/tenant-scope.ts"
import { sweepKept } from "./procedures.ts"
import type { Tenant } from "./tenant.ts"

let cells: TestCells
beforeAll(async () => {
  cells = await testCells()
})
afterAll(() => cells.close())

const actor = { kind: "operator", id: "ada" } as const
const ways: readonly (readonly [cell: "main" | "eu", from: Placement, to: Placement])[] = [
  ["main", "own", "own"],
  ["eu", "own", "shared"],
  ["main", "shared", "own"],
  ["eu", "shared", "shared"],
]

function otherOf(cell: "main" | "eu"): "main" | "eu" {
  return cell === "main" ? "eu" : "main"
}

/** Both shared schemas are there, and a tenant that is to be moved. */
async function rig(
  more: string,
  cell: "main" | "eu",
  placement: Placement,
  options: Parameters<typeof cellFleet>[1] = {},
) {
  const { fleet } = await cellFleet(cells, options)
  for (const each of ["main", "eu"])
    await fleet.tenants.provision(testSlug(`${more} ${each}`), { cell: each, placement: "shared" })
  const slug = testSlug(more)
  await fleet.tenants.provision(slug, { cell, placement, class: "premium" })
  return { fleet, slug, tenant: fleet.tenant(slug) }
}

async function moved(fleet: Fleet, slug: string, cell: string, placement?: Placement): Promise<OperationRecord> {
  const { id } = await fleet.tenants.move(slug, { cell, ...(placement && { placement }) })
  return fleet.operations.wait(id)
}

/** All signals in their order. */
async function history(tenant: Tenant): Promise<readonly unknown[]> {
  const all: unknown[] = []
  const { signals } = await tenant.counts()
  if (signals === 0) return []
  for await (const { signal } of tenant.signals.tail()) {
    all.push(signal)
    if (all.length === signals) break
  }
  return all
}

describe.each(ways)("a tenant that comes from %s, %s to the other database, %s", (cell, from, to) => {
  test("has all that it had, in the same order, and works on there", async () => {
    const ran: string[] = []
    const handlers = [workHandler(ran), failingHandler]
    const { fleet, slug, tenant } = await rig(`${cell} ${from} ${to}`, cell, from, { handlers })
    for (let n = 0; n < 30; n++) await tenant.emit("item.added", { n, none: null }, { dedupeKey: `item:${n}` })
    await tenant.emit("bad.one", null)
    await fleet.drain()
    const secret = { provider: "github", account: "a", kind: "api_key", secret: { key: "k".repeat(20) } } as const
    const { id: credential } = await tenant.credentials.create(secret, actor)
    await tenant.audit.append([{ action: "report.download", resource: "report:1", actor, details: { none: null } }])
    await tenant.pauses.pause({ handler: "work", reason: "for the test" })
    await looked(fleet)
    const waiting = await tenant.emit("item.added", { n: 30 })
    const later = await tenant.emit("item.added", { n: 31 })
    const [before, counts] = [await history(tenant), await tenant.counts()]
    const entries = (await tenant.audit.list()).entries.map(({ id }) => id)

    const operation = await moved(fleet, slug, otherOf(cell), to)
    expect(operation).toMatchObject({ status: "completed", error: null })
    const name = otherOf(cell) === "main" ? null : "eu"
    const record = { status: "ready", placement: to, cell: name, class: "premium", holdsDeliveries: false }
    expect(await fleet.tenants.get(slug)).toMatchObject(record)
    expect(await history(tenant)).toEqual(before)
    expect(await tenant.counts()).toEqual(counts)
    expect((await tenant.deadLetters.list()).letters).toHaveLength(1)
    expect((await tenant.credentials.use(credential, actor)).reveal()).toMatchObject(secret.secret)
    expect((await tenant.emit("item.added", { n: 3, none: null }, { dedupeKey: "item:3" })).inserted).toBe(false)
    const since = await tenant.audit.list()
    expect(since.entries.map(({ id }) => id)).toEqual(expect.arrayContaining(entries))
    expect(await tenant.audit.verify()).toMatchObject({ ok: true })

    expect(ran).not.toContain(waiting.signal.id)
    await tenant.pauses.resume({ handler: "work" })
    await fleet.drain()
    expect(ran.filter((id) => id === waiting.signal.id || id === later.signal.id)).toEqual([
      waiting.signal.id,
      later.signal.id,
    ])
    expect(await leftQueue(cells[cell], slug)).toBe(0)

    // And back, over what was kept.
    const again = await history(tenant)
    expect(await moved(fleet, slug, cell, from)).toMatchObject({ status: "completed", error: null })
    expect(await history(tenant)).toEqual(again)
    expect((await tenant.audit.verify()).ok).toBe(true)
    expect((await fleet.tenants.check()).filter(({ id }) => id.includes(slug))).toEqual([])
  })
})

function leftQueue(database: TestCells["main"], slug: string): Promise<number> {
  return database.owner.transaction((tx) => countTenantRows(tx, "fleetprompt", "deliveries", slug))
}

test("loses no emit, stores none twice, and a tail across the move shows each once", async () => {
  const { fleet, slug, tenant } = await rig("live", "main", "own")
  const deaf = (database: TestCells["main"]) => ({
    ...interceptDatabase(database, ({ run }) => run()),
    listen: async () => async () => {},
  })
  const { fleet: other } = await cellFleet({ main: deaf(cells.main), eu: deaf(cells.eu) }, { worker: false })
  const stored: string[] = []
  const over = new AbortController()
  const emitters = [tenant, other.tenant(slug)].map(async (each, who) => {
    for (let n = 0; !over.signal.aborted; n++) {
      const { signal, inserted } = await each.emit("item.added", { n }, { dedupeKey: `${who}:${n}` })
      if (inserted) stored.push(signal.id)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })
  const seen: string[][] = [[], []]
  const end = new AbortController()
  const readers = [tenant, other.tenant(slug)].map(async (each, who) => {
    for await (const { signal } of each.signals.tail({ signal: end.signal })) seen[who]?.push(signal.id)
  })
  for (const cell of ["eu", "main"]) {
    expect(await moved(fleet, slug, cell)).toMatchObject({ status: "completed" })
    const after = stored.length
    while (stored.length < after + 10) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  over.abort()
  await Promise.all(emitters)
  while (seen.some((each) => each.length < stored.length)) await new Promise((resolve) => setTimeout(resolve, 10))
  end.abort()
  await Promise.all(readers)
  for (const each of seen) expect(each.toSorted()).toEqual(stored.toSorted())
  expect((await tenant.counts()).signals).toBe(stored.length)
}, 120_000)

test("a cursor from before is refused, and one from after is good", async () => {
  const { fleet, slug, tenant } = await rig("cursor", "main", "own")
  await tenant.emit("item.added", { n: 1 })
  await tenant.emit("item.added", { n: 2 })
  const first = await tenant.signals.tail().next()
  await moved(fleet, slug, "eu")
  const old = tenant.signals.tail({ from: first.value?.cursor })
  await expect(old.next()).rejects.toMatchObject({ code: "cursor_invalid" })
  const anew = await tenant.signals.tail().next()
  expect(anew.value?.signal).toEqual(first.value?.signal)
  const next = await tenant.signals.tail({ from: anew.value?.cursor }).next()
  expect(next.value?.signal.data).toEqual({ n: 2 })
})

test("is suspended there when it was suspended here", async () => {
  const { fleet, slug, tenant } = await rig("suspended", "eu", "own")
  await fleet.operations.wait((await fleet.tenants.suspend(slug)).id)
  expect(await moved(fleet, slug, "main")).toMatchObject({ status: "completed", error: null })
  expect(await fleet.tenants.get(slug)).toMatchObject({ status: "suspended", cell: null })
  await fleet.operations.wait((await fleet.tenants.resume(slug)).id)
  expect((await tenant.emit("item.added", {})).inserted).toBe(true)
})

test("a tenant with a replay under way is not moved", async () => {
  const handlers = [defineHandler({ name: "work", on: "item.**", run: () => {} })]
  // Without a worker nobody begins it.
  const { fleet, slug, tenant } = await rig("replay", "main", "own", { handlers, worker: false })
  await tenant.emit("item.added", {})
  const { id } = await tenant.replays.start({ filter: {} }, { actor: { id: "ada", role: "operator" } })
  expect(await moved(fleet, slug, "eu")).toMatchObject({ status: "failed", error: { code: "tenant_state" } })
  expect(await fleet.tenants.get(slug)).toMatchObject({ status: "ready", cell: null, holdsDeliveries: false })
  await tenant.replays.cancel(id)
  expect(await moved(fleet, slug, "eu")).toMatchObject({ status: "completed", error: null })
  expect(await tenant.replays.list()).toMatchObject([{ id, status: "cancelled" }])
})

test("what was left is removed when its time is over, also of a tenant that lives elsewhere by then", async () => {
  const { fleet, slug } = await rig("kept", "main", "shared")
  await fleet.tenant(slug).emit("item.added", {})
  const { id } = await fleet.tenants.move(slug, { cell: "eu", keepMs: 0 })
  expect(await fleet.operations.wait(id)).toMatchObject({ status: "completed", error: null })
  await sweepKept(cells.main)
  expect(await selectKept(cells.main, slug)).toEqual([])
  const tables = await selectTenantTables(cells.main, "fleetprompt_shared")
  for (const table of tables)
    expect(await cells.main.owner.transaction((tx) => countTenantRows(tx, "fleetprompt_shared", table, slug))).toBe(0)
  expect((await fleet.tenant(slug).counts()).signals).toBe(1)
})
