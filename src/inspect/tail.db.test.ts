import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { insertPlainSignals } from "../../test/support/plain-signals.ts"
import { type TestDatabase, testDatabase } from "../../test/support/test-database.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import { provisionTenant } from "../tenants/provision.ts"
import type { Queryable } from "../store/database.ts"
import { migrateControl } from "../store/migrate.ts"
import { type Placement, type TenantScope, tenantScope } from "../store/tenant-scope.ts"
import { tail, type TailDeps, type TailedSignal, type TailOptions } from "./tail.ts"

let db: TestDatabase

beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())

const VISIBILITIES = ["internal", "admin_only"] as const
const placements: readonly Placement[] = ["own", "shared"]

async function testTenant(placement: Placement, more = ""): Promise<TenantScope> {
  const slug = testSlug(more)
  await provisionTenant(db.database, slug, { placement })
  return tenantScope(slug, placement)
}

interface Hints {
  readonly hint: () => void
  readonly deps: TailDeps
  readonly listening: () => number
}

/** What tells a tail of commits. */
function hints(database: Queryable = db.database): Hints {
  const listeners = new Set<() => void>()
  return {
    hint: () => listeners.forEach((listener) => listener()),
    deps: {
      database,
      onCommit: (listener) => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    },
    listening: () => listeners.size,
  }
}

/** A tail that ends with the test. */
function testTail(deps: TailDeps, scope: TenantScope, options: Partial<TailOptions> = {}) {
  const signals = tail(deps, scope, { visibilities: VISIBILITIES, ...options })
  onTestFinished(async () => void (await signals.return?.()))
  return signals
}

async function take(signals: AsyncIterator<TailedSignal>, count: number): Promise<readonly TailedSignal[]> {
  const taken: TailedSignal[] = []
  while (taken.length < count) {
    const { value, done } = await signals.next()
    if (done === true) break
    taken.push(value)
  }
  return taken
}

const idsOf = (taken: readonly TailedSignal[]): readonly string[] => taken.map(({ signal }) => signal.id)
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at)

