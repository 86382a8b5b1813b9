import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { failingHandler, workHandler } from "../../test/support/moved-tenant.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { looked, testFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { Fleet } from "../fleet.ts"
import { selectKept } from "../store/kept-placements.ts"
import type { OperationRecord } from "../store/tenant-operations.ts"
import type { Placement } from "../store/tenant-scope.ts"
import type { Tenant } from "./tenant.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const ways: readonly (readonly [Placement, Placement])[] = [
  ["own", "shared"],
  ["shared", "own"],
]

/** Both places are there, and a tenant that is not to be touched has rows at each. */
async function rig(more: string, from: Placement, options: Parameters<typeof testFleet>[1] = {}) {
  const { fleet } = await testFleet(db.database, options)
  const slug = testSlug(more)
  await fleet.tenants.provision(slug, { placement: from })
  for (const placement of ["own", "shared"] as const) {
    const by = testSlug(`${more} ${placement}`)
    await fleet.tenants.provision(by, { placement })
    await fleet.tenant(by).emit("other.one", {})
  }
  return { fleet, slug, tenant: fleet.tenant(slug) }
}

async function moved(fleet: Fleet, slug: string, placement: Placement): Promise<OperationRecord> {
  return fleet.operations.wait((await fleet.tenants.move(slug, { placement })).id)
}

async function history(tenant: Tenant): Promise<readonly unknown[]> {
  const all: unknown[] = []
  const abort = new AbortController()
  const { signals } = await tenant.counts()
  if (signals === 0) return []
  for await (const { signal, cursor } of tenant.signals.tail({ signal: abort.signal })) {
    all.push({ ...signal, cursor })
    if (all.length === signals) break
  }
  return all
}

describe.each(ways)("a tenant that is moved from %s to %s", (from, to) => {
  test("has all that it had, in the same order, and works on; others are not touched", async () => {
    const ran: string[] = []
    const handlers = [workHandler(ran), failingHandler]
    const { fleet, slug, tenant } = await rig(`${from} ${to}`, from, { handlers })
    for (let n = 0; n < 20; n++) await tenant.emit("item.added", { n }, { dedupeKey: `item:${n}` })
    await tenant.emit("bad.one", {})
    await fleet.drain()
    await tenant.pauses.pause({ handler: "work" })
    await looked(fleet)
    const waiting = await tenant.emit("item.added", { n: 20 })
    const [before, counts] = [await history(tenant), await tenant.counts()]
    const operation = await moved(fleet, slug, to)
    expect(operation).toMatchObject({ status: "completed", error: null })
    expect(await fleet.tenants.get(slug)).toMatchObject({ placement: to, status: "ready", holdsDeliveries: false })
    expect(await history(tenant)).toEqual(before)
    expect(await tenant.counts()).toEqual(counts)
    expect((await tenant.deadLetters.list()).letters).toHaveLength(1)
    expect((await tenant.emit("item.added", { n: 3 }, { dedupeKey: "item:3" })).inserted).toBe(false)
    await tenant.pauses.resume({ handler: "work" })
    await fleet.drain()
    expect(ran.filter((id) => id === waiting.signal.id)).toHaveLength(1)
    for (const placement of ["own", "shared"])
      expect((await fleet.tenant(testSlug(`${from} ${to} ${placement}`)).counts()).signals).toBe(1)
    // And back, over the rows that the first move left.
    const again = await history(tenant)
    expect(await moved(fleet, slug, from)).toMatchObject({ status: "completed", error: null })
    expect(await history(tenant)).toEqual(again)
    expect((await selectKept(db.database, slug)).map(({ placement }) => placement)).toEqual([to])
  })

  test("loses no emit, stores none twice, and a tail across the move shows each once", async () => {
    const { fleet, slug, tenant } = await rig(`live ${from} ${to}`, from)
    const deaf = { ...interceptDatabase(db.database, ({ run }) => run()), listen: async () => async () => {} }
    const { fleet: other } = await testFleet(deaf, { worker: false })
    const there = other.tenant(slug)
    const stored: string[] = []
    const over = new AbortController()
    const emitters = [tenant, there].map(async (each, who) => {
      for (let n = 0; !over.signal.aborted; n++) {
        const { signal, inserted } = await each.emit("item.added", { n }, { dedupeKey: `${who}:${n}` })
        if (inserted) stored.push(signal.id)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })
    const seen: string[] = []
    const end = new AbortController()
    const readers = [tenant, there].map(async (each, who) => {
      for await (const { signal } of each.signals.tail({ signal: end.signal })) {
        if (who === 0) seen.push(signal.id)
      }
    })
    const operation = await moved(fleet, slug, to)
    const after = stored.length
    while (stored.length < after + 10) await new Promise((resolve) => setTimeout(resolve, 10))
    over.abort()
    await Promise.all(emitters)
    while (seen.length < stored.length) await new Promise((resolve) => setTimeout(resolve, 10))
    end.abort()
    await Promise.all(readers)
    expect(operation).toMatchObject({ status: "completed" })
    expect(seen.toSorted()).toEqual(stored.toSorted())
    expect((await tenant.counts()).signals).toBe(stored.length)
  })
})
