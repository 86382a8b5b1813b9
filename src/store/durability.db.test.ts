import { Client } from "pg"
import { expect, onTestFinished, test } from "vitest"
import { startPostgresCluster } from "../../test/support/postgres-cluster.ts"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import { checkDurability } from "./durability.ts"
import { openServerDatabase } from "./server-database.ts"

async function risksAt(connectionString: string): Promise<readonly string[]> {
  const database = await openServerDatabase({ connectionString })
  try {
    return (await checkDurability(database)).map(({ setting, value }) => `${setting}=${value}`)
  } finally {
    await database.close()
  }
}

test("a server with its usual settings is no risk", async () => {
  expect(await risksAt(await serverDatabaseUrl())).toEqual([])
})

test("each setting that may lose what was acknowledged is told, with what to do", async () => {
  const settings = { fsync: "off", full_page_writes: "off", synchronous_commit: "off" }
  const cluster = await startPostgresCluster({ settings })
  onTestFinished(cluster.stop)
  const database = await openServerDatabase({ connectionString: cluster.url })
  onTestFinished(() => database.close())
  const risks = await checkDurability(database)
  expect(risks).toEqual(
    Object.entries(settings).map(([setting, value]) => ({
      setting,
      value,
      risk: expect.stringContaining(`set ${setting} = on`),
    })),
  )
})

test("a setting of the role alone is told too", async () => {
  const url = await serverDatabaseUrl()
  const admin = new Client({ connectionString: url })
  await admin.connect()
  onTestFinished(async () => {
    await admin.query("drop role hasty")
    await admin.end()
  })
  await admin.query("create role hasty login password 'hasty'")
  await admin.query("alter role hasty set synchronous_commit = off")
  const hasty = Object.assign(new URL(url), { username: "hasty", password: "hasty" }).href
  expect(await risksAt(hasty)).toEqual(["synchronous_commit=off"])
  expect(await risksAt(url)).toEqual([])
})
