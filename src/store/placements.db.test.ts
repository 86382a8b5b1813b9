import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { interceptQueryable } from "../../test/support/intercepted-database.ts"
import { placements, tenantOf } from "../../test/support/tenant-rows.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import { LATEST_TENANT_VERSION, migrateControl } from "./migrate.ts"
import { Placements } from "./placements.ts"
import { changeTenantStatus, insertTenant, markTenantReady, selectTenant, updateTenantClass } from "./tenants.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())
afterEach(() => {
  vi.useRealTimers()
})

const FRESH_MS = 60_000

/** Placements that note each look-up. */
function rig() {
  const lookUps: string[] = []
  const database = interceptQueryable(db.database, ({ name, run }) => {
    lookUps.push(name)
    return run()
  })
  return { placements: new Placements(database), lookUps }
}

describe.each(placements)("a tenant with %s schema", (placement) => {
  test("is found with its schema and class, and asked for once", async () => {
    const scope = await tenantOf(db.database, placement)
    const it = rig()
    expect(it.placements.known(scope.slug)).toBeUndefined()
    expect(await it.placements.find(scope.slug)).toMatchObject({ scope, class: "standard" })
    expect(await it.placements.find(scope.slug)).toBe(it.placements.known(scope.slug))
    expect(it.lookUps).toEqual(["selectTenant"])
  })
})

test("a tenant that was just read need not be asked for", async () => {
  const { slug } = await tenantOf(db.database, "own")
  const record = await selectTenant(db.database, slug)
  const it = rig()
  if (record) it.placements.learn(record)
  expect((await it.placements.find(slug)).scope.slug).toBe(slug)
  expect(it.lookUps).toEqual([])
})

describe("what is known is read anew", () => {
  test("after a minute", async () => {
    const { slug } = await tenantOf(db.database, "own")
    vi.useFakeTimers({ toFake: ["performance"] })
    const it = rig()
    await it.placements.find(slug)
    await updateTenantClass(db.database, slug, "enterprise")
    vi.advanceTimersByTime(FRESH_MS - 1)
    // Nothing was asked for a minute, so it is not trusted, and what has changed is asked for.
    expect(it.placements.known(slug)).toBeUndefined()
    expect((await it.placements.find(slug)).class).toBe("enterprise")
    expect(it.lookUps).toEqual(["selectTenant", "selectChangedTenants"])
  })

  test("within 2 seconds, with one statement for all tenants and none while nobody asks", async () => {
    const [{ slug }, { slug: other }] = [
      await tenantOf(db.database, "own"),
      await tenantOf(db.database, "own", "other"),
    ]
    vi.useFakeTimers({ toFake: ["performance"] })
    const it = rig()
    await it.placements.find(slug)
    await it.placements.find(other)
    await changeTenantStatus(db.database, slug, { from: ["ready"], to: "suspended" })
    vi.advanceTimersByTime(1_999)
    expect(it.lookUps).toEqual(["selectTenant", "selectTenant"])
    // It is asked beside what goes on.
    expect(it.placements.known(other)).toBeDefined()
    await vi.waitFor(() => expect(it.placements.known(slug)).toBeUndefined())
    await expect(it.placements.find(slug)).rejects.toMatchObject({ code: "tenant_suspended" })
    expect((await it.placements.findToRead(slug)).status).toBe("suspended")
    expect(it.lookUps).toEqual(["selectTenant", "selectTenant", "selectChangedTenants"])
    await changeTenantStatus(db.database, slug, { from: ["suspended"], to: "moving" })
    it.placements.doubt()
    expect(it.placements.known(other)).toBeUndefined()
    await expect(it.placements.find(slug)).rejects.toMatchObject({ code: "tenant_moving" })
    await changeTenantStatus(db.database, slug, { from: ["moving"], to: "ready" })
  })

  test("when it was forgotten", async () => {
    const { slug } = await tenantOf(db.database, "own")
    const it = rig()
    await it.placements.find(slug)
    await updateTenantClass(db.database, slug, "premium")
    expect((await it.placements.find(slug)).class).toBe("standard")
    it.placements.forget(slug)
    expect((await it.placements.find(slug)).class).toBe("premium")
    expect(it.lookUps).toHaveLength(2)
  })
})

describe("a tenant that cannot be used", () => {
  test("is refused when it was never made, and asked for again", async () => {
    const it = rig()
    for (const _ of [1, 2]) {
      await expect(it.placements.find("nobody_here")).rejects.toMatchObject({
        code: "tenant_unknown",
        message: expect.stringContaining('provision("nobody_here")'),
      })
    }
    expect(it.lookUps).toHaveLength(2)
    expect(it.placements.known("nobody_here")).toBeUndefined()
  })

  test("is refused until it is complete, and found as soon as it is", async () => {
    const slug = testSlug()
    await insertTenant(db.database, { slug, schemaName: `org_${slug}`, placement: "own", class: "premium" })
    const it = rig()
    await expect(it.placements.find(slug)).rejects.toMatchObject({ code: "tenant_unknown" })
    await markTenantReady(db.database, slug, LATEST_TENANT_VERSION)
    expect((await it.placements.find(slug)).class).toBe("premium")
  })

  test.each(["", "UPPER", 'x"; drop schema public; --', "a".repeat(42), "admin"])(
    "is refused by its slug alone, without a look-up: %j",
    async (slug) => {
      const it = rig()
      await expect(it.placements.find(slug)).rejects.toMatchObject({ code: "tenant_invalid" })
      expect(it.lookUps).toEqual([])
    },
  )
})

test("it remembers 20,000 tenants, those that were read last", async () => {
  const { slug } = await tenantOf(db.database, "own")
  const record = await selectTenant(db.database, slug)
  if (!record) throw new Error("the tenant was just made")
  const it = rig()
  const learn = (n: number): unknown => it.placements.learn({ ...record, slug: `t${n}` })
  for (let n = 0; n < 20_000; n++) learn(n)
  learn(0)
  learn(20_000)
  expect(["t0", "t1", "t2", "t20000"].map((each) => it.placements.known(each) !== undefined)).toEqual([
    true,
    false,
    true,
    true,
  ])
})

test("many callers who ask for a tenant at once share one look-up", async () => {
  const { slug } = await tenantOf(db.database, "own")
  const it = rig()
  await Promise.all(Array.from({ length: 100 }, () => it.placements.find(slug)))
  expect(it.lookUps).toHaveLength(1)
})

test("a look-up on somebody's transaction uses that one", async () => {
  const { slug } = await tenantOf(db.database, "own")
  const it = rig()
  await db.database.transaction(async (tx) => {
    expect((await it.placements.find(slug, tx)).scope.slug).toBe(slug)
  })
  expect(it.lookUps).toEqual([])
})
