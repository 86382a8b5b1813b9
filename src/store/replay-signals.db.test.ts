import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { placements, storeSignals, tenantOf } from "../../test/support/tenant-rows.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import type { IndexWalker } from "./index-walk.ts"
import {
  BEGINNING,
  countReplaySignals,
  endOf,
  selectReplayPage,
  type SignalSelection,
  takeSnapshot,
} from "./replay-signals.ts"
import type { OrderPlace } from "./signal-order.ts"
import type { TenantScope } from "./tenant-scope.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

async function everything(typeExpression: string | null = null): Promise<SignalSelection> {
  const none = { signalId: null, from: null, to: null, subject: null, correlationId: null, source: null }
  return { ...none, typeExpression, snapshot: await takeSnapshot(db.database) }
}

/** All ids of a selection, by pages whose sizes take turns. */
async function walk(scope: TenantScope, selection: SignalSelection, sizes: readonly number[]): Promise<string[]> {
  const ids: string[] = []
  let after: OrderPlace | null = BEGINNING
  for (let page = 0; after; page++) {
    const limit = sizes[page % sizes.length] ?? 1
    const { signals, next } = await selectReplayPage(db.database, scope, selection, { after, limit })
    expect(signals.length).toBeLessThanOrEqual(limit)
    ids.push(...signals.map(({ signal }) => signal.id))
    after = next
  }
  return ids
}

test.each(placements)("pages of any size show every signal once, in order (%s)", async (placement) => {
  const scope = await tenantOf(db.database, placement)
  const stored: { readonly id: string; readonly type: string }[] = []
  const types = ["order.created", "order.paid", "mail.sent"]
  for (const size of [1, 7, 1, 30, 2, 1, 19]) {
    const rows = Array.from({ length: size }, (_, n) => ({ type: types[(n + size) % 3] ?? "" }))
    const ids = await storeSignals(db.database, scope, rows)
    stored.push(...ids.map((id, n) => ({ id, type: rows[n]?.type ?? "" })))
  }
  const size = fc.integer({ min: 1, max: 70 })
  await fc.assert(
    fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 3 }), fc.boolean(), async (sizes, onlyOrders) => {
      const selection = await everything(onlyOrders ? "^order\\." : null)
      const expected = stored.filter(({ type }) => !onlyOrders || type.startsWith("order.")).map(({ id }) => id)
      expect(await walk(scope, selection, sizes)).toEqual(expected)
      expect(await countReplaySignals(db.database, scope, selection, BEGINNING)).toEqual({
        count: expected.length,
        next: null,
      })
    }),
    { numRuns: 25 },
  )
})

test("behind the end there is nothing, whatever comes later", async () => {
  const scope = await tenantOf(db.database, "own")
  await storeSignals(db.database, scope, [{}, {}])
  const selection = await everything()
  await storeSignals(db.database, scope, [{}])
  const after = endOf(selection.snapshot)
  expect(await selectReplayPage(db.database, scope, selection, { after, limit: 10 })).toEqual({
    signals: [],
    next: null,
  })
  expect(await walk(scope, selection, [10])).toHaveLength(2)
})

test.each(placements)("a page goes along the index also when the statistics are old (%s)", async (placement) => {
  const scope = await tenantOf(db.database, placement)
  await db.database.query(
    `insert into ${scope.schema}.signals (tenant, id, type, source, data, occurred_at)
     select $1, gen_random_uuid(), 'common', 'app', '{}', now() from generate_series(1, 5000)`,
    [scope.slug],
  )
  const plans: string[] = []
  const explained: IndexWalker = {
    query: (text, values) => db.database.query(text, values),
    transaction: (run) =>
      db.database.transaction((tx) =>
        run({
          script: (text) => tx.script(text),
          query: async (text, values) => {
            if (!text.includes("ReplayPage")) return tx.query(text, values)
            const rows = await tx.query<{ "QUERY PLAN": string }>(`explain ${text}`, values)
            plans.push(rows.map((row) => row["QUERY PLAN"]).join("\n"))
            return []
          },
        }),
      ),
  }
  await selectReplayPage(explained, scope, await everything(), { after: BEGINNING, limit: 200 })
  const [plan = ""] = plans
  expect(plan.match(/Index (Only )?Scan using signals_order_index/g)).toHaveLength(2)
  expect(plan).not.toContain("Seq Scan")
  // Only the page itself is sorted, at the very end.
  expect(plan.match(/Sort Key/g) ?? []).toHaveLength(1)
})