describe.each(placements)("with placement %s", (placement) => {
  test("what is there comes in order, then what is to come", async () => {
    const scope = await testTenant(placement)
    const ids = await insertPlainSignals(db.database, scope, [{}, {}, {}])
    const { deps, hint } = hints()
    const signals = testTail(deps, scope)
    expect(idsOf(await take(signals, 3))).toEqual(ids)
    const next = signals.next()
    const [later] = await insertPlainSignals(db.database, scope, [{ data: { n: 1 } }])
    hint()
    const { value } = await next
    expect(value.signal).toMatchObject({ id: later, type: "test.happened", data: { n: 1 }, tenant: scope.slug })
  })

  test("signals stored by many at once, in transactions of any length, are seen once each and in one order", async () => {
    const scope = await testTenant(placement)
    const { deps, hint } = hints()
    const live = testTail(deps, scope, { pageSize: 37 })
    const writing = writeAtRandom(scope, 2_400, hint)
    const seen = await take(live, 2_400)
    const written = await writing
    expect(new Set(idsOf(seen))).toEqual(new Set(written))
    expect(seen.length).toBe(written.length)
    // Nothing is left, neither for this reader nor for those who read it again in other pages or from the middle.
    const again = idsOf(await take(testTail(deps, scope, { pageSize: 1_000 }), 2_400))
    expect(again).toEqual(idsOf(seen))
    const middle = seen[1_234]
    const rest = testTail(deps, scope, { from: middle?.cursor ?? "", pageSize: 1 })
    expect(idsOf(await take(rest, 100))).toEqual(again.slice(1_235, 1_335))
    await live.return?.()
    expect(await live.next()).toEqual({ value: undefined, done: true })
  })

  test("only what fits the pattern comes, however far apart", async () => {
    const scope = await testTenant(placement)
    const types = numbers(5_000).map((n) => ({ type: n % 1_700 === 0 ? "lead.received" : "noise.made" }))
    const ids = await insertPlainSignals(db.database, scope, types)
    const { deps, hint } = hints()
    const signals = testTail(deps, scope, { pattern: "lead.**", pageSize: 1 })
    const taken = await take(signals, 3)
    expect(idsOf(taken)).toEqual([ids[0], ids[1_700], ids[3_400]])
    const next = signals.next()
    const [, fits] = await insertPlainSignals(db.database, scope, [{ type: "leads.none" }, { type: "lead.lost" }])
    hint()
    expect((await next).value.signal.id).toBe(fits)
  })

  test("a reader sees what it may", async () => {
    const scope = await testTenant(placement)
    const [, open] = await insertPlainSignals(db.database, scope, [{ visibility: "admin_only" }, {}])
    const signals = testTail(hints().deps, scope, { visibilities: ["internal"] })
    expect(idsOf(await take(signals, 1))).toEqual([open])
  })

  test("a tenant's tail shows no other's signals", async () => {
    const [scope, other] = [await testTenant(placement), await testTenant(placement, "other")]
    await insertPlainSignals(db.database, other, [{}, {}])
    const ids = await insertPlainSignals(db.database, scope, [{}])
    await insertPlainSignals(db.database, other, [{}])
    const controller = new AbortController()
    const { deps, hint } = hints()
    const signals = testTail(deps, scope, { signal: controller.signal })
    expect(idsOf(await take(signals, 1))).toEqual(ids)
    const next = signals.next()
    hint()
    controller.abort()
    expect(await next).toEqual({ value: undefined, done: true })
  })

  test("from now on means nothing that was there before", async () => {
    const scope = await testTenant(placement)
    await insertPlainSignals(db.database, scope, [{}, {}])
    // Until they can be read, which is when no older transaction of another test is open.
    await take(testTail(hints().deps, scope), 2)
    const { deps, hint } = hints(notingReads(db.database))
    const signals = testTail(deps, scope, { from: "now" })
    const next = signals.next()
    await firstRead
    const [later] = await insertPlainSignals(db.database, scope, [{}])
    hint()
    expect((await next).value.signal.id).toBe(later)
  })

  test("a cursor of a signal that was removed goes on behind it", async () => {
    const scope = await testTenant(placement)
    const ids = await insertPlainSignals(db.database, scope, [{}, {}, {}])
    const [first] = await take(testTail(hints().deps, scope), 1)
    await db.database.query(`delete from ${scope.schema}.signals where tenant = $1 and id <> $2`, [scope.slug, ids[2]])
    expect(idsOf(await take(testTail(hints().deps, scope, { from: first?.cursor ?? "" }), 1))).toEqual([ids[2]])
  })
})

test("signals of a dump that went into another cluster come once their order is renewed", async () => {
  const scope = await testTenant("own")
  const ids = await insertPlainSignals(db.database, scope, [{}, {}])
  const renumber = (tx: string) =>
    db.database.script(
      `alter table ${scope.schema}.signals disable trigger signals_refuse_update;
       update ${scope.schema}.signals set tx_id = '${tx}';
       alter table ${scope.schema}.signals enable trigger signals_refuse_update`,
    )
  await renumber("9000000000")
  const signals = testTail(hints().deps, scope)
  const first = signals.next()
  // The guide's remedy.
  await renumber("3")
  expect((await first).value.signal.id).toBe(ids[0])
  expect(idsOf(await take(signals, 1))).toEqual([ids[1]])
})

let noteFirstRead: () => void = () => {}
let firstRead: Promise<void>

/** A database that tells when the first statement was answered. */
function notingReads(database: Queryable): Queryable {
  firstRead = new Promise((resolve) => {
    noteFirstRead = resolve
  })
  return {
    query: async <Row extends object>(text: string, values?: readonly unknown[]) => {
      const rows = await database.query<Row>(text, values)
      noteFirstRead()
      return rows
    },
  }
}

