import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { claimDeliveries, keepLeases } from "./deliveries.ts"
import { migrateControl } from "./migrate.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())

const SECOND = 1_000

interface Row {
  readonly name: string
  readonly signal: string
  readonly handler: string
  readonly by: string | null
  /** When its lease ends, seconds from now. */
  readonly heldFor: number | null
}

async function fill(rows: readonly Row[]): Promise<void> {
  await db.database.query("delete from fleetprompt.deliveries")
  await db.database.query(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler, leased_by, leased_until, lease_token)
     select name, signal, handler, "by", now() + "heldFor" * interval '1 second', 7
     from json_to_recordset($1::text::json) as row (name text, signal uuid, handler text, "by" text, "heldFor" float8)`,
    [JSON.stringify(rows)],
  )
}

test("a worker's leases are kept: of the handlers that are named, not those of the call to blame, none that ended", async () => {
  const [one, two] = [crypto.randomUUID(), crypto.randomUUID()]
  const held = { signal: one, handler: "mail", by: "me", heldFor: 5 }
  await fill([
    { ...held, name: "held" },
    { ...held, name: "other signal of the handler", signal: two, handler: "blocks" },
    { ...held, name: "other handler of the signal", handler: "label" },
    { ...held, name: "blamed", handler: "blocks" },
    { ...held, name: "ended", heldFor: -1 },
    { ...held, name: "not named", handler: "brief" },
    { ...held, name: "another's", by: "you" },
    { ...held, name: "nobody's", by: null, heldFor: null },
  ])
  await keepLeases(db.database, {
    worker: "me",
    leaseMs: 60 * SECOND,
    handlers: ["mail", "blocks", "label"],
    except: { handler: "blocks", signalIds: [one] },
  })
  const kept = await db.database.query(
    `select tenant as name, lease_token::integer as token from fleetprompt.deliveries
     where leased_until > now() + interval '30 seconds' order by tenant`,
  )
  expect(kept).toEqual([
    { name: "held", token: 7 },
    { name: "other handler of the signal", token: 7 },
    { name: "other signal of the handler", token: 7 },
  ])
})

test("all of a worker's leases are kept when nobody is to blame, and none when no handler is named", async () => {
  const row = { name: "held", signal: crypto.randomUUID(), handler: "mail", by: "me", heldFor: 5 }
  const countKept = async (handlers: readonly string[]): Promise<number> => {
    await fill([row])
    await keepLeases(db.database, { worker: "me", leaseMs: 60 * SECOND, handlers, except: undefined })
    const kept = await db.database.query(
      "select 1 as n from fleetprompt.deliveries where leased_until > now() + interval '30 seconds'",
    )
    return kept.length
  }
  expect([await countKept(["mail"]), await countKept([])]).toEqual([1, 0])
})

test("a claim passes over what has been due for longer than it is told, and over nothing when it is not told", async () => {
  await db.database.query("delete from fleetprompt.deliveries")
  await db.database.query(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler, run_at)
     select 'acme', gen_random_uuid(), 'mail', now() - age * interval '1 second' from unnest(array[30, 10]) as age`,
  )
  const lane = { handler: "mail", tenant: "acme", priority: 0, version: 1, take: 10 }
  const ages = async (sinceMs?: number): Promise<readonly number[]> => {
    const request = { worker: "me", leaseMs: SECOND }
    const claimed = await claimDeliveries(db.database, request, [
      { ...lane, ...(sinceMs !== undefined && { sinceMs }) },
    ])
    return claimed.map(({ waitMs }) => Math.floor(waitMs / (10 * SECOND)) * 10)
  }
  expect(await ages(20 * SECOND)).toEqual([10])
  expect(await ages(20 * SECOND)).toEqual([])
  expect(await ages()).toEqual([30])
})
