import { expect, onTestFinished, test } from "vitest"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import { openServerDatabase } from "../store/server-database.ts"
import { checkHealth } from "./health.ts"

async function healthOf(parameters: string) {
  const database = await openServerDatabase({ connectionString: `${await serverDatabaseUrl()}${parameters}` })
  onTestFinished(() => database.close())
  return checkHealth(database, false)
}

test("a database that answers and takes writes is ready", async () => {
  expect(await healthOf("")).toMatchObject({ ready: true, checks: [{ name: "fleet" }, { name: "database", ok: true }] })
})

test("one that takes no writes is not, and says so", async () => {
  const { ready, checks } = await healthOf("?options=-c%20default_transaction_read_only%3Don")
  expect(ready).toBe(false)
  expect(checks[1]).toMatchObject({ name: "database", ok: false, detail: expect.stringContaining("takes no writes") })
})
