import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { Telemetry } from "../telemetry/telemetry.ts"
import { observeDatabase, statementName } from "./observed-database.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

test("each statement is a step, wherever it runs", async () => {
  const telemetry = new Telemetry()
  const database = observeDatabase(db.database, telemetry)
  const heard: string[] = []
  telemetry.listen({
    stop: ({ name, fields }) => heard.push(`${name} ${"statement" in fields ? fields.statement : ""}`),
    error: ({ name }) => heard.push(`${name} failed`),
  })
  expect(await database.query("/* selectOne */ select $1::int as one", [1])).toEqual([{ one: 1 }])
  await database.hot.query("/* selectHot */ select 1")
  await database.script("select 1; select 2")
  const inside = await database.transaction(async (tx) => {
    await tx.script("/* createTable */ create temporary table observed (one int) on commit drop")
    await tx.query("/* insertOne */ insert into observed values ($1)", [1])
    return tx.query("/* selectAll */ select one from observed")
  })
  expect(inside).toEqual([{ one: 1 }])
  await expect(database.query("/* selectNothing */ select from nowhere")).rejects.toThrow("nowhere")
  expect(heard).toEqual([
    "statement selectOne",
    "statement selectHot",
    "statement other",
    "statement createTable",
    "statement insertOne",
    "statement selectAll",
    "statement failed",
  ])
})

test("the rest is as the database has it", async () => {
  const database = observeDatabase(db.database, new Telemetry())
  expect(database.kind).toBe(db.database.kind)
  expect(database.hears).toBe(db.database.hears)
  expect(database.poolUse()).toEqual({ total: expect.any(Number), idle: expect.any(Number), waiting: 0 })
  const heard: string[] = []
  const unlisten = await database.listen("observed", { onMessage: (it) => heard.push(it), onGap: () => {} })
  await database.query("select pg_notify('observed', 'hello')")
  await vi.waitUntil(() => heard.length > 0)
  await unlisten()
  expect(heard).toEqual(["hello"])
  await expect(database.transaction(() => Promise.reject(new Error("mine")))).rejects.toThrow("mine")
})

test.each([
  ["/* claimDeliveries */ with due as (select 1)", "claimDeliveries"],
  ["\n  /*claim*/select 1", "claim"],
  ["/* two words */ select 1", "other"],
  ["select 1 /* later */", "other"],
  [`/* ${"a".repeat(64)} */ select 1`, "other"],
  ["", "other"],
])("the name of %j", (text, name) => {
  expect(statementName(text)).toBe(name)
})
