import { Client } from "pg"
import { expect, onTestFinished, test } from "vitest"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import { createFleet } from "../fleet.ts"
import { defineHandler } from "./handler.ts"

test("a claim by key that has to wait holds up no plain delivery", async () => {
  const databaseUrl = await serverDatabaseUrl()
  let begun = 0
  const plain = defineHandler({ name: "plain", on: "order.made", run: () => void (begun += 1) })
  const keyed = defineHandler({ name: "keyed", on: "order.made", ordered: "subject", run: () => {} })
  const handlers = [plain, keyed]
  const worker = createFleet({ databaseUrl, handlers, retention: false })
  const emitter = createFleet({ databaseUrl, handlers, retention: false, worker: false })
  await emitter.start()
  onTestFinished(() => emitter.stop())
  const slugs = Array.from({ length: 8 }, (_, n) => `tenant${n}`)
  for (const slug of slugs) await emitter.tenants.provision(slug)
  // A process that stands still in the middle of its claims by key.
  const other = new Client({ connectionString: databaseUrl })
  await other.connect()
  onTestFinished(() => other.end())
  await other.query("begin")
  for (const slug of slugs)
    await other.query("select pg_advisory_xact_lock(hashtextextended($1, 5138))", [`keyed ${slug}`])
  for (const slug of slugs) await emitter.tenant(slug).emit("order.made", {})
  let waited = 0
  worker.telemetry.listen((name) => void (name === "background.failed" && (waited += 1)))
  await worker.start()
  onTestFinished(() => worker.stop({ graceMs: 0 }))
  await expect.poll(() => begun, { timeout: 30_000 }).toBe(8)
  // One after the other, each of the eight would have been waited for in vain before the first plain one began.
  expect(waited).toBeLessThan(8)
})
