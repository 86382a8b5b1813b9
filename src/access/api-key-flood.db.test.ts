import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testPepper, withTestKeys } from "../../test/support/test-keys.ts"
import { testFleet } from "../../test/support/test-fleet.ts"
import { ApiKeyChecker } from "./api-key-checker.ts"
import { makeApiKey } from "./api-key-text.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const host = { kind: "host", id: "person-1" } as const

interface Checked {
  readonly checker: ApiKeyChecker
  /** How often a statement ran. */
  readonly count: (statement: string) => number
}

async function countedChecker(maxRemembered: number, peppers: readonly string[] = ["test"]): Promise<Checked> {
  const names: string[] = []
  const engine = interceptDatabase(db.database, ({ name, run }) => {
    names.push(name)
    return run()
  }).hot
  const checker = new ApiKeyChecker({
    engine,
    peppers: async () => peppers.map(testPepper),
    environment: "test",
    maxRemembered,
    onError: (error) => {
      throw error
    },
  })
  await checker.start()
  return { checker, count: (statement) => names.filter((name) => name === statement).length }
}

describe("a flood", () => {
  test("of 10,000 unknown keys costs few statements and no memory, and known keys go on", async () => {
    const { tenant } = await testFleet(db.database, withTestKeys())
    const { key } = await tenant.apiKeys.create({ name: "k", role: "member", owner: host })
    const { checker, count } = await countedChecker(1_000)
    expect(await checker.check(key)).toBeDefined()
    const unknown = Array.from({ length: 10_000 }, () => makeApiKey("test").text)
    const checks = unknown.map((text) => checker.check(text))
    expect(await checker.check(key)).toBeDefined()
    const answers = await Promise.allSettled(checks)
    expect(answers.every((each) => each.status === "fulfilled" && each.value === undefined)).toBe(true)
    expect(count("selectKeysToCheck")).toBeLessThanOrEqual(25)
    expect(checker.remembered).toBeLessThanOrEqual(2_000)
    expect(await checker.check(key)).toBeDefined()
    await checker.stop()
  })

  test("of one unknown key asks once", async () => {
    const { checker, count } = await countedChecker(1_000)
    const { text } = makeApiKey("test")
    for (let n = 0; n < 200; n++) expect(await checker.check(text)).toBeUndefined()
    await Promise.all(Array.from({ length: 200 }, () => checker.check(text)))
    expect(count("selectKeysToCheck")).toBe(1)
    await checker.stop()
  })

  test("of wrong secrets for a known id asks nobody, and does not lock the key out", async () => {
    const { tenant } = await testFleet(db.database, withTestKeys())
    const { key, record } = await tenant.apiKeys.create({ name: "k", role: "member", owner: host })
    const { checker, count } = await countedChecker(1_000)
    expect(await checker.check(key)).toBeDefined()
    const before = count("selectKeysToCheck")
    for (let n = 0; n < 500; n++)
      expect(await checker.check(makeApiKey("test").text.replace(/_[^_]{16}_/, `_${record.id}_`))).toBeUndefined()
    expect(await checker.check(key)).toBeDefined()
    expect(count("selectKeysToCheck") - before).toBeLessThanOrEqual(1)
    await checker.stop()
  })

  test("beyond what may wait is refused rather than queued without end", async () => {
    const { checker } = await countedChecker(1_000)
    const answers = await Promise.allSettled(
      Array.from({ length: 11_000 }, () => checker.check(makeApiKey("test").text)),
    )
    const refused = answers.filter((each) => each.status === "rejected")
    expect(refused).toHaveLength(1_000)
    for (const each of refused) expect(each.reason).toMatchObject({ code: "database_busy" })
    await checker.stop()
  })

  test("of more keys than are remembered is answered rightly", async () => {
    const { tenant } = await testFleet(db.database, withTestKeys())
    const keys: string[] = []
    for (let n = 0; n < 30; n++)
      keys.push((await tenant.apiKeys.create({ name: `k${n}`, role: "member", owner: host })).key)
    const { checker } = await countedChecker(10)
    for (let round = 0; round < 3; round++)
      expect((await Promise.all(keys.map((key) => checker.check(key)))).every(Boolean)).toBe(true)
    expect(checker.remembered).toBeLessThanOrEqual(20)
    await checker.stop()
  })
})

describe("the last use", () => {
  test("is written once a minute at most, whichever process says it, in one statement for all", async () => {
    const { tenant } = await testFleet(db.database, withTestKeys())
    const made = []
    for (let n = 0; n < 5; n++) made.push(await tenant.apiKeys.create({ name: `k${n}`, role: "member", owner: host }))
    const [one, two] = [await countedChecker(100), await countedChecker(100)]
    for (let n = 0; n < 100; n++) for (const { key } of made) await one.checker.check(key, "192.0.2.1")
    await one.checker.flushed()
    expect(one.count("updateKeyUses")).toBe(1)
    const first = await tenant.apiKeys.list()
    expect(first.every(({ lastUsedFrom }) => lastUsedFrom === "192.0.2.1")).toBe(true)
    for (const { key } of made) await two.checker.check(key, "192.0.2.2")
    await two.checker.flushed()
    expect(await tenant.apiKeys.list()).toEqual(first)
    await one.checker.stop()
    await two.checker.stop()
  })

  test("of a key that was made with an older pepper gives it the new one", async () => {
    const { tenant } = await testFleet(db.database, withTestKeys("old"))
    const { key } = await tenant.apiKeys.create({ name: "k", role: "member", owner: host })
    const without = await countedChecker(100, ["new"])
    expect(await without.checker.check(key)).toBeUndefined()
    const during = await countedChecker(100, ["new", "old"])
    expect(await during.checker.check(key)).toBeDefined()
    expect(await during.checker.check(key)).toBeDefined()
    await during.checker.flushed()
    const after = await countedChecker(100, ["new"])
    expect(await after.checker.check(key)).toBeDefined()
    for (const { checker } of [without, during, after]) await checker.stop()
  })
})
