import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { killedAndTakenOver, operationProcess } from "../../test/support/operation-rig.ts"
import { placements } from "../../test/support/tenant-rows.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import type { Fleet } from "../fleet.ts"
import { newId } from "../signal/id.ts"
import { insertAuditIntake } from "../store/audit-intake.ts"
import { hasSchema } from "../store/tenant-copy.ts"
import { countTenantRows, selectTenantTables } from "../store/tenant-removal.ts"
import { type Placement, SHARED_SCHEMA } from "../store/tenant-scope.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const handlers = [
  defineHandler({
    name: "follow",
    on: "item.**",
    concurrency: { perTenant: 2 },
    run: ({ emit }) => emit("seen.item", {}).then(() => {}),
  }),
  defineHandler({ name: "fails", on: "bad.**", retry: { attempts: 1 }, run: () => Promise.reject(new Error("no")) }),
]

async function filled(fleet: Fleet, more: string, placement: Placement): Promise<string> {
  const slug = testSlug(more)
  await fleet.tenants.provision(slug, { placement })
  const tenant = fleet.tenant(slug)
  for (let n = 0; n < 5; n++) await tenant.emit("item.added", { n })
  await tenant.emit("bad.one", {})
  await tenant.pauses.pause({ handler: "nothing" })
  return slug
}

/** Rows of a tenant that are left, by table, besides what is kept of one that has gone. */
async function left(slug: string): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {}
  for (const schema of ["fleetprompt", SHARED_SCHEMA, `org_${slug}`])
    await db.database.owner.transaction(async (tx) => {
      for (const table of await selectTenantTables(tx, schema)) {
        const count = await countTenantRows(tx, schema, table, slug)
        if (count > 0) found[`${schema}.${table}`] = count
      }
    })
  return found
}

/** Notes an act in the audit log of a tenant that has gone. */
async function noteLate(tenant: string): Promise<string> {
  const id = newId()
  const what = { action: "thing.done", resource: "thing:1", outcome: "done", details: {}, correlationId: null } as const
  const entry = { tenant, id, actorKind: "system", actorId: "test", actorRole: null, ...what }
  await db.database.transaction((tx) => insertAuditIntake(tx, [entry]))
  return id
}

