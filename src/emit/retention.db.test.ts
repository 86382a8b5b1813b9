import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { insertPlainSignals, type PlainSignal } from "../../test/support/plain-signals.ts"
import { type TestDatabase, testDatabase } from "../../test/support/test-database.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import { newId } from "../signal/id.ts"
import type { Database, Queryable } from "../store/database.ts"
import { selectExpiredTwin } from "../store/expired-keys.ts"
import { migrateControl } from "../store/migrate.ts"
import { selectSignals } from "../store/signals.ts"
import { type Placement, type TenantScope, tenantScope } from "../store/tenant-scope.ts"
import type { TelemetryEvents } from "../telemetry/events.ts"
import { Telemetry } from "../telemetry/telemetry.ts"
import { provisionTenant } from "../tenants/provision.ts"
import { contentHash } from "./content-hash.ts"
import { retain, type RetainOptions, type Retained } from "./retention.ts"

let db: TestDatabase

beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())

const placements: readonly Placement[] = ["own", "shared"]
const telemetry = new Telemetry()
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at)

async function testTenant(placement: Placement, more = ""): Promise<TenantScope> {
  const slug = testSlug(more)
  await provisionTenant(db.database, slug, { placement })
  return tenantScope(slug, placement)
}

function insert(scope: TenantScope, signals: readonly PlainSignal[]): Promise<readonly string[]> {
  return insertPlainSignals(db.database, scope, signals)
}

function retainIn(
  scope: TenantScope,
  options: Partial<RetainOptions> = {},
  database: Pick<Database, "transaction" | "of"> = db.database,
): Promise<Retained> {
  return retain(scope, { days: 30, ...options }, { database, telemetry })
}

/** The database, with something else in the place of its statements. */
function withQuery(instead: (tx: Queryable, ...call: Parameters<Queryable["query"]>) => Promise<readonly object[]>) {
  const wrap = (tx: Queryable): Queryable["query"] => {
    // The rows are those of the statement.
    return async <Row extends object>(text: string, values?: readonly unknown[]) =>
      (await instead(tx, text, values)) as readonly Row[]
  }
  const transaction: Database["transaction"] = (run, options) =>
    db.database.transaction((tx) => run({ script: (text) => tx.script(text), query: wrap(tx) }), options)
  return {
    transaction,
    of: (tenants: readonly TenantScope[]) => ({ query: wrap(db.database.of(tenants)) }),
  }
}

/** The ids that a table of the tenant has in a column, sorted. */
async function idsIn(scope: TenantScope, table: string, column: string): Promise<readonly string[]> {
  const rows = await db.database.query<{ id: string }>(
    `select ${column} as id from ${scope.schema}.${table} where tenant = $1 order by 1`,
    [scope.slug],
  )
  return rows.map(({ id }) => id)
}

const signalIds = (scope: TenantScope): Promise<readonly string[]> => idsIn(scope, "signals", "id")
const expiredIds = (scope: TenantScope): Promise<readonly string[]> => idsIn(scope, "expired_keys", "signal_id")

async function openDelivery(scope: TenantScope, signalId: string): Promise<void> {
  await db.database.query(`insert into fleetprompt.deliveries (tenant, signal_id, handler) values ($1, $2, 'h')`, [
    scope.slug,
    signalId,
  ])
}

/** All that hangs on a signal: a cause, an effect, an attempt, a dead letter. */
async function hangOn(scope: TenantScope, id: string): Promise<void> {
  const { schema, slug } = scope
  await db.database.query(
    `insert into ${schema}.effects (tenant, cause_id, effect_id) values ($1, $2, $3), ($1, $3, $2)`,
    [slug, id, newId()],
  )
  await db.database.query(
    `insert into ${schema}.attempts (tenant, signal_id, handler, attempt, outcome, worker, started_at, finished_at)
     values ($1, $2, 'h', 1, 'failed', 'w', now(), now()), ($1, $2, 'h', 2, 'dead', 'w', now(), now())`,
    [slug, id],
  )
  await db.database.query(
    `insert into ${schema}.dead_letters (tenant, signal_id, handler, attempts) values ($1, $2, 'h', 2)`,
    [slug, id],
  )
}

