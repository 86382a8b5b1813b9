import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest"
import { MAX_TIMER_MS } from "../signal/clock.ts"
import { closedGate, interceptDatabase } from "../../test/support/intercepted-database.ts"
import { type TestDatabase, testDatabase } from "../../test/support/test-database.ts"
import { Telemetry } from "../telemetry/telemetry.ts"
import { Poller } from "./poller.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const THIRTY_DAYS_MS = 30 * 86_400_000

test("what is due in 30 days while a look is under way sets no timer that fires at once", async () => {
  const gate = closedGate()
  const database = interceptDatabase(db.database, async () => {
    await gate.pass()
    return []
  })
  let polled = (): void => {}
  const hasPolled = new Promise<void>((resolve) => (polled = resolve))
  const poller = new Poller({
    worker: "w",
    database,
    telemetry: new Telemetry(),
    handlers: () => ["a"],
    pollMs: 1_000,
    onLook: () => {},
    onLane: () => {},
    onPolled: () => polled(),
  })
  onTestFinished(() => poller.stop())
  const timers = vi.spyOn(globalThis, "setTimeout")
  onTestFinished(() => timers.mockRestore())
  void poller.start()
  await gate.reached
  poller.within(THIRTY_DAYS_MS)
  gate.open()
  await hasPolled
  const longest = Math.max(...timers.mock.calls.map(([, ms]) => ms ?? 0))
  expect(longest).toBeGreaterThan(0)
  expect(longest).toBeLessThanOrEqual(MAX_TIMER_MS)
})
