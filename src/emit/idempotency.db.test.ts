import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet, testSlug, type TestFleet } from "../../test/support/test-fleet.ts"
import { placements } from "../../test/support/tenant-rows.ts"
import { defineHandler } from "../delivery/handler.ts"
import { FleetPromptError } from "../errors.ts"
import { newId } from "../signal/id.ts"
import type { Database } from "../store/database.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import type { Tenant } from "../tenants/tenant.ts"
import { contentHash } from "./content-hash.ts"
import type { EmitOptions, EmitResult } from "./emit.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const noop = defineHandler({ name: "noop", on: "**", run: () => {} })

/** A fleet that only stores, so that deliveries stay where they can be counted. */
function quiet(): Promise<TestFleet> {
  return testFleet(db.database, { worker: false, handlers: [noop] })
}

/** The ways in which one signal can be emitted. */
type Way = (it: TestFleet, data: unknown, options: Omit<EmitOptions, "tx">) => Promise<EmitResult>

const ways: readonly (readonly [string, Way])[] = [
  ["emit", ({ tenant }, data, options) => tenant.emit("lead.received", data, options)],
  [
    "emitMany",
    async ({ tenant }, data, options) => only(await tenant.emitMany([{ type: "lead.received", data, ...options }])),
  ],
  [
    "emit in a transaction",
    ({ fleet, tenant }, data, options) =>
      fleet.transaction((tx) => tenant.emit("lead.received", data, { ...options, tx })),
  ],
  [
    "emitMany in a transaction",
    ({ fleet, tenant }, data, options) =>
      fleet.transaction(async (tx) =>
        only(await tenant.emitMany([{ type: "lead.received", data, ...options }], { tx })),
      ),
  ],
]

function only(results: readonly EmitResult[]): EmitResult {
  const [result] = results
  if (!result || results.length !== 1) throw new Error("there is one result for each item")
  return result
}

async function facts(tenant: Tenant): Promise<readonly [signals: number, deliveries: number]> {
  return [(await tenant.counts()).signals, await tenant.openDeliveries()]
}

/** What the first transaction that stores signals throws, before or after it was committed. */
interface Breaks {
  readonly before?: Error
  readonly after?: Error
}

function onceBroken(database: Database, { before, after }: Breaks): Database {
  let stored = 0
  const counting = interceptDatabase(database, ({ name, run }) => {
    if (name === "insertSignals" && ++stored === 1 && before) throw before
    return run()
  })
  return {
    ...counting,
    transaction: async (run) => {
      const result = await counting.transaction(run)
      if (stored === 1 && after) throw after
      return result
    },
  }
}