describe.each(placements)("with placement %s", (placement) => {
  test("what is older than the days goes, with all that hangs on it; the rest stays", async () => {
    const scope = await testTenant(placement)
    const other = await testTenant(placement, "other")
    const [old = "", young = ""] = await insert(scope, [{ ageDays: 30.01 }, { ageDays: 29.99 }])
    const [others = ""] = await insert(other, [{ ageDays: 40 }])
    for (const [owner, id] of [
      [scope, old],
      [scope, young],
      [other, others],
    ] as const)
      await hangOn(owner, id)
    expect(await retainIn(scope)).toEqual({ signals: 1, keys: 0 })
    expect(await signalIds(scope)).toEqual([young])
    expect(await idsIn(scope, "attempts", "signal_id")).toEqual([young, young])
    expect(await idsIn(scope, "dead_letters", "signal_id")).toEqual([young])
    expect(
      new Set([...(await idsIn(scope, "effects", "cause_id")), ...(await idsIn(scope, "effects", "effect_id"))]),
    ).toContain(young)
    expect(await idsIn(scope, "effects", "cause_id")).toHaveLength(2)
    expect(await signalIds(other)).toEqual([others])
    expect(await idsIn(other, "effects", "cause_id")).toHaveLength(2)
  })

  test("a signal that is still to be handled stays until it was", async () => {
    const scope = await testTenant(placement)
    const ids = await insert(
      scope,
      numbers(7).map(() => ({ ageDays: 99 })),
    )
    const open = ids.filter((_, at) => at % 2 === 0)
    for (const id of open) await openDelivery(scope, id)
    expect(await retainIn(scope, { batch: 2 })).toEqual({ signals: 3, keys: 0 })
    expect(await signalIds(scope)).toEqual(open.toSorted())
    await db.database.query("delete from fleetprompt.deliveries where tenant = $1", [scope.slug])
    expect(await retainIn(scope, { batch: 2 })).toEqual({ signals: 4, keys: 0 })
  })

  test("keys outlive their signals, with the hash of what they stood for", async () => {
    const scope = await testTenant(placement)
    const data = { b: [1, 2.5, "\u00e9"], a: { z: null, y: 1e21 } }
    const ids = await insert(scope, [
      { ageDays: 40, dedupeKey: "k", data },
      { ageDays: 40, sourceEventId: "e" },
      { ageDays: 40 },
      { ageDays: 1, dedupeKey: "young" },
    ])
    const [byKey, byEvent] = await selectSignals(db.database, scope, ids)
    if (!byKey || !byEvent) throw new Error("expected the signals")
    const keyed = byKey.dedupeKey === "k" ? byKey : byEvent
    expect(await retainIn(scope)).toEqual({ signals: 3, keys: 0 })
    expect(await expiredIds(scope)).toEqual([ids[0], ids[1]].toSorted())
    const twin = await selectExpiredTwin(db.database, scope, { ...keyed, id: newId(), sourceEventId: null })
    expect(twin?.signalId).toBe(keyed.id)
    expect(twin?.occurredAt).toBe(keyed.time)
    expect(
      twin?.contentHash.equals(contentHash({ ...keyed, data: { a: { y: 1e21, z: null }, b: [1, 2.5, "\u00e9"] } })),
    ).toBe(true)
    expect(twin?.contentHash.equals(contentHash({ ...keyed, data: { a: 1 } }))).toBe(false)
    const event = { ...keyed, dedupeKey: null, sourceEventId: "e" }
    expect((await selectExpiredTwin(db.database, scope, event))?.signalId).toBe(ids[1])
    expect(await selectExpiredTwin(db.database, scope, { ...event, source: "elsewhere" })).toBeUndefined()
    expect(
      await selectExpiredTwin(db.database, scope, { ...keyed, dedupeKey: "young", sourceEventId: null }),
    ).toBeUndefined()
  })

  test("a key whose window is over is forgotten, and may stand for another signal", async () => {
    const scope = await testTenant(placement)
    await insert(
      scope,
      numbers(5).map((n) => ({ ageDays: 40, dedupeKey: `k${n}` })),
    )
    await retainIn(scope, { dedupeWindowDays: 10 })
    await db.database.query(
      `update ${scope.schema}.expired_keys set expires_at = now() where tenant = $1 and dedupe_key <> 'k0'`,
      [scope.slug],
    )
    const [anew] = await insert(scope, [{ ageDays: 40, dedupeKey: "k1" }])
    const signal = (await selectSignals(db.database, scope, [anew ?? ""]))[0]
    expect(signal && (await selectExpiredTwin(db.database, scope, signal))).toBeUndefined()
    expect(await retainIn(scope, { batch: 2 })).toEqual({ signals: 1, keys: 4 })
    expect(signal && (await selectExpiredTwin(db.database, scope, signal))?.signalId).toBe(anew)
    expect(await expiredIds(scope)).toHaveLength(2)
  })

  test("no key is kept for a window of 0 days", async () => {
    const scope = await testTenant(placement)
    await insert(scope, [{ ageDays: 40, dedupeKey: "k" }])
    expect(await retainIn(scope, { dedupeWindowDays: 0 })).toEqual({ signals: 1, keys: 0 })
    expect(await expiredIds(scope)).toEqual([])
  })

  test("two at once remove everything once", async () => {
    const scope = await testTenant(placement)
    const ids = await insert(
      scope,
      numbers(600).map((n) => ({ ageDays: 40, dedupeKey: `k${n}` })),
    )
    const both = await Promise.all([retainIn(scope, { batch: 50 }), retainIn(scope, { batch: 70 })])
    expect(both[0].signals + both[1].signals).toBe(600)
    expect(await signalIds(scope)).toEqual([])
    expect(await expiredIds(scope)).toEqual(ids.toSorted())
  })

  test("cut at any statement, it loses no key and ends its work the next time", async () => {
    const scope = await testTenant(placement)
    const cutAfter = async (statements: number): Promise<number> => {
      let left = statements
      const cut = withQuery((tx, text, values) =>
        left-- > 0 ? tx.query(text, values) : Promise.reject(new Error("the process is gone")),
      )
      await expect(retainIn(scope, { batch: 3 }, cut)).rejects.toThrow("gone")
      return statements - left - 1
    }
    for (const statements of numbers(12)) {
      await db.database.query(`delete from ${scope.schema}.expired_keys where tenant = $1`, [scope.slug])
      const ids = await insert(
        scope,
        numbers(8).map((n) => ({ ageDays: 40, dedupeKey: `${statements}:${n}` })),
      )
      expect(await cutAfter(statements)).toBe(statements)
      const left = new Set(await signalIds(scope))
      const known = new Set(await expiredIds(scope))
      // At no moment a late duplicate would find neither the signal nor its key.
      expect(ids.filter((id) => !left.has(id) && !known.has(id))).toEqual([])
      expect((await retainIn(scope, { batch: 3 })).signals).toBe(left.size)
      expect(await expiredIds(scope)).toEqual(ids.toSorted())
    }
  })

  test("an abort ends it between batches", async () => {
    const scope = await testTenant(placement)
    await insert(
      scope,
      numbers(10).map(() => ({ ageDays: 40 })),
    )
    const controller = new AbortController()
    const own = new Telemetry()
    const batches: TelemetryEvents["retention.batch"][] = []
    own.listen((name, fields) => {
      if (name !== "retention.batch") return
      // The name says whose fields they are.
      batches.push(fields as TelemetryEvents["retention.batch"])
      controller.abort(new Error("the worker stops"))
    })
    const options = { days: 30, batch: 4, abort: controller.signal }
    await expect(retain(scope, options, { database: db.database, telemetry: own })).rejects.toThrow("the worker stops")
    expect(batches).toEqual([{ tenant: scope.slug, signals: 4, durationMs: expect.any(Number) }])
    expect(await signalIds(scope)).toHaveLength(6)
  })

  test("every statement finds its rows by an index, among many and without statistics", async () => {
    const scope = await testTenant(placement)
    // Young ones behind the old: what is kept must not be read.
    const ages = numbers(20_000).map((n) => ({
      ageDays: n < 6_000 ? 40 : 1,
      ...(n % 3 === 0 && { dedupeKey: `k${n}` }),
    }))
    await insert(scope, ages)
    await fillTables(scope)
    const scanned: string[] = []
    let statements = 0
    const explained = withQuery(async (tx, text, values) => {
      statements++
      const plan = await tx.query<Plan>(`explain (format json) ${text}`, values)
      scanned.push(...plan.flatMap((row) => tablesScanned(row["QUERY PLAN"][0].Plan)))
      return tx.query(text, values)
    })
    expect(await retainIn(scope, {}, explained)).toEqual({ signals: 6_000, keys: 0 })
    expect(scanned.filter((table) => table !== "deliveries")).toEqual([])
    // One page more than was removed, and none of the rest.
    expect(statements).toBeLessThan(6 * (3 + 7) + 3)
    await db.database.query(`analyze ${scope.schema}.signals`)
    await retainIn(scope, { days: 0.5, batch: 5_000 }, explained)
    expect(scanned.filter((table) => table !== "deliveries")).toEqual([])
  })
})

