import { Kysely, PostgresAdapter, PostgresQueryCompiler } from "kysely"
import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { signInDialect } from "./sign-in-dialect.ts"

interface Tables {
  readonly numbers: { readonly number: number; readonly noted: Date | null }
}

let db: TestDatabase
let kysely: Kysely<Tables>
beforeAll(async () => {
  db = await testDatabase()
  await db.database.script(
    "create schema counting; create table counting.numbers (number integer unique, noted timestamptz)",
  )
  const dialect = signInDialect(db.database, { PostgresAdapter, PostgresQueryCompiler })
  kysely = new Kysely<Tables>({ dialect }).withSchema("counting")
})
afterAll(async () => {
  await kysely.destroy()
  await db.close()
})

async function numbers(): Promise<readonly number[]> {
  const rows = await kysely.selectFrom("numbers").select("number").orderBy("number").execute()
  return rows.map(({ number }) => number)
}

test("what is committed is there, what is rolled back is not, and the connection serves others after both", async () => {
  const noted = new Date("2030-01-02T03:04:05.678Z")
  await kysely.transaction().execute(async (tx) => {
    await tx.insertInto("numbers").values({ number: 1, noted }).execute()
    await tx.insertInto("numbers").values({ number: 2, noted: null }).execute()
  })
  const failure = new Error("of the test")
  const rolledBack = kysely.transaction().execute(async (tx) => {
    await tx.insertInto("numbers").values({ number: 3, noted: null }).execute()
    throw failure
  })
  await expect(rolledBack).rejects.toBe(failure)
  expect(await numbers()).toEqual([1, 2])
  const [row] = await kysely.selectFrom("numbers").select("noted").where("number", "=", 1).execute()
  expect(row?.noted).toEqual(noted)
})

test("a statement that fails takes its transaction along, and says why", async () => {
  const failed = kysely.transaction().execute(async (tx) => {
    await tx.insertInto("numbers").values({ number: 10, noted: null }).execute()
    await tx.insertInto("numbers").values({ number: 10, noted: null }).execute()
  })
  await expect(failed).rejects.toMatchObject({ code: "23505" })
  expect(await numbers()).not.toContain(10)
})

test("changes are counted, with rows answered or without", async () => {
  await kysely
    .insertInto("numbers")
    .values([20, 21, 22].map((number) => ({ number, noted: null })))
    .execute()
  const updated = await kysely
    .updateTable("numbers")
    .set({ noted: new Date() })
    .where("number", ">=", 21)
    .executeTakeFirst()
  expect(updated.numUpdatedRows).toBe(2n)
  const deleted = await kysely.deleteFrom("numbers").where("number", ">=", 20).executeTakeFirst()
  expect(deleted.numDeletedRows).toBe(3n)
  const none = await kysely.deleteFrom("numbers").where("number", ">=", 20).returningAll().execute()
  expect(none).toEqual([])
})