describe.each(ways)("%s", (_, emit) => {
  test("the same fact under one key is stored once, and every caller gets its id", async () => {
    const it = await quiet()
    const first = await emit(it, { n: 1 }, { dedupeKey: "k" })
    const second = await emit(it, { n: 1 }, { dedupeKey: "k" })
    expect([first.inserted, second]).toEqual([true, { signal: first.signal, inserted: false }])
    expect(await facts(it.tenant)).toEqual([1, 1])
  })

  test("another fact under the same key is refused, and the error names the key", async () => {
    const it = await quiet()
    const { signal } = await emit(it, { n: 1 }, { dedupeKey: "crm:42" })
    const refused = emit(it, { n: 2, secretPlan: "do not tell" }, { dedupeKey: "crm:42" })
    await expect(refused).rejects.toMatchObject({
      code: "idempotency_conflict",
      path: "dedupeKey",
      message: expect.stringContaining('dedupeKey "crm:42"'),
    })
    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining(signal.id) })
    await expect(refused).rejects.toMatchObject({ message: expect.not.stringContaining("do not tell") })
    expect(await facts(it.tenant)).toEqual([1, 1])
  })

  test("another fact under the same event id of a source is refused, and the error names both", async () => {
    const it = await quiet()
    const options = { source: "webhook:github", sourceEventId: "evt_1" }
    await emit(it, { n: 1 }, options)
    await expect(emit(it, { n: 2 }, options)).rejects.toMatchObject({
      code: "idempotency_conflict",
      path: "sourceEventId",
      message: expect.stringContaining('sourceEventId "evt_1" of source "webhook:github"'),
    })
    expect((await emit(it, { n: 2 }, { ...options, source: "webhook:slack" })).inserted).toBe(true)
  })

  test("a source that tells the same in other words may ask for the first", async () => {
    const it = await quiet()
    const first = await emit(it, { n: 1 }, { dedupeKey: "k" })
    const again = await emit(it, { n: 2 }, { dedupeKey: "k", onConflict: "existing" })
    expect(again).toEqual({ signal: first.signal, inserted: false })
    expect(await facts(it.tenant)).toEqual([1, 1])
  })

  test("the order of an object's keys makes no other fact, nor does how a number is written", async () => {
    const it = await quiet()
    await emit(it, { a: 1, b: { c: [1, 2], d: null } }, { dedupeKey: "k" })
    const same = [{ b: { d: null, c: [1, 2] }, a: 1 }, JSON.parse('{"a": 1.0, "b": {"c": [1e0, 20e-1], "d": null}}')]
    for (const data of same) expect((await emit(it, data, { dedupeKey: "k" })).inserted).toBe(false)
    await expect(emit(it, { a: 1, b: { c: [2, 1], d: null } }, { dedupeKey: "k" })).rejects.toMatchObject({
      code: "idempotency_conflict",
    })
  })

  test("type, source, subject and schema belong to the fact; time, cause and who may see it do not", async () => {
    const it = await quiet()
    const base = { source: "/crm", subject: "lead:1", dataschema: "https://example.test/a", dedupeKey: "k" }
    await emit(it, {}, { ...base, time: "2026-01-01T00:00:00Z" })
    const more = { visibility: "admin_only" as const, metadata: { correlation_id: "other" }, extensions: { rank: 1 } }
    expect((await emit(it, {}, { ...base, ...more, time: "2026-02-02T00:00:00Z" })).inserted).toBe(false)
    for (const other of [{ source: "/erp" }, { subject: "lead:2" }, { dataschema: "https://example.test/b" }]) {
      await expect(emit(it, {}, { ...base, ...other })).rejects.toMatchObject({ code: "idempotency_conflict" })
    }
  })
})

describe("one call with several signals", () => {
  test("under one key stores the first, and answers for each", async () => {
    const { tenant } = await quiet()
    const item = { type: "a.b", data: { n: 1 }, dedupeKey: "k" }
    const results = await tenant.emitMany([item, { type: "a.b", data: {} }, item])
    expect(results.map(({ inserted }) => inserted)).toEqual([true, true, false])
    expect(results[2]?.signal.id).toBe(results[0]?.signal.id)
    expect(await facts(tenant)).toEqual([2, 2])
  })

  test("of which two say different things under one key is refused", async () => {
    const { tenant } = await quiet()
    const items = [1, 2].map((n) => ({ type: "a.b", data: { n }, dedupeKey: "k" }))
    await expect(tenant.emitMany(items)).rejects.toMatchObject({
      code: "idempotency_conflict",
      message: expect.stringContaining('"k"'),
    })
  })

  test("stores nothing when one is refused for its key", async () => {
    const { tenant } = await quiet()
    await tenant.emit("a.b", { n: 1 }, { dedupeKey: "taken" })
    const items = [
      { type: "a.b", data: { n: 7 } },
      { type: "a.b", data: { n: 2 }, dedupeKey: "taken" },
    ]
    await expect(tenant.emitMany(items)).rejects.toMatchObject({ code: "idempotency_conflict" })
    expect(await facts(tenant)).toEqual([1, 1])
  })

  test("of which one is refused for its key says which", async () => {
    const { tenant } = await quiet()
    await tenant.emit("a.b", { n: 1 }, { dedupeKey: "taken" })
    const items = [
      { type: "a.b", data: {} },
      { type: "a.b", data: { n: 2 }, dedupeKey: "taken" },
    ]
    await expect(tenant.emitMany(items)).rejects.toMatchObject({ path: "[1].dedupeKey" })
  })

  test.each<[string, Breaks]>([
    ["met another in a deadlock", { before: Object.assign(new Error("deadlock detected"), { code: "40P01" }) }],
    ["was committed unheard", { after: new FleetPromptError("database_connection_lost", "the test cut the line") }],
  ])("is tried again when it %s", async (_, breaks) => {
    const { tenant } = await testFleet(onceBroken(db.database, breaks), { worker: false, handlers: [noop] })
    const item = { type: "a.b", data: { n: 1 }, dedupeKey: "k" }
    const results = await tenant.emitMany([item, { type: "a.b", data: {} }, item])
    expect(results.map(({ inserted }) => inserted)).toEqual([true, true, false])
    expect(await facts(tenant)).toEqual([2, 2])
  })

  test("in a transaction that is refused may be undone, and the transaction goes on otherwise", async () => {
    const { fleet, tenant } = await quiet()
    await tenant.emit("a.b", { n: 1 }, { dedupeKey: "taken" })
    await fleet.transaction(async (tx) => {
      await expect(tenant.emit("a.b", { n: 2 }, { dedupeKey: "taken", tx })).rejects.toMatchObject({
        code: "idempotency_conflict",
      })
      expect((await tenant.emit("a.b", { n: 3 }, { dedupeKey: "free", tx })).inserted).toBe(true)
    })
    expect(await facts(tenant)).toEqual([2, 2])
  })
})

