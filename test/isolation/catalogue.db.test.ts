import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { checkGaps, checkRoles, checkTables, type WallCheck } from "../../src/store/wall-checks.ts"
import type { TenantScope } from "../../src/store/tenant-scope.ts"
import { testDatabase, type TestDatabase } from "../support/test-database.ts"
import { tenantOf } from "../support/tenant-rows.ts"

let db: TestDatabase
let own: TenantScope
beforeAll(async () => {
  db = await testDatabase()
  own = await tenantOf(db.database, "own")
  await tenantOf(db.database, "shared", "shared")
})
afterAll(() => db.close())

test("every table with a column tenant, in any schema of ours, has a wall that its owner does not pass either", async () => {
  const tables = await db.database.query<{ name: string }>(
    `select pg_class.oid::regclass::text as name from pg_class join pg_attribute on attrelid = pg_class.oid and attname = 'tenant'
     where relkind in ('r', 'p') and relnamespace::regnamespace::text ~ '^(fleetprompt|org_)'`,
  )
  // Those of the first release, in the control schema and in two of tenants.
  expect(tables.length).toBeGreaterThan(5 + 2 * 5)
  const walled = await db.database.query<{ name: string }>(
    `select pg_class.oid::regclass::text as name from pg_class
     where relrowsecurity and relforcerowsecurity and exists (
       select from pg_policy where polrelid = pg_class.oid and polname = 'tenant_rows')`,
  )
  const names = new Set(walled.map(({ name }) => name))
  expect(tables.filter(({ name }) => !names.has(name))).toEqual([])
})

test("a release finds nothing against its own schemas", async () => {
  for (const check of [checkRoles, checkTables, checkGaps]) expect(await check(db.database)).toEqual([])
})

/** What is planted, who finds it, under which name, and whether the advice takes it away again. */
const HOLES: readonly (readonly [string, string, WallCheck, string])[] = [
  ["a table without a wall", "create table :schema.notes (tenant text, note text)", checkTables, "unwalled_table"],
  [
    "a wall that the owner passes",
    "alter table :schema.signals no force row level security",
    checkTables,
    "unwalled_table",
  ],
  [
    "a wall that was taken down",
    "alter table :schema.signals disable row level security",
    checkTables,
    "unwalled_table",
  ],
  ["a table whose policy was dropped", "drop policy tenant_rows on :schema.signals", checkTables, "unwalled_table"],
  [
    "a wall of the control schema",
    "alter table fleetprompt.deliveries no force row level security",
    checkTables,
    "unwalled_table",
  ],
  ["a policy for everybody", "create policy everybody on :schema.signals using (true)", checkGaps, "open_policy"],
  ["a right for everybody", "grant select on :schema.signals to public", checkGaps, "open_right"],
  ["a right to truncate", "grant truncate on :schema.signals to fleetprompt_tenant", checkGaps, "open_right"],
  ["a view", "create view :schema.all_signals as select * from :schema.signals", checkGaps, "view"],
  ["a materialized view", "create materialized view :schema.kept as select * from :schema.signals", checkGaps, "view"],
  [
    "a function with its owner's rights",
    "create function :schema.peek() returns bigint language sql security definer as 'select count(*) from :schema.signals'",
    checkGaps,
    "definer_function",
  ],
]

describe("a planted hole is found, and closed by what the finding says", () => {
  test.each(HOLES)("%s", async (_name, plant, check, setting) => {
    await db.database.script(plant.replaceAll(":schema", own.schema))
    const found = await check(db.database)
    expect(found).toMatchObject([{ setting }])
    for (const { mend } of found) await db.database.script(mend)
    expect(await check(db.database)).toEqual([])
  })
})