/** Inserts from 8 writers in transactions of 1 to 12 signals, with statements of random length between. @returns the ids of what was committed */
async function writeAtRandom(scope: TenantScope, count: number, hint: () => void): Promise<readonly string[]> {
  const committed: string[] = []
  let left = count
  const write = async (): Promise<void> => {
    while (left > 0) {
      const size = Math.min(left, 1 + Math.floor(Math.random() * 12))
      left -= size
      if (Math.random() < 0.2) await rolledBack(scope)
      committed.push(...(await db.database.transaction((tx) => writeSlowly(tx, scope, size))))
      hint()
    }
  }
  await Promise.all(numbers(8).map(write))
  return committed
}

async function writeSlowly(tx: Queryable, scope: TenantScope, count: number): Promise<readonly string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    ids.push(...(await insertPlainSignals(tx, scope, [{ data: { n } }])))
    // On a real server the transactions are open side by side, and end in another order than they began.
    if (db.database.kind === "server" && Math.random() < 0.3) await tx.query("select pg_sleep(0.003)")
  }
  return ids
}

async function rolledBack(scope: TenantScope): Promise<void> {
  const undone = db.database.transaction(async (tx) => {
    await insertPlainSignals(tx, scope, [{}, {}])
    throw new Error("undone")
  })
  await expect(undone).rejects.toThrow("undone")
}

test("without any hint the next poll finds what was stored", async () => {
  const scope = await testTenant("own")
  const signals = testTail({ database: db.database, onCommit: () => () => {} }, scope)
  const next = signals.next()
  const [id] = await insertPlainSignals(db.database, scope, [{}])
  expect((await next).value.signal.id).toBe(id)
})

test("a tail that waits ends when it is told to return, and stops listening", async () => {
  const { deps, listening } = hints()
  const signals = testTail(deps, await testTenant("own"))
  const next = signals.next()
  expect(await signals.return?.()).toEqual({ value: undefined, done: true })
  expect(await next).toEqual({ value: undefined, done: true })
  expect(listening()).toBe(0)
})

test("leaving the loop ends it", async () => {
  const scope = await testTenant("own")
  await insertPlainSignals(db.database, scope, [{}, {}])
  const { deps, listening } = hints()
  for await (const { signal } of testTail(deps, scope)) {
    expect(signal.type).toBe("test.happened")
    break
  }
  expect(listening()).toBe(0)
})

test("an abort that came before ends it before it reads", async () => {
  const unread = { query: () => Promise.reject(new Error("read")) }
  const signals = testTail(hints(unread).deps, await testTenant("own"), { signal: AbortSignal.abort() })
  expect(await signals.next()).toEqual({ value: undefined, done: true })
})

test("it goes on when the database was away, and throws what is no passing trouble", async () => {
  const scope = await testTenant("own")
  const [id] = await insertPlainSignals(db.database, scope, [{}])
  const away = Object.assign(new Error("the server is shut down"), { code: "57P01" })
  const failures: unknown[] = [away, undefined, new Error("no such table")]
  const unsteady: Queryable = {
    query: (text, values) => {
      const failure = failures.shift()
      return failure === undefined ? db.database.query(text, values) : Promise.reject(failure)
    },
  }
  const told: unknown[] = []
  const { deps, hint } = hints(unsteady)
  const signals = testTail({ ...deps, onError: (error) => told.push(error) }, scope)
  expect(idsOf(await take(signals, 1))).toEqual([id])
  expect(told).toEqual([away])
  const next = signals.next()
  hint()
  await expect(next).rejects.toThrow("no such table")
})

test("what is wrong is refused at once", async () => {
  const scope = await testTenant("own")
  const withOptions = (options: Partial<TailOptions>) => () =>
    tail(hints().deps, scope, { visibilities: [], ...options })
  expect(withOptions({ from: "yesterday" })).toThrow(expect.objectContaining({ code: "cursor_invalid" }))
  expect(withOptions({ pattern: "a..b" })).toThrow(expect.objectContaining({ code: "pattern_invalid" }))
  expect(withOptions({ pageSize: 0 })).toThrow(expect.objectContaining({ code: "query_invalid" }))
})
