import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type TestDatabase, testDatabase } from "../../test/support/test-database.ts"
import { placements, storeSignals, tenantOf } from "../../test/support/tenant-rows.ts"
import { asTenant } from "./roles.ts"
import type { TenantScope } from "./tenant-scope.ts"
import { withinTenant } from "./within-tenant.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

describe.each(placements)("tenants with the placement %s", (placement) => {
  async function two(): Promise<readonly [TenantScope, TenantScope]> {
    const [a, b] = [await tenantOf(db.database, placement, "a"), await tenantOf(db.database, placement, "b")]
    await storeSignals(db.database, a, [{ data: "of a" }])
    await storeSignals(db.database, b, [{ data: "of b" }])
    return [a, b]
  }

  test("within one, statements see no other's rows, whatever they say", async () => {
    const [a, b] = await two()
    for (const { schema } of [a, b]) {
      const rows = await withinTenant(db.database, a, (tx) => tx.query(`select tenant, data from ${schema}.signals`))
      expect(rows).toEqual(schema === a.schema ? [{ tenant: a.slug, data: "of a" }] : [])
    }
  })

  test("within one, statements neither add, change nor remove another's rows", async () => {
    const [a, b] = await two()
    const insert = `insert into ${b.schema}.effects (tenant, cause_id, effect_id) values ($1, gen_random_uuid(), gen_random_uuid())`
    await expect(withinTenant(db.database, a, (tx) => tx.query(insert, [b.slug]))).rejects.toMatchObject({
      code: "42501",
    })
    const removed = await withinTenant(db.database, a, (tx) =>
      tx.query(`delete from ${b.schema}.signals where tenant = $1 returning id`, [b.slug]),
    )
    expect(removed).toEqual([])
    const update = `update ${a.schema}.signals set data = '1'`
    await expect(withinTenant(db.database, a, (tx) => tx.query(update))).rejects.toMatchObject({ code: "42501" })
  })

  test("in a transaction of somebody else's the role is taken and put back", async () => {
    const [a] = await two()
    const seen = await db.database.transaction(async (tx) => {
      const role = async (): Promise<unknown> => (await tx.query("select current_setting('role') as role"))[0]
      const before = await role()
      const within = await asTenant(tx, a, async () => [
        await role(),
        await tx.query(`select data from ${a.schema}.signals`),
      ])
      return [before, within, await role()]
    })
    const resting = { role: "none" }
    expect(seen).toEqual([resting, [{ role: "fleetprompt_tenant" }, [{ data: "of a" }]], resting])
  })

  test("several tenants of a schema are read in one hot statement, and no others", async () => {
    const [a, b] = await two()
    const read = (scopes: readonly TenantScope[], { schema }: TenantScope): Promise<readonly object[]> =>
      db.database.hot
        .of(scopes)
        .query(`select tenant from ${schema}.signals where tenant = any($1::text[])`, [[a.slug, b.slug]])
    expect(await read([a], a)).toEqual([{ tenant: a.slug }])
    expect(await read([a], b)).toEqual(placement === "own" ? [] : [{ tenant: a.slug }])
    expect(await read([a, b], b)).toHaveLength(placement === "own" ? 1 : 2)
  })
})
