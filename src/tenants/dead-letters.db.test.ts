import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { bury, outcomesOf, placements, queueOf, storeSignals, tenantOf } from "../../test/support/tenant-rows.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import type { Lane } from "../store/deliveries.ts"
import { Placements } from "../store/placements.ts"
import { quoteName, type Placement } from "../store/tenant-scope.ts"
import type { DeadLetterFilter } from "./dead-letter-filter.ts"
import { openDeadLetters } from "./dead-letters.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** A tenant with its dead letters, and what was announced. */
async function setUp(placement: Placement) {
  const scope = await tenantOf(db.database, placement)
  const lanes: Lane[] = []
  const delivered: string[] = []
  const deps = {
    database: db.database,
    placements: new Placements(db.database),
    announcer: {
      enqueued: (some: readonly Lane[]) => void lanes.push(...some),
      delivered: (_: string, id: string) => void delivered.push(id),
    },
  }
  return { scope, lanes, delivered, letters: openDeadLetters(scope.slug, () => deps) }
}

describe.each(placements)("in a tenant with placement %s", (placement) => {
  test("letters are listed newest first, by pages, and each is found by every condition", async () => {
    const { scope, letters } = await setUp(placement)
    const [a, b, c] = await storeSignals(db.database, scope, [
      { type: "order.created" },
      { type: "order.paid.late", visibility: "admin_only" },
      { type: "mail.bounced" },
    ])
    await bury(db.database, scope, [
      { signalId: a ?? "", diedAt: "2026-01-01T00:00:00.000001Z", error: { name: "TypeError", message: "no" } },
      { signalId: a ?? "", handler: "audit", diedAt: "2026-01-01T00:00:00.000001Z" },
      { signalId: b ?? "", diedAt: "2026-01-01T00:00:00.000002Z", error: { name: "Error", code: "handler_timeout" } },
      { signalId: c ?? "", diedAt: "2026-01-02T00:00:00Z", attempts: 3, flowKey: "k" },
    ])
    const first = await letters.list({ limit: 3 })
    const second = await letters.list({ limit: 3, after: first.next ?? "" })
    expect([...first.letters, ...second.letters].map(({ signalId, handler }) => [signalId, handler])).toEqual([
      [c, "mail.send"],
      [b, "mail.send"],
      [a, "mail.send"],
      [a, "audit"],
    ])
    expect(second.next).toBeNull()
    expect(first.letters[0]).toEqual({
      signalId: c,
      handler: "mail.send",
      type: "mail.bounced",
      visibility: "internal",
      attempts: 3,
      version: 1,
      flowKey: "k",
      replayId: null,
      error: {},
      diedAt: "2026-01-02T00:00:00.000000Z",
    })
    const found = async (filter: Parameters<typeof letters.count>[0]) => {
      const { letters: listed } = await letters.list(filter)
      expect(await letters.count(filter)).toBe(listed.length)
      return listed.map(({ signalId }) => signalId)
    }
    expect(await found({ handler: "audit" })).toEqual([a])
    expect(await found({ type: "order.**" })).toEqual([b, a, a])
    expect(await found({ type: "order.*" })).toEqual([a, a])
    expect(await found({ errorName: "TypeError" })).toEqual([a])
    expect(await found({ errorCode: "handler_timeout" })).toEqual([b])
    expect(await found({ from: "2026-01-01T00:00:00.000002Z", to: "2026-01-02T00:00:00Z" })).toEqual([b])
    expect(await found({ handler: "audit", errorName: "TypeError" })).toEqual([])
  })

  test("one is shown with its signal and its attempts", async () => {
    const { scope, letters } = await setUp(placement)
    const [id = ""] = await storeSignals(db.database, scope, [{ data: { n: 1 } }])
    await bury(db.database, scope, [
      { signalId: id, error: { message: "no" } },
      { signalId: id, handler: "other" },
    ])
    expect(await letters.get(id, "mail.send")).toMatchObject({
      letter: { signalId: id, handler: "mail.send", error: { message: "no" } },
      signal: { id, data: { n: 1 }, tenant: scope.slug },
      history: [{ outcome: "dead", attempt: 5, error: { message: "no" } }],
    })
    expect(await letters.get(id, "none")).toBeUndefined()
    expect(await letters.get("none", "mail.send")).toBeUndefined()
  })

  test("one is put back and begins anew", async () => {
    const { scope, letters, lanes, delivered } = await setUp(placement)
    const [id = ""] = await storeSignals(db.database, scope, [{}])
    await bury(db.database, scope, [
      { signalId: id, priority: -7, flowKey: "k" },
      { signalId: id, handler: "other" },
    ])
    expect(await letters.redrive({ signalId: id, handler: "mail.send" })).toBe(1)
    expect(await queueOf(db.database, scope)).toEqual([
      {
        signalId: id,
        handler: "mail.send",
        priority: -7,
        version: 1,
        attempt: 0,
        flowKey: "k",
        replayId: null,
        isDue: true,
      },
    ])
    expect(await letters.count()).toBe(1)
    expect(lanes).toEqual([{ handler: "mail.send", tenant: scope.slug, priority: -7 }])
    expect(delivered).toEqual([id])
    expect(await letters.redrive({ signalId: id, handler: "mail.send" })).toBe(0)
  })

  test("all that match are put back in the order of their signals, beyond one batch", async () => {
    const { scope, letters, lanes } = await setUp(placement)
    const rows = Array.from({ length: 2_300 }, (_, n) => ({ type: n % 2 === 0 ? "order.created" : "order.paid" }))
    const ids = await storeSignals(db.database, scope, rows)
    await bury(
      db.database,
      scope,
      ids.toReversed().map((signalId, n) => ({ signalId, diedAt: new Date(1_000 + n).toISOString() })),
    )
    const filter = { type: "order.created" }
    expect(await letters.count(filter)).toBe(1_150)
    expect(await letters.redrive(filter, { expected: 1_150 })).toBe(1_150)
    const queued = await queueOf(db.database, scope)
    expect(queued.map(({ signalId }) => signalId)).toEqual(ids.filter((_, n) => n % 2 === 0))
    expect(await letters.count()).toBe(1_150)
    expect(lanes.at(-1)).toEqual({ handler: "mail.send", tenant: scope.slug, priority: 0 })
    expect(await letters.redrive({ all: true })).toBe(1_150)
  })

  test("those thrown away are noted with their attempts", async () => {
    const { scope, letters } = await setUp(placement)
    const [a = "", b = ""] = await storeSignals(db.database, scope, [{}, {}])
    await bury(db.database, scope, [{ signalId: a }, { signalId: b, handler: "other" }])
    expect(
      await letters.discard({ handler: "mail.send" }, { reason: "test data", by: { kind: "user", id: "user_1" } }),
    ).toBe(1)
    expect(await outcomesOf(db.database, scope, a, "mail.send")).toEqual(["dead", "discarded"])
    expect(await outcomesOf(db.database, scope, b, "other")).toEqual(["dead"])
    const [noted] = await db.database.query(
      `select worker, error, attempt from ${scope.schema}.attempts
       where tenant = $1 and outcome = 'discarded' and signal_id = $2::text::uuid`,
      [scope.slug, a],
    )
    expect(noted).toEqual({ worker: "user_1", error: { message: "test data" }, attempt: 5 })
    expect(await queueOf(db.database, scope)).toEqual([])
    expect(await letters.count()).toBe(1)
  })

  test("two who decide at once decide on each letter once", async () => {
    const { scope, letters } = await setUp(placement)
    const ids = await storeSignals(
      db.database,
      scope,
      Array.from({ length: 1_500 }, () => ({})),
    )
    await bury(
      db.database,
      scope,
      ids.map((signalId) => ({ signalId })),
    )
    const done = await Promise.all([
      letters.redrive({ all: true }),
      letters.redrive({ handler: "mail.send" }),
      letters.discard({ all: true }),
      letters.discard({ type: "order.*" }),
    ])
    const queued = await queueOf(db.database, scope)
    const [row] = await db.database.query<{ discarded: number }>(
      `select count(*)::float8 as discarded from ${scope.schema}.attempts where tenant = $1 and outcome = 'discarded'`,
      [scope.slug],
    )
    expect(done[0] + done[1]).toBe(queued.length)
    expect(done[2] + done[3]).toBe(row?.discarded)
    expect(done.reduce((sum, each) => sum + each)).toBe(1_500)
    expect(await letters.count()).toBe(0)
  })

  test("another tenant's letters are out of reach", async () => {
    const { scope, letters } = await setUp(placement)
    const other = await tenantOf(db.database, placement, "other")
    const [id = ""] = await storeSignals(db.database, other, [{}])
    await bury(db.database, other, [{ signalId: id }])
    expect(await letters.list()).toEqual({ letters: [], next: null })
    expect(await letters.get(id, "mail.send")).toBeUndefined()
    expect(await letters.redrive({ signalId: id, handler: "mail.send" })).toBe(0)
    expect(await letters.discard({ all: true })).toBe(0)
    expect(await queueOf(db.database, scope)).toEqual([])
    expect(await outcomesOf(db.database, other, id, "mail.send")).toEqual(["dead"])
  })
})