test("a call that names both keys is told of the one that is taken", async () => {
  const { tenant } = await quiet()
  await tenant.emit("a.b", { n: 1 }, { source: "s", sourceEventId: "1", dedupeKey: "one" })
  await expect(
    tenant.emit("a.b", { n: 2 }, { source: "s", sourceEventId: "2", dedupeKey: "one" }),
  ).rejects.toMatchObject({ path: "dedupeKey", message: expect.stringContaining('dedupeKey "one"') })
  await expect(
    tenant.emit("a.b", { n: 2 }, { source: "s", sourceEventId: "1", dedupeKey: "two" }),
  ).rejects.toMatchObject({ message: expect.stringContaining('sourceEventId "1"') })
})

test("and the path is that of the same key", async () => {
  const { tenant } = await quiet()
  await tenant.emit("a.b", { n: 1 }, { source: "s", sourceEventId: "1", dedupeKey: "one" })
  await expect(
    tenant.emit("a.b", { n: 2 }, { source: "s", sourceEventId: "1", dedupeKey: "two" }),
  ).rejects.toMatchObject({ path: "sourceEventId" })
})

test("whoever emits what under which key at once: one fact for each key, the rest hears of it or is refused", async () => {
  const { tenant } = await quiet()
  const calls = fc.array(fc.record({ key: fc.integer({ min: 0, max: 3 }), n: fc.integer({ min: 0, max: 1 }) }), {
    minLength: 1,
    maxLength: 20,
  })
  let round = 0
  await fc.assert(
    fc.asyncProperty(calls, async (all) => {
      round += 1
      const settled = await Promise.allSettled(
        all.map(({ key, n }) => tenant.emit("a.b", { n }, { dedupeKey: `${round}:${key}` })),
      )
      const winners = new Map<number, EmitResult>()
      settled.forEach((result, at) => {
        if (result.status === "fulfilled" && result.value.inserted) {
          expect(winners.has(all[at]?.key ?? -1)).toBe(false)
          winners.set(all[at]?.key ?? -1, result.value)
        }
      })
      expect(new Set(winners.keys())).toEqual(new Set(all.map(({ key }) => key)))
      settled.forEach((result, at) => {
        const winner = winners.get(all[at]?.key ?? -1)
        const isSame = JSON.stringify(winner?.signal.data) === JSON.stringify({ n: all[at]?.n })
        if (isSame) expect(result).toMatchObject({ status: "fulfilled", value: { signal: { id: winner?.signal.id } } })
        else expect(result).toMatchObject({ status: "rejected", reason: { code: "idempotency_conflict" } })
      })
    }),
    { numRuns: 30 },
  )
})

