import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { storeSignals, tenantOf } from "../../test/support/tenant-rows.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { Announcer } from "../store/announcer.ts"
import { Placements } from "../store/placements.ts"
import { Telemetry } from "../telemetry/telemetry.ts"
import { defineHandler } from "./handler.ts"
import { HandlerSet } from "./handler-set.ts"
import { DEFAULT_WORKER_SETTINGS, Worker } from "./worker.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

test("a worker that starts without handlers begins with the first that is brought, and leaves what was taken away", async () => {
  const scope = await tenantOf(db.database, "own")
  const ids = await storeSignals(db.database, scope, [{ data: 1 }, { data: 2 }, { data: 3 }])
  const enqueue = (signalId: string | undefined, handler: string): Promise<unknown> =>
    db.database.query(
      "insert into fleetprompt.deliveries (tenant, signal_id, handler) values ($1, $2::text::uuid, $3)",
      [scope.slug, signalId, handler],
    )
  const telemetry = new Telemetry()
  const handlers = new HandlerSet([])
  const onError = (error: unknown): void => telemetry.tell("background.failed", { step: "announce", error })
  const worker = new Worker({
    name: "w",
    database: db.database,
    placements: new Placements(db.database),
    handlers,
    emitFor: () => () => Promise.reject(new Error("nothing is emitted here")),
    announcer: new Announcer({ database: db.database.hot, origin: "w", onOwn: () => {}, onError }),
    telemetry,
    settings: { ...DEFAULT_WORKER_SETTINGS, pollMs: 20 },
  })
  let polls = 0
  telemetry.listen({ steps: ["poll"], stop: () => void (polls += 1) })
  await worker.start()
  onTestFinished(async () => void (await worker.stop(0)))
  await enqueue(ids[0], "a.b")
  expect(polls).toBe(0)

  const bring = async (name: string): Promise<void> => {
    await new Promise<void>((run) => {
      const handler = defineHandler({ name, on: "**", run: () => run() })
      handlers.bring([{ tenant: scope.slug, name, handler }])
      worker.handlersChanged()
    })
  }
  await bring("a.b")

  handlers.bring([{ tenant: scope.slug, name: "a.b", handler: undefined }])
  await enqueue(ids[1], "a.b")
  worker.wake([{ handler: "a.b", tenant: scope.slug, priority: 0 }])
  await enqueue(ids[2], "c.d")
  // What came later has run, so what was there before would have.
  await bring("c.d")
  const [left] = await db.database.query<{ attempt: number }>(
    "select attempt from fleetprompt.deliveries where signal_id = $1::text::uuid",
    [ids[1]],
  )
  expect(left).toEqual({ attempt: 0 })
})
