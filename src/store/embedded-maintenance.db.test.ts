import { afterAll, beforeAll, expect, test } from "vitest"
import type { Database } from "./database.ts"
import { openEmbeddedDatabase } from "./embedded-database.ts"
import { maintain } from "./embedded-maintenance.ts"

let database: Database
beforeAll(async () => {
  database = await openEmbeddedDatabase({ maintainEveryMs: 2_147_483_647 })
})
afterAll(() => database.close())

async function tables(): Promise<readonly object[]> {
  return database.query(
    `select relname as name, vacuum_count as vacuums, analyze_count as analyses, n_dead_tup as dead
       from pg_stat_user_tables order by relname`,
  )
}

async function walSinceCheckpoint(): Promise<number> {
  const [row] = await database.query<{ bytes: number }>(
    "select pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn)::float8 as bytes from pg_control_checkpoint()",
  )
  return row?.bytes ?? 0
}

test("tables that changed much are vacuumed and analysed, whatever their name, and no others", async () => {
  await database.script(`
    create schema "Odd "" schema";
    create table "Odd "" schema"."busy table" (number integer);
    create table quiet (number integer);
    insert into "Odd "" schema"."busy table" select * from generate_series(1, 1000);
    update "Odd "" schema"."busy table" set number = 0;
    insert into quiet select * from generate_series(1, 100);
  `)
  await maintain(database)
  expect(await tables()).toEqual([
    { name: "busy table", vacuums: 1, analyses: 1, dead: 0 },
    { name: "quiet", vacuums: 0, analyses: 0, dead: 0 },
  ])
  await maintain(database)
  expect(await tables()).toMatchObject([{ vacuums: 1 }, { vacuums: 0 }])
})

test("the space of dead rows is used again, so that a table that is rewritten all the time does not grow", async () => {
  await database.script("create table hot (number integer); insert into hot select * from generate_series(1, 2000)")
  const sizes: number[] = []
  for (let round = 0; round < 6; round += 1) {
    await database.script("update hot set number = number + 1")
    await maintain(database)
    const [row] = await database.query<{ bytes: number }>("select pg_relation_size('hot') as bytes")
    sizes.push(row?.bytes ?? 0)
  }
  expect(sizes.at(-1)).toBe(sizes.at(1))
})

test("a checkpoint is written when the log has grown, so that a killed process starts again soon", async () => {
  await database.script("create table long (text text)")
  while ((await walSinceCheckpoint()) < 70_000_000) {
    await database.script("insert into long select repeat('x', 1000) from generate_series(1, 5000)")
  }
  await maintain(database)
  expect(await walSinceCheckpoint()).toBeLessThan(10_000_000)
})