describe.each(placements)("a key that outlived its signal, %s schema", (placement) => {
  /** Retention removed a signal and kept its key. */
  async function withExpired(keys: { dedupeKey?: string; sourceEventId?: string }, isOver = false) {
    const it = await quiet()
    const { slug } = await it.fleet.tenants.provision(testSlug("placed"), { placement })
    const tenant = it.fleet.tenant(slug)
    const signalId = newId()
    const hash = contentHash({ type: "lead.received", source: "app", data: { b: 2, a: 1 } }).toString("hex")
    const { schema } = tenantScope(slug, placement)
    await db.database.query(
      `insert into ${schema}.expired_keys
         (tenant, signal_id, source, dedupe_key, source_event_id, content_hash, occurred_at, expires_at)
       values ($1, $2::text::uuid, 'app', $3, $4, decode($5, 'hex'), '2026-01-01T00:00:00.123Z',
         now() + ($6::float8 * interval '1 hour'))`,
      [slug, signalId, keys.dedupeKey ?? null, keys.sourceEventId ?? null, hash, isOver ? -1 : 1],
    )
    return { it: { ...it, tenant }, signalId }
  }

  test.each(ways)("answers with the old id, and nothing is stored anew: %s", async (_, emit) => {
    const { it, signalId } = await withExpired({ dedupeKey: "old" })
    const result = await emit(it, { a: 1, b: 2 }, { dedupeKey: "old" })
    expect(result).toMatchObject({
      inserted: false,
      signal: { id: signalId, time: "2026-01-01T00:00:00.123Z", data: { a: 1, b: 2 } },
    })
    expect(await facts(it.tenant)).toEqual([0, 0])
  })

  test.each(ways)("refuses another fact: %s", async (_, emit) => {
    const { it, signalId } = await withExpired({ dedupeKey: "old" })
    const refused = emit(it, { a: 1, b: 3 }, { dedupeKey: "old" })
    await expect(refused).rejects.toMatchObject({
      code: "idempotency_conflict",
      message: expect.stringMatching(new RegExp(`"old".*${signalId}`)),
    })
    const kept = await emit(it, { a: 1, b: 3 }, { dedupeKey: "old", onConflict: "existing" })
    expect(kept).toMatchObject({ inserted: false, signal: { id: signalId } })
    expect(await facts(it.tenant)).toEqual([0, 0])
  })

  test("is known by a source's event id as well", async () => {
    const { it, signalId } = await withExpired({ sourceEventId: "evt_1" })
    const [emit] = ways.map(([, way]) => way)
    if (!emit) throw new Error("there are ways")
    expect((await emit(it, { a: 1, b: 2 }, { sourceEventId: "evt_1" })).signal.id).toBe(signalId)
    expect((await emit(it, { a: 1, b: 2 }, { sourceEventId: "evt_1", source: "other" })).inserted).toBe(true)
  })

  test("is forgotten when its time is over", async () => {
    const { it } = await withExpired({ dedupeKey: "old" }, true)
    expect((await it.tenant.emit("lead.received", { n: 9 }, { dedupeKey: "old" })).inserted).toBe(true)
    expect(await facts(it.tenant)).toEqual([1, 1])
  })

  test("harms no other signal of the same call", async () => {
    const { it, signalId } = await withExpired({ dedupeKey: "old" })
    const results = await it.tenant.emitMany([
      { type: "lead.received", data: { a: 1, b: 2 }, dedupeKey: "old" },
      { type: "lead.received", data: { n: 1 } },
    ])
    expect(results.map(({ inserted }) => inserted)).toEqual([false, true])
    expect(results[0]?.signal.id).toBe(signalId)
    expect(await facts(it.tenant)).toEqual([1, 1])
  })
})

test("a fact that the tenant has already is told of as such, with no deliveries", async () => {
  const { fleet, tenant } = await quiet()
  const { signal } = await tenant.emit("a.b", {}, { dedupeKey: "k" })
  const told = nextEvent(fleet, "signal.emitted")
  await tenant.emit("a.b", {}, { dedupeKey: "k" })
  expect(await told).toMatchObject({ signalId: signal.id, inserted: false, deliveries: 0 })
})