/** For each signal a link, an attempt and a dead letter, and as many keys of others. */
async function fillTables({ schema, slug }: TenantScope): Promise<void> {
  const all = `from ${schema}.signals where tenant = $1`
  await db.database.query(
    `with links as (
       insert into ${schema}.effects (tenant, cause_id, effect_id) select tenant, id, gen_random_uuid() ${all}
     ), tries as (
       insert into ${schema}.attempts (tenant, signal_id, handler, attempt, outcome, worker, started_at, finished_at)
       select tenant, id, 'h', 1, 'done', 'w', now(), now() ${all}
     ), letters as (
       insert into ${schema}.dead_letters (tenant, signal_id, handler, attempts) select tenant, id, 'h', 1 ${all}
     )
     insert into ${schema}.expired_keys (tenant, signal_id, source, dedupe_key, content_hash, occurred_at, expires_at)
     select tenant, gen_random_uuid(), 'test', 'old:' || id, '', now(), now() + interval '1 day' ${all}`,
    [slug],
  )
}

interface Plan {
  readonly "QUERY PLAN": readonly [{ readonly Plan: PlanNode }]
}

interface PlanNode {
  readonly "Node Type": string
  readonly "Relation Name"?: string
  readonly Plans?: readonly PlanNode[]
}

/** Tables that a plan reads from end to end. */
function tablesScanned(node: PlanNode): readonly string[] {
  const below = (node.Plans ?? []).flatMap(tablesScanned)
  const relation = node["Relation Name"]
  return node["Node Type"] === "Seq Scan" && relation !== undefined ? [...below, relation] : below
}

test("wrong numbers of days are refused", async () => {
  const scope = await testTenant("own")
  const wrong = expect.objectContaining({ code: "config_invalid" })
  await expect(retainIn(scope, { days: -1 })).rejects.toThrow(wrong)
  await expect(retainIn(scope, { dedupeWindowDays: Number.NaN })).rejects.toThrow(wrong)
})
