import { createFleet, type Fleet, logTo } from "../../src/fleetprompt.ts"
import { prometheusMetrics } from "../../src/prometheus.ts"
import { CHANNEL } from "../../src/store/announcements.ts"
import type { Database } from "../../src/store/database.ts"
import { testDatabase } from "../support/test-database.ts"
import { type Alter, alteredDatabase } from "./altered-database.ts"
import { orderOptions } from "./orders.ts"
import { isolationHandlers, makeSide, type Side, textOf } from "./sides.ts"

/** Tenants of one fleet: two with schemas of their own, two that share one. */
export interface Ground {
  readonly fleet: Fleet
  readonly database: Database
  readonly own: readonly [Side, Side]
  readonly shared: readonly [Side, Side]
  /** Whatever the fleet told anybody: events, logs, announcements. */
  readonly told: readonly string[]
  readonly metrics: () => Promise<string>
  /** From now on statements are changed on their way. */
  readonly plant: (alter: Alter | undefined) => void
  readonly close: () => Promise<void>
}

/** Two tenants of each way to be placed, for `test.each`: who has something, and who asks for it. */
export const PAIRS: readonly (readonly [string, (from: Ground) => readonly [Side, Side]])[] = [
  ["both in schemas of their own", ({ own }) => own],
  ["both in the shared schema", ({ shared }) => shared],
  ["one in each", ({ own: [a], shared: [b] }) => [a, b]],
  ["one in each, the other way round", ({ own: [, b], shared: [, a] }) => [a, b]],
]

/** Starts a fleet on a database of its own and fills its tenants. */
export async function openGround(): Promise<Ground> {
  const db = await testDatabase()
  let alter: Alter | undefined
  const database = alteredDatabase(db.database, (text) => alter?.(text) ?? text)
  const fleet = createFleet({
    database: { ...database, close: async () => {} },
    handlers: isolationHandlers(),
    ...orderOptions(),
    retention: false,
    worker: { pollMs: 50 },
  })
  const told: string[] = []
  fleet.telemetry.listen((name, fields) => void told.push(`${name} ${textOf(fields)}`))
  const log = (...line: readonly unknown[]): void => void told.push(textOf(line))
  fleet.telemetry.listen(logTo({ debug: log, info: log, warn: log, error: log }))
  const metrics = prometheusMetrics(fleet)
  await fleet.start()
  await db.database.listen(CHANNEL, { onMessage: (message) => void told.push(message), onGap: () => {} })
  return {
    fleet,
    database: db.database,
    own: [await makeSide(fleet, "own", "marka"), await makeSide(fleet, "own", "markb")],
    shared: [await makeSide(fleet, "shared", "markc"), await makeSide(fleet, "shared", "markd")],
    told,
    metrics: () => metrics.text(),
    plant: (planted) => (alter = planted),
    close: async () => {
      await fleet.stop({ graceMs: 0 })
      await db.close()
    },
  }
}
