import { describe, expect, test } from "vitest"
import { newId } from "../../../src/signal/id.ts"
import { plantedHistory } from "./planted-history.ts"

const past = plantedHistory()

describe("I3", () => {
  test("finds a delivery that is missing", async () => {
    await past.plant("delete from org.attempts where signal_id = $1", past.ids[0])
    expect(await past.violations("I3")).toEqual([
      `the delivery ${past.ids[0]} ledger.write of ${past.slug} is missing: neither in the queue nor ended`,
    ])
  })

  test("finds deliveries without a signal, and for a handler that does not match", async () => {
    const nobody = newId()
    await past.plant(
      `insert into fleetprompt.deliveries (tenant, signal_id, handler) values ($1, $2, 'gone.work'), ($1, $3, 'gone.work')`,
      past.slug,
      nobody,
      past.ids[0],
    )
    expect(await past.violations("I3")).toEqual([
      `the delivery ${nobody} gone.work of ${past.slug} has no signal`,
      `the delivery ${past.ids[0]} gone.work of ${past.slug} is for a handler that does not match its signal`,
    ])
  })

  test("finds a delivery that is done and open", async () => {
    await past.plant(
      `insert into fleetprompt.deliveries (tenant, signal_id, handler, run_at)
       values ($1, $2, 'ledger.write', now() + interval '1 day')`,
      past.slug,
      past.ids[0],
    )
    expect(await past.violations("I3")).toEqual([
      `the delivery ${past.ids[0]} ledger.write of ${past.slug} was done and is in the queue still`,
    ])
  })
})

describe("I4", () => {
  test("finds an effect that was applied twice, under another id", async () => {
    await past.plant(
      "insert into effects (delivery_id, tenant, signal_id, handler, worker) values ('new', $1, $2, 'ledger.write', 'w')",
      past.slug,
      past.ids[0],
    )
    expect(await past.violations("I4")).toEqual([
      expect.stringMatching(`the effect of ${past.ids[0]} ledger.write .*of ${past.slug} was applied 2 times`),
    ])
  })

  test("finds a delivery that is done without its effect", async () => {
    await past.plant("delete from effects where signal_id = $1", past.ids[0])
    expect(await past.violations("I4")).toEqual([
      expect.stringMatching(`${past.ids[0]} ledger.write .*of ${past.slug} is done, and its effect was never applied`),
    ])
  })
})

test("I8 finds a lease that ended and that nobody took over", async () => {
  await past.plant(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler, attempt, lease_token, leased_by, leased_until)
     values ($1, $2, 'gone.work', 1, 1, 'lost', now() - interval '1 minute')`,
    past.slug,
    past.ids[0],
  )
  expect(await past.violations("I8")).toEqual([
    expect.stringMatching(`${past.ids[0]} gone.work of ${past.slug} is still held by lost, whose lease had ended`),
  ])
})

/** More than a page of the queue, and more blocks of a table than are read at once. */
const MANY = 12_000

test("long queues and tables are copied page by page, each row once", async () => {
  await past.plant(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler)
     select $1, gen_random_uuid(), 'gone.work' from generate_series(1, $2::integer)`,
    past.slug,
    MANY,
  )
  await past.plant(
    `insert into org.attempts (signal_id, handler, attempt, outcome, worker, started_at, finished_at)
     select gen_random_uuid(), 'gone.work', 1, 'failed', 'w', now(), now() from generate_series(1, $1::integer)`,
    MANY,
  )
  await past.violations("I3")
  const [counts] = await past.ledger.query(
    `select (select count(distinct signal_id)::integer from evidence.queue) as open,
       (select count(*)::integer from evidence.queue) as rows,
       (select count(distinct signal_id)::integer from evidence.attempts where handler = 'gone.work') as attempts,
       (select count(*)::integer from evidence.attempts) as "attemptRows"`,
  )
  // Two tenants have three orders each, done.
  expect(counts).toEqual({ open: MANY, rows: MANY, attempts: MANY, attemptRows: MANY + 6 })
})
