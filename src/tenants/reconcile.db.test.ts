import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { SHARED_SCHEMA } from "../store/tenant-scope.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

function asOwner(text: string, values: readonly unknown[] = []): Promise<unknown> {
  return db.database.owner.transaction((tx) => tx.query(text, values))
}

test("what is as it should be is not told", async () => {
  const { fleet, tenant } = await testFleet(db.database)
  await fleet.tenants.provision(testSlug("shared"), { placement: "shared" })
  await tenant.emit("a.b", {})
  await fleet.operations.wait((await fleet.tenants.suspend(tenant.slug)).id)
  expect(await fleet.tenants.check()).toEqual([])
})

test("an orphaned schema is told, and removed only when that is asked for", async () => {
  const { fleet, tenant } = await testFleet(db.database)
  await asOwner(`create schema org_nobody_has_it`)
  const [finding, ...others] = await fleet.tenants.check()
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    id: "orphan_schema:org_nobody_has_it",
    problem: "orphan_schema",
    destroys: true,
    repair: { kind: "drop_schema", schemaName: "org_nobody_has_it" },
  })
  await expect(fleet.tenants.repair("orphan_schema:org_nobody_has_it")).rejects.toMatchObject({ code: "tenant_state" })
  expect(await fleet.tenants.check()).toHaveLength(1)
  await fleet.tenants.repair("orphan_schema:org_nobody_has_it", { destroy: true })
  expect(await fleet.tenants.check()).toEqual([])
  // A tenant's own is none, whatever anybody calls it.
  await expect(fleet.tenants.repair(`orphan_schema:org_${tenant.slug}`, { destroy: true })).rejects.toMatchObject({
    code: "not_found",
  })
})

test("a tenant without its schema, one that is behind, half made or stuck is told, each with what to do", async () => {
  const { fleet } = await testFleet(db.database, { worker: false })
  const slug = (name: string): string => testSlug(name)
  for (const name of ["missing", "behind", "stuck", "held"]) await fleet.tenants.provision(slug(name))
  await fleet.tenant(slug("stuck")).emit("a.b", {})
  await asOwner(`drop schema org_${slug("missing")} cascade`)
  await asOwner(`update fleetprompt.tenants set schema_version = 0 where slug = $1`, [slug("behind")])
  await asOwner(`update fleetprompt.tenants set status = 'moving', status_before = 'ready' where slug = $1`, [
    slug("stuck"),
  ])
  await asOwner(`update fleetprompt.tenants set holds_deliveries = true where slug = $1`, [slug("held")])
  await asOwner(
    `insert into fleetprompt.tenants (slug, schema_name, status, changed_at) values ($1, 'org_' || $1, 'provisioning', now() - interval '1 hour')`,
    [slug("half")],
  )
  const found = await fleet.tenants.check()
  const byTenant = Object.fromEntries(
    found.map(({ id, problem, repair }) => [id.split(":")[1], [problem, repair.kind]]),
  )
  expect(byTenant).toEqual({
    [slug("missing")]: ["missing_schema", "decide"],
    [slug("behind")]: ["behind", "migrate"],
    [slug("stuck")]: ["stuck", "reopen"],
    [slug("held")]: ["stuck", "reopen"],
    [slug("half")]: ["half_provisioned", "provision"],
  })
  for (const name of ["stuck", "held"]) await fleet.tenants.repair(`stuck:${slug(name)}`)
  await fleet.tenants.repair(`half_provisioned:${slug("half")}`)
  for (const name of ["stuck", "held", "half"]) {
    expect(await fleet.tenants.get(slug(name))).toMatchObject({ status: "ready", holdsDeliveries: false })
    expect((await fleet.tenant(slug(name)).emit("a.b", {})).inserted).toBe(true)
  }
  expect((await fleet.tenant(slug("stuck")).counts()).signals).toBe(2)
  await expect(fleet.tenants.repair(`missing_schema:${slug("missing")}`)).rejects.toMatchObject({
    code: "tenant_state",
  })
  await asOwner("delete from fleetprompt.tenants where slug = any ($1::text[])", [[slug("missing"), slug("behind")]])
  await asOwner(`drop schema org_${slug("behind")} cascade`)
})

test("rows of nobody, in the shared tables and in the queue, are told by table and name, and removed only on purpose", async () => {
  const { fleet } = await testFleet(db.database, { worker: false })
  const shared = testSlug("shared")
  await fleet.tenants.provision(shared, { placement: "shared" })
  await fleet.tenant(shared).emit("a.b", {})
  await asOwner(
    `insert into ${SHARED_SCHEMA}.effects (tenant, cause_id, effect_id) values ('ghost', gen_random_uuid(), gen_random_uuid())`,
  )
  await asOwner(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler) values ('ghost', gen_random_uuid(), 'work')`,
  )
  const ids = (await fleet.tenants.check()).map(({ id }) => id)
  expect(ids).toEqual([`stray_rows:${SHARED_SCHEMA}.effects:ghost`, "stray_rows:fleetprompt.deliveries:ghost"])
  for (const id of ids) await fleet.tenants.repair(id, { destroy: true })
  expect(await fleet.tenants.check()).toEqual([])
  expect((await fleet.tenant(shared).counts()).signals).toBe(1)
})

test("a table whose wall is down is told, and raised again", async () => {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  await asOwner(`alter table org_${tenant.slug}.signals no force row level security`)
  const [finding] = await fleet.tenants.check()
  expect(finding).toMatchObject({ problem: "unwalled_table", repair: { kind: "raise_wall" }, destroys: false })
  await fleet.tenants.repair(finding?.id ?? "")
  expect(await fleet.tenants.check()).toEqual([])
})
