import { randomBytes } from "node:crypto"
import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet } from "../../test/support/test-fleet.ts"
import { localKeys } from "../credentials/local-keys.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

test("keys are hashed with a secret of the key ring, and outlive its rotation", async () => {
  const [old, next] = [`old:${randomBytes(32).toString("base64")}`, `next:${randomBytes(32).toString("base64")}`]
  const { fleet, tenant } = await testFleet(db.database, { keys: localKeys(old) })
  const { key } = await tenant.apiKeys.create({ name: "k", role: "member", owner: { kind: "host", id: "a" } })
  expect(await fleet.apiKeys.check(key)).toBeDefined()
  const { fleet: rotated } = await testFleet(db.database, { keys: localKeys(`${next},${old}`) })
  expect(await rotated.apiKeys.check(key)).toBeDefined()
})