test("more than was expected stops a bulk action before it begins", async () => {
  const { scope, letters } = await setUp("own")
  const ids = await storeSignals(db.database, scope, [{}, {}])
  await bury(
    db.database,
    scope,
    ids.map((signalId) => ({ signalId })),
  )
  const changed = expect.objectContaining({ code: "count_changed" })
  await expect(letters.redrive({ all: true }, { expected: 1 })).rejects.toEqual(changed)
  await expect(letters.discard({ handler: "mail.send" }, { expected: 0 })).rejects.toEqual(changed)
  expect(await letters.count()).toBe(2)
  expect(await queueOf(db.database, scope)).toEqual([])
  // Fewer is no danger.
  expect(await letters.redrive({ all: true }, { expected: 3 })).toBe(2)
})

test("a letter that dies again while a bulk action runs is not met twice", async () => {
  const { scope, letters } = await setUp("own")
  const ids = await storeSignals(
    db.database,
    scope,
    Array.from({ length: 1_200 }, () => ({})),
  )
  await bury(
    db.database,
    scope,
    ids.map((signalId) => ({ signalId })),
  )
  // Every delivery dies as soon as it is in the queue, before the next batch is taken.
  const name = quoteName(`die_${scope.slug}`)
  await db.database.script(
    `create function ${name}() returns trigger language plpgsql security definer as $$ begin
       insert into ${scope.schema}.dead_letters (tenant, signal_id, handler, attempts)
       values (new.tenant, new.signal_id, new.handler, 5) on conflict do nothing;
       return null;
     end $$;
     create trigger ${name} before insert on fleetprompt.deliveries for each row
     when (new.tenant = '${scope.slug}') execute function ${name}()`,
  )
  expect(await letters.redrive({ all: true })).toBe(1_200)
  expect(await letters.count()).toBe(1_200)
  await db.database.script(`drop trigger ${name} on fleetprompt.deliveries`)
})

