import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { retain } from "../emit/retention.ts"
import type { Fleet } from "../fleet.ts"
import { tenantMigrations } from "../store/sql.ts"
import { tenantFeatures } from "../store/tenant-features.ts"
import { type Placement, tenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import type { Tenant } from "../tenants/tenant.ts"
import { defineDirective } from "./define-directive.ts"

let db: TestDatabase
let folder: string
beforeAll(async () => {
  db = await testDatabase()
  folder = await mkdtemp(join(tmpdir(), "directives-"))
})
afterAll(async () => {
  await db.close()
  await rm(folder, { recursive: true })
})

const thing = defineDirective({
  type: "thing.do",
  params: z.object({ n: z.number() }),
  approval: ({ n }) => n > 10,
  run: async ({ params, step }) => ({ twice: await step("double", () => params.n * 2) }),
})

const ORDERS: readonly (readonly [Placement, Placement])[] = [
  ["own", "shared"],
  ["shared", "own"],
]

/** A tenant with a directive that has ended and one that waits for an approval. */
async function filled(fleet: Fleet, slug: string, placement: Placement) {
  await fleet.tenants.provision(slug, { placement })
  const tenant = fleet.tenant(slug)
  const { directive } = await tenant.directives.request(
    thing,
    { n: 1 },
    { idempotencyKey: "one", plan: { a: [1, null] } },
  )
  const done = await tenant.directives.wait(directive.id)
  const open = await tenant.directives.request(thing, { n: 11 }, { actor: ann(slug) })
  await fleet.drain()
  return { tenant, done, open: open.directive }
}

const ann = (tenant: string) => ({ kind: "host", id: "ann", tenant, role: "owner" }) as const
const bob = (tenant: string) => ({ kind: "host", id: "bob", tenant, role: "owner" }) as const

async function stepsOf(slug: string, placement: Placement): Promise<readonly unknown[]> {
  const scope = tenantScope(slug, placement)
  return withinTenant(db.database, scope, (tx) =>
    tx.query(
      `select directive_id, name, result, attempt, finished_at, undone_at from ${scope.schema}.directive_steps
       where tenant = $1 order by position`,
      [slug],
    ),
  )
}

/** Everything that the doors tell of a tenant's directives. */
async function toldOf({ directives }: Tenant) {
  const { directives: listed } = await directives.list()
  const trails = await Promise.all(listed.map(async ({ id }) => (await directives.trail(id)).map(({ type }) => type)))
  return { listed, trails }
}

describe.each(ORDERS)("from %s to %s", (from, to) => {
  test("an archive takes directives along: they are the same, keep their keys, and go on", async () => {
    const { fleet } = await testFleet(db.database, { directives: [thing] })
    const [slug, copied] = [testSlug("source"), testSlug("copy")]
    const { tenant, done, open } = await filled(fleet, slug, from)
    const file = join(folder, `${slug}.jsonl.gz`)
    const ended = await fleet.operations.wait((await fleet.tenants.export(slug, { file })).id)
    expect(ended).toMatchObject({ status: "completed", error: null })
    const imported = await fleet.tenants.import(copied, { file, placement: to })
    expect(await fleet.operations.wait(imported.id)).toMatchObject({ status: "completed", error: null })
    const copy = fleet.tenant(copied)
    expect(await toldOf(copy)).toEqual(await toldOf(tenant))
    expect(await stepsOf(copied, to)).toEqual(await stepsOf(slug, from))
    expect(await copy.directives.request(thing, { n: 1 }, { idempotencyKey: "one" })).toMatchObject({
      inserted: false,
      directive: { id: done.id, status: "completed" },
    })
    await copy.directives.approve(open.id, { actor: bob(copied) })
    expect(await copy.directives.wait(open.id)).toMatchObject({ status: "completed", result: { twice: 22 } })
    expect(await tenant.directives.get(open.id)).toMatchObject({ status: "requested" })
  })

  test("a move takes directives along, and those that wait run there", async () => {
    const { fleet } = await testFleet(db.database, { directives: [thing] })
    // So that the shared schema is there.
    await fleet.tenants.provision(testSlug("other"), { placement: "shared" })
    const slug = testSlug("moved")
    const { tenant, open } = await filled(fleet, slug, from)
    const before = await toldOf(tenant)
    const { id } = await fleet.tenants.move(slug, { placement: to })
    expect(await fleet.operations.wait(id)).toMatchObject({ status: "completed", error: null })
    expect(await toldOf(tenant)).toEqual(before)
    await tenant.directives.approve(open.id, { actor: bob(slug) })
    expect(await tenant.directives.wait(open.id)).toMatchObject({ status: "completed", result: { twice: 22 } })
    expect(await stepsOf(slug, to)).toHaveLength(2)
  })
})

test("retention leaves the trail of a directive until it has ended", async () => {
  const { fleet } = await testFleet(db.database, { directives: [thing] })
  const slug = testSlug("kept")
  const { tenant, done, open } = await filled(fleet, slug, "own")
  const retained = () =>
    retain(tenantScope(slug), { days: 0, hasDirectives: true }, { database: db.database, telemetry: fleet.telemetry })
  await retained()
  expect(await tenant.directives.trail(done.id)).toEqual([])
  expect((await tenant.directives.trail(open.id)).map(({ type }) => type)).toEqual(["directive.requested"])
  await tenant.directives.cancel(open.id)
  await fleet.drain()
  await retained()
  expect(await tenant.directives.trail(open.id)).toEqual([])
  // The directives themselves are kept.
  expect(await tenant.directives.get(open.id)).toMatchObject({ status: "cancelled" })
})

test("a tenant whose schema is too old for directives is told so, and works on", async () => {
  const older = tenantMigrations.filter(({ version }) => version < tenantFeatures.directives)
  const before = await testFleet(db.database, { tenantMigrations: older, worker: false })
  const slug = testSlug("older")
  await before.fleet.tenants.provision(slug)
  const { fleet } = await testFleet(db.database, { directives: [thing] })
  const tenant = fleet.tenant(slug)
  const requested = tenant.directives.request(thing, { n: 1 })
  await expect(requested).rejects.toMatchObject({
    code: "tenant_behind",
    message: expect.stringContaining("directives"),
  })
  await expect(tenant.directives.list()).rejects.toMatchObject({ code: "tenant_behind" })
  await tenant.emit("thing.happened", {})
  const deps = { database: db.database, telemetry: fleet.telemetry }
  expect(await retain(tenantScope(slug), { days: 0 }, deps)).toMatchObject({ signals: 1 })
})
