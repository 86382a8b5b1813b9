import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import type { Queryable } from "./database.ts"
import { findLanes, type LaneState } from "./lanes.ts"
import { migrateControl } from "./migrate.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())

/** A row of the queue, its times in seconds from now. */
interface Row {
  readonly handler: string
  readonly tenant: string
  readonly priority: number
  readonly dueIn: number
  /** When its lease ends; null when nobody holds it. */
  readonly heldFor: number | null
}

const HANDLERS = ["mail", "mail.send", "mail.send-x", "label", "Z"]

const rows = fc.array(
  fc.record({
    handler: fc.constantFrom(...HANDLERS),
    tenant: fc.constantFrom("a", "acme", "acme_b", "b"),
    priority: fc.constantFrom(-100, -1, 0, 100),
    dueIn: fc.constantFrom(-3_600, -1, 0, 5, 3_600),
    heldFor: fc.constantFrom(null, null, -10, 0, 10),
  }),
  { maxLength: 60 },
)
const asked = fc.uniqueArray(fc.constantFrom(...HANDLERS, "unheard-of"), { maxLength: 6 })

/** Fills the queue with nothing but these rows. */
async function fill(tx: Queryable, queue: readonly Row[]): Promise<void> {
  await tx.query("delete from fleetprompt.deliveries")
  await tx.query(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler, priority, run_at, leased_until, leased_by)
     select tenant, gen_random_uuid(), handler, priority, now() + "dueIn" * interval '1 second',
       now() + "heldFor" * interval '1 second', case when "heldFor" is not null then 'somebody' end
     from json_to_recordset($1::text::json) as row
       (tenant text, handler text, priority smallint, "dueIn" float8, "heldFor" float8)`,
    [JSON.stringify(queue)],
  )
}

/** What the rows say, read one by one. */
async function lanesByReading(tx: Queryable, handlers: readonly string[]): Promise<readonly LaneState[]> {
  return tx.query<LaneState>(
    `select handler, tenant, priority,
       bool_or(run_at <= now() and (leased_until is null or leased_until <= now())) as "isDue",
       (max(extract(epoch from now() - run_at)) filter (
         where run_at <= now() and (leased_until is null or leased_until <= now())) * 1000)::float8 as "dueForMs",
       (min(extract(epoch from run_at - now())) filter (where run_at > now()) * 1000)::float8 as "dueInMs"
     from fleetprompt.deliveries where handler in (select json_array_elements_text($1::text::json))
     group by handler, tenant, priority`,
    [JSON.stringify(handlers)],
  )
}

function sorted(lanes: readonly LaneState[]): readonly string[] {
  return lanes
    .map(({ handler, tenant, priority, isDue, dueForMs, dueInMs }) =>
      JSON.stringify([handler, tenant, priority, isDue, dueForMs, dueInMs]),
    )
    .toSorted()
}

test("the lanes found are those of the rows, whatever the queue holds, for the handlers asked for and no others", async () => {
  await fc.assert(
    fc.asyncProperty(rows, asked, async (queue, handlers) => {
      // In one transaction, so that both mean the same moment.
      await db.database.transaction(async (tx) => {
        await fill(tx, queue)
        expect(sorted(await findLanes(tx, handlers))).toEqual(sorted(await lanesByReading(tx, handlers)))
      })
    }),
    { numRuns: 100 },
  )
})

test("the engine's own connections find the same", async () => {
  await fc.assert(
    fc.asyncProperty(rows, asked, async (queue, handlers) => {
      await fill(db.database, queue)
      const withoutTimes = (lanes: readonly LaneState[]): readonly string[] =>
        sorted(
          lanes.map((lane) => ({
            ...lane,
            dueForMs: lane.dueForMs === null ? null : 1,
            dueInMs: lane.dueInMs === null ? null : 1,
          })),
        )
      const found = await findLanes(db.database.hot, handlers)
      expect(withoutTimes(found)).toEqual(withoutTimes(await lanesByReading(db.database, handlers)))
      expect(new Set(sorted(found)).size).toBe(found.length)
    }),
    { numRuns: 25 },
  )
})

test("a lane of which all is held, or yet to come, is known but not due", async () => {
  await fill(db.database, [
    { handler: "held", tenant: "a", priority: 0, dueIn: -5, heldFor: 10 },
    { handler: "later", tenant: "a", priority: 0, dueIn: 5, heldFor: null },
    { handler: "lost", tenant: "a", priority: 0, dueIn: -5, heldFor: -1 },
  ])
  const lanes = await findLanes(db.database, ["held", "later", "lost"])
  expect(lanes.map(({ handler, isDue }) => [handler, isDue])).toEqual([
    ["held", false],
    ["later", false],
    ["lost", true],
  ])
  expect(lanes.map(({ dueInMs }) => dueInMs !== null)).toEqual([false, true, false])
})
