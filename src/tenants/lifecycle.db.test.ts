import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { closedGate, interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import type { Placement } from "../store/tenant-scope.ts"
import type { TenantStatus } from "../store/tenants.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const idle = { handlers: [defineHandler({ name: "work", on: "never.**", run: () => {} })] }
const placements: readonly Placement[] = ["own", "shared"]

describe.each(placements)("a tenant with %s tables that is suspended", (placement) => {
  test("refuses emits in every process, also in one that hears nothing, and keeps what it has", async () => {
    const deaf = { ...interceptDatabase(db.database, ({ run }) => run()), listen: async () => async () => {} }
    const { fleet } = await testFleet(db.database, idle)
    const { fleet: other } = await testFleet(deaf, { ...idle, worker: false })
    const slug = testSlug(placement)
    await fleet.tenants.provision(slug, { placement })
    const [here, there] = [fleet.tenant(slug), other.tenant(slug)]
    await here.emit("a.b", { n: 1 })
    await there.emit("a.b", { n: 2 })
    const operation = await fleet.tenants.suspend(slug, { reason: "unpaid" })
    // No moment passes: the other process still knows the tenant as one that may be used.
    for (const tenant of [here, there])
      await expect(tenant.emit("a.b", { n: 3 })).rejects.toMatchObject({ code: "tenant_suspended" })
    await expect(
      there.emitMany([
        { type: "a.b", data: {}, dedupeKey: "1" },
        { type: "a.b", data: {}, dedupeKey: "2" },
      ]),
    ).rejects.toMatchObject({ code: "tenant_suspended" })
    await expect(other.transaction((tx) => there.emit("a.b", {}, { tx }))).rejects.toMatchObject({
      code: "tenant_suspended",
    })
    expect(await fleet.operations.wait(operation.id)).toMatchObject({ status: "completed", kind: "suspend" })
    expect((await here.counts()).signals).toBe(2)
    await fleet.tenants.resume(slug)
    expect((await here.emit("a.b", { n: 4 })).inserted).toBe(true)
    // The one that hears nothing goes by what it knows for 2 seconds at most.
    const resumedAt = performance.now()
    await vi.waitFor(() => there.emit("a.b", { n: 5 }), { timeout: 30_000 })
    expect(performance.now() - resumedAt).toBeLessThan(3_000)
    expect((await here.counts()).signals).toBe(4)
  })

  test("begins no handler; what waits is run when it is resumed, once", async () => {
    const ran: unknown[] = []
    const gate = closedGate()
    const handlers = [
      defineHandler({
        name: "work",
        on: "item.**",
        concurrency: { perTenant: 1 },
        run: async ({ signal }) => {
          ran.push(signal.id)
          if (ran.length === 1) await gate.pass()
        },
      }),
      defineHandler({ name: "plain", on: "later.**", run: ({ signal }) => void ran.push(signal.id) }),
    ]
    const { fleet } = await testFleet(db.database, { handlers })
    const slug = testSlug(placement)
    await fleet.tenants.provision(slug, { placement })
    const tenant = fleet.tenant(slug)
    const first = await tenant.emit("item.added", {})
    await gate.reached
    const second = await tenant.emit("item.added", {})
    const third = await tenant.emit("later.on", {})
    const { id } = await fleet.tenants.suspend(slug)
    const held = ran.length
    gate.open()
    expect(await fleet.operations.wait(id)).toMatchObject({ status: "completed" })
    expect(ran.length).toBeLessThanOrEqual(held + 1)
    const before = ran.length
    // Another tenant's work goes on meanwhile, so the worker does look.
    const otherSlug = testSlug(`${placement} other`)
    await fleet.tenants.provision(otherSlug, { placement })
    for (let n = 0; n < 3; n++) {
      const settled = nextEvent(fleet, "delivery.settled", ({ tenant: whose }) => whose === otherSlug)
      await fleet.tenant(otherSlug).emit("later.on", { n })
      await settled
    }
    expect(ran.slice(before).filter((each) => each === second.signal.id || each === third.signal.id)).toEqual([])
    await fleet.tenants.resume(slug)
    await fleet.drain()
    const mine = [first, second, third].map(({ signal }) => ran.filter((each) => each === signal.id).length)
    expect(mine).toEqual([1, 1, 1])
  })
})

describe("a tenant's status", () => {
  const states: readonly TenantStatus[] = [
    "provisioning",
    "ready",
    "suspended",
    "moving",
    "deleting",
    "deleted",
    "failed",
    "elsewhere",
  ]
  const allowed: Readonly<Record<TenantStatus, readonly TenantStatus[]>> = {
    provisioning: ["ready", "failed", "deleting"],
    ready: ["suspended", "moving", "deleting", "failed"],
    suspended: ["ready", "moving", "deleting", "failed"],
    moving: ["ready", "suspended", "failed", "elsewhere"],
    deleting: ["ready", "suspended", "failed", "provisioning", "deleted"],
    deleted: ["provisioning", "elsewhere"],
    failed: ["ready", "suspended", "provisioning", "deleting"],
    elsewhere: ["ready", "suspended"],
  }

  test.each(states)("that is %s becomes only what may follow, whoever writes it", async (from) => {
    await testFleet(db.database)
    const slug = testSlug("row")
    for (const to of states.filter((each) => each !== from)) {
      const change = db.database.owner.transaction(async (tx) => {
        await tx.query("delete from fleetprompt.tenants where slug = $1", [slug])
        await tx.query(
          `insert into fleetprompt.tenants (slug, schema_name, status, suspended_at, delete_after, deleted_at, cell)
           values ($1, 'org_' || $1, $2, now(), case when $2 = 'deleting' then now() end, case when $2 = 'deleted' then now() end,
             case when $2 = 'elsewhere' then 'eu' end)`,
          [slug, from],
        )
        await tx.query(
          `update fleetprompt.tenants set status = $2, delete_after = case when $2 = 'deleting' then now() end,
             deleted_at = case when $2 = 'deleted' then now() end,
             cell = case when $2 = 'elsewhere' then 'eu' end where slug = $1`,
          [slug, to],
        )
        throw new Error("allowed")
      })
      const expected = allowed[from].includes(to) ? "allowed" : `cannot become ${to}`
      await expect(change, `${from} to ${to}`).rejects.toThrow(expected)
    }
  })

  test("is told when it does not allow something", async () => {
    const { fleet, tenant } = await testFleet(db.database)
    await expect(fleet.tenants.resume(tenant.slug)).rejects.toMatchObject({ code: "tenant_state" })
    await expect(fleet.tenants.undelete(tenant.slug)).rejects.toMatchObject({ code: "tenant_state" })
    await expect(fleet.tenants.suspend("nobody_is_here")).rejects.toMatchObject({ code: "tenant_unknown" })
    await fleet.operations.wait((await fleet.tenants.suspend(tenant.slug)).id)
    await expect(fleet.tenants.suspend(tenant.slug)).rejects.toMatchObject({ code: "tenant_state" })
  })
})

test("another class is known to every process, and in the audit log", async () => {
  const { fleet, tenant } = await testFleet(db.database)
  const by = { kind: "operator", id: "ada" } as const
  expect(await fleet.tenants.setClass(tenant.slug, "premium", { by })).toMatchObject({ class: "premium" })
  expect(await fleet.tenants.get(tenant.slug)).toMatchObject({ class: "premium" })
  await expect(fleet.tenants.setClass(tenant.slug, "golden" as never)).rejects.toMatchObject({ code: "config_invalid" })
})