describe("what is wrong is refused", () => {
  test.each([
    ["no condition", {}],
    ["an unknown condition", { status: "dead" }],
    ["a wrong time", { from: "yesterday" }],
    ["half a key", { signalId: "0192f0c1-0000-7000-8000-000000000001" }],
    ["no id", { signalId: "x", handler: "a" }],
  ])("%s", async (_, given) => {
    const which = given as DeadLetterFilter
    const { letters } = await setUp("own")
    await expect(letters.redrive(which)).rejects.toMatchObject({ code: "query_invalid" })
    await expect(letters.discard(which)).rejects.toMatchObject({ code: "query_invalid" })
  })

  test("a wrong pattern, limit, place and tenant", async () => {
    const { scope, letters } = await setUp("own")
    await expect(letters.count({ type: "a..b" })).rejects.toMatchObject({ code: "pattern_invalid" })
    for (const limit of [0, 501, 1.5])
      await expect(letters.list({ limit })).rejects.toMatchObject({ code: "query_invalid" })
    for (const after of ["", "x", Buffer.from("a b c").toString("base64url")])
      await expect(letters.list({ after })).rejects.toMatchObject({ code: "query_invalid" })
    const deps = {
      database: db.database,
      placements: new Placements(db.database),
      announcer: { enqueued() {}, delivered() {} },
    }
    await expect(openDeadLetters(`${scope.slug}x`, () => deps).count()).rejects.toMatchObject({
      code: "tenant_unknown",
    })
  })
})
