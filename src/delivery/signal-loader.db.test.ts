import { afterAll, beforeAll, expect, test } from "vitest"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet } from "../../test/support/test-fleet.ts"
import { defineHandler } from "./handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

test("a signal that a connection to an old server does not show yet is read again, and its delivery not given up", async () => {
  let staleReads = 0
  const behind = interceptDatabase(db.database, async ({ name, run }) => {
    const rows = await run()
    if (name !== "selectSignals" || staleReads > 0 || rows.length === 0) return rows
    staleReads += 1
    return []
  })
  const handler = defineHandler({ name: "h", on: "**", run: () => {} })
  const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
  const { signal } = await emitter.tenant.emit("item.added", {})
  await testFleet(behind, { handlers: [handler] })
  await emitter.fleet.drain()
  const found = await emitter.tenant.signals.get(signal.id, ["internal"])
  expect(found?.deliveries.flatMap(({ history }) => history.map(({ outcome }) => outcome))).toEqual(["done"])
  expect(staleReads).toBe(1)
})

test("a delivery whose signal is gone is cancelled", async () => {
  const handler = defineHandler({ name: "h", on: "**", run: () => {} })
  const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
  const { signal } = await emitter.tenant.emit("item.added", {})
  const { slug } = emitter.tenant
  await db.database.query(`delete from org_${slug}.signals where id = $1`, [signal.id])
  await testFleet(db.database, { handlers: [handler] })
  await emitter.fleet.drain()
  const attempts = await db.database.query(`select outcome, error ->> 'name' as name from org_${slug}.attempts`)
  expect(attempts).toEqual([{ outcome: "cancelled", name: "SignalGone" }])
})

test("what can neither be read nor given back for a while is given back later, and no attempt is lost", async () => {
  const toCancel = ["selectSignals", "releaseDeliveries", "releaseDeliveries"]
  const locked = interceptDatabase(db.database, async ({ name, run }) => {
    if (name !== toCancel[0]) return run()
    toCancel.shift()
    throw Object.assign(new Error("canceling statement due to lock timeout"), { code: "55P03" })
  })
  const handler = defineHandler({ name: "h", on: "**", retry: { attempts: 1 }, run: () => {} })
  const emitter = await testFleet(db.database, { handlers: [handler], worker: false })
  const { signal } = await emitter.tenant.emit("item.added", {})
  await testFleet(locked, { handlers: [handler] })
  await emitter.fleet.drain()
  const found = await emitter.tenant.signals.get(signal.id, ["internal"])
  expect(found?.deliveries.flatMap(({ history }) => history.map(({ outcome }) => outcome))).toEqual(["done"])
  expect(toCancel).toEqual([])
})