describe.each(placements)("a tenant with %s tables that is to be deleted", (placement) => {
  test("is stopped at once, and is what it was when that is taken back", async () => {
    const { fleet } = await testFleet(db.database, { handlers })
    const slug = await filled(fleet, `back ${placement}`, placement)
    await fleet.drain()
    const counts = await fleet.tenant(slug).counts()
    const operation = await fleet.tenants.delete(slug, { reason: "they left" })
    expect(operation).toMatchObject({ status: "waiting", kind: "delete" })
    expect(operation.dueAt.getTime() - operation.createdAt.getTime()).toBe(30 * 86_400_000)
    expect(await fleet.tenants.get(slug)).toMatchObject({ status: "deleting", statusReason: "they left" })
    await expect(fleet.tenant(slug).emit("item.added", {})).rejects.toMatchObject({ code: "tenant_suspended" })
    await expect(fleet.tenants.provision(slug)).rejects.toMatchObject({ code: "tenant_state" })
    await expect(fleet.tenants.delete(slug)).rejects.toMatchObject({ code: "tenant_state" })
    await expect(fleet.tenants.move(slug, { placement: placement === "own" ? "shared" : "own" })).rejects.toMatchObject(
      { code: "tenant_state" },
    )
    expect(await fleet.tenants.undelete(slug)).toMatchObject({ status: "cancelled" })
    expect(await fleet.tenants.get(slug)).toMatchObject({ status: "ready", deleteAfter: null })
    expect((await fleet.tenant(slug).emit("item.added", {})).inserted).toBe(true)
    expect((await fleet.tenant(slug).counts()).signals).toBeGreaterThan(counts.signals)
    await fleet.drain()
  })

  test("is what it was as well when the operation is cancelled in time", async () => {
    const { fleet } = await testFleet(db.database, { handlers })
    for (const status of ["ready", "suspended"] as const) {
      const slug = await filled(fleet, `cancelled ${status} ${placement}`, placement)
      // What waits for a suspended tenant is never drained.
      await fleet.drain()
      if (status === "suspended") await fleet.operations.wait((await fleet.tenants.suspend(slug)).id)
      const { id } = await fleet.tenants.delete(slug, { reason: "they left" })
      await fleet.operations.cancel(id)
      expect(await fleet.operations.wait(id)).toMatchObject({ status: "cancelled", error: null })
      expect(await fleet.tenants.get(slug)).toMatchObject({ status, statusReason: null, deleteAfter: null })
    }
  })

  test("is gone when its time is over, with all its rows, and no other's; nobody gets its slug for a while", async () => {
    const { fleet } = await testFleet(db.database, { handlers })
    const slug = await filled(fleet, `gone ${placement}`, placement)
    const other = await filled(fleet, `stays ${placement}`, placement)
    await fleet.drain()
    // What waits for its place in the audit log gets it.
    await fleet.tenant(other).audit.verify()
    const before = await left(other)
    const { id } = await fleet.tenants.delete(slug, { delayMs: 1 })
    expect(await fleet.operations.wait(id)).toMatchObject({ status: "completed", error: null })
    expect(await fleet.tenants.get(slug)).toMatchObject({ status: "deleted" })
    const kept = Object.keys(await left(slug)).filter(
      (table) => !/tenant_operations|fleetprompt\.audit|migration_runs/.test(table),
    )
    expect(kept).toEqual([])
    expect(await hasSchema(db.database, `org_${slug}`)).toBe(false)
    expect(await left(other)).toEqual(before)
    await expect(fleet.tenant(slug).emit("item.added", {})).rejects.toMatchObject({ code: "tenant_unknown" })
    await expect(fleet.tenants.provision(slug)).rejects.toMatchObject({ code: "tenant_state" })
    await expect(fleet.tenants.undelete(slug)).rejects.toMatchObject({ code: "tenant_state" })
    const refused = await fleet.tenants.requestProvision(slug)
    expect(await fleet.operations.wait(refused.id)).toMatchObject({ status: "failed", error: { code: "tenant_state" } })
    // When that is over, another may have it, and finds nothing, not even what was noted of the one before at last.
    await db.database.query("update fleetprompt.tenants set free_after = now() where slug = $1", [slug])
    const late = await noteLate(slug)
    await fleet.tenants.provision(slug, { placement })
    expect((await fleet.tenant(slug).counts()).signals).toBe(0)
    expect(JSON.stringify(await fleet.tenant(slug).audit.list({ limit: 500 }))).not.toContain(late)
    expect((await fleet.tenant(slug).emit("item.added", {})).inserted).toBe(true)
    await fleet.drain()
  })

  test("is gone although the process that removes it is killed at any statement", { timeout: 300_000 }, async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    for (let statements = 1; statements < 300; statements += 6) {
      const slug = await filled(fleet, `killed ${placement} ${statements}`, placement)
      const { id } = await operationProcess(db.database).tenants.delete(slug, { delayMs: 0 })
      const { operation, diedAt } = await killedAndTakenOver(db.database, id, statements)
      expect(operation, diedAt).toMatchObject({ status: "completed", error: null })
      expect(
        Object.keys(await left(slug)).filter(
          (table) => !/tenant_operations|fleetprompt\.audit|migration_runs/.test(table),
        ),
      ).toEqual([])
      if (diedAt === undefined) break
    }
  })
})

test("one thing at a time is done to a tenant", async () => {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  const process = operationProcess(db.database)
  await fleet.tenants.provision(testSlug("so that the shared schema is there"), { placement: "shared" })
  const { id } = await process.tenants.move(tenant.slug, { placement: "shared" })
  await expect(process.tenants.delete(tenant.slug)).rejects.toMatchObject({ code: "operation_conflict" })
  await expect(process.tenants.suspend(tenant.slug)).rejects.toMatchObject({ code: "operation_conflict" })
  // What was refused left nothing behind.
  expect(await process.tenants.get(tenant.slug)).toMatchObject({ status: "ready" })
  expect(await process.operations.cancel(id)).toMatchObject({ cancelRequested: true })
  process.work()
  expect(await process.operations.wait(id)).toMatchObject({ status: "cancelled" })
  await process.stop()
  await expect(process.operations.cancel(id)).rejects.toMatchObject({ code: "operation_ended" })
  await expect(process.operations.cancel(crypto.randomUUID())).rejects.toMatchObject({ code: "operation_unknown" })
  await expect(process.operations.wait("nothing")).rejects.toMatchObject({ code: "operation_unknown" })
})
