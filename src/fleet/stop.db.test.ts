import { afterAll, beforeAll, expect, test } from "vitest"
import { closedGate, interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import { defineSchedule } from "../delivery/schedule.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

test("a fleet that is told to stop claims nothing more, also while the end of its schedules is slow", async () => {
  const handlers = [defineHandler({ name: "work", on: "item.**", run: () => {} })]
  const schedules = [defineSchedule({ name: "yearly", cron: "0 0 1 1 *", emit: { type: "year.began" } })]
  const gate = closedGate()
  const sent: string[] = []
  const slow = interceptDatabase(db.database, async ({ name, run }) => {
    sent.push(name)
    if (name === "releaseSlots") await gate.pass()
    return run()
  })
  const { fleet: stopping } = await testFleet(slow, { handlers, schedules })
  const { tenant } = await testFleet(db.database, { handlers, worker: false })
  const heard = new Promise<void>((resolve) => stopping.onCommit({ onCommit: () => resolve(), onGap: () => {} }))
  const stopped = stopping.stop({ graceMs: 0 })
  await gate.reached
  sent.length = 0
  await tenant.emitMany(Array.from({ length: 20 }, (_, n) => ({ type: "item.added", data: { n } })))
  // Lanes are told before news are.
  await heard
  const sentMeanwhile = [...sent]
  gate.open()
  await stopped
  expect(sentMeanwhile).not.toContain("claimDeliveries")
})
