import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { binding } from "../../test/support/bindings.ts"
import { closedGate } from "../../test/support/intercepted-database.ts"
import { tenantOf } from "../../test/support/tenant-rows.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import {
  type BindingKey,
  type BindingPlace,
  type BindingState,
  deleteOldBindingChanges,
  disableBindings,
  enableBindings,
  removeBindings,
  selectBindingChanges,
  selectBindingHorizon,
  selectBindings,
  selectBindingsOf,
  upsertBindings,
} from "./bindings.ts"
import { migrateControl } from "./migrate.ts"
import type { TenantScope } from "./tenant-scope.ts"
import { withinTenant } from "./within-tenant.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())
beforeEach(() => db.database.query("delete from fleetprompt.bindings"))

const OTHER = "0198a0b0-0000-7000-8000-000000000002"
const { installationId } = binding()

function named(count: number): ReturnType<typeof binding>[] {
  return Array.from({ length: count }, (_, n) => binding({ handler: `triage.h${n}` }))
}

/** Everything that is read from a place on, and the horizon of the first page. */
async function changesSince(changedTx: string, limit = 1_000) {
  const states: BindingState[] = []
  let place: BindingPlace = { changedTx, tenant: "", handler: "" }
  let horizon: string | undefined
  for (;;) {
    const page = await selectBindingChanges(db.database.hot, place, limit)
    horizon ??= page.horizon
    states.push(...page.states)
    const last = page.states.at(-1)
    if (!last || page.states.length < limit) return { horizon, states }
    place = last
  }
}

/** Tests of other files keep transactions open on the same server; until they end, a change may be told again. */
async function expectNoMore(since: string | undefined, scope: TenantScope): Promise<void> {
  let horizon = since ?? ""
  const told = async (): Promise<readonly string[]> => {
    const next = await changesSince(horizon)
    horizon = next.horizon ?? horizon
    return handlersOf(next.states, scope)
  }
  await expect.poll(told, { timeout: 50_000 }).toEqual([])
}

function handlersOf(states: readonly BindingState[], { slug }: TenantScope): readonly string[] {
  return states.flatMap(({ tenant, handler, binding: live }) =>
    tenant === slug ? [`${handler} ${live ? live.version : "removed"}`] : [],
  )
}

test("what was written is read, and written anew takes its place", async () => {
  const scope = await tenantOf(db.database, "own")
  const whole = binding({
    condition: { path: "data.n", op: "gt", value: 1 },
    params: { label: "bug" },
    config: { team: "web" },
    credentials: { github: OTHER },
  })
  await upsertBindings(db.database, scope.slug, [whole, binding({ handler: "triage.plain" })])
  const read = await selectBindingsOf(db.database, scope.slug, installationId)
  expect(read).toEqual([
    { ...whole, tenant: scope.slug },
    { ...binding({ handler: "triage.plain" }), tenant: scope.slug },
  ])
  await upsertBindings(db.database, scope.slug, [{ ...whole, version: "2.0.0", condition: null, isEnabled: false }])
  const [changed] = await selectBindingsOf(db.database, scope.slug, installationId)
  expect(changed).toMatchObject({ version: "2.0.0", condition: null, isEnabled: false, params: { label: "bug" } })
})

test("an installation's bindings are switched and removed, no other's", async () => {
  const scope = await tenantOf(db.database, "own")
  const { slug } = scope
  await upsertBindings(db.database, slug, [
    ...named(2),
    binding({ handler: "mail.send", package: "mail", installationId: OTHER }),
  ])
  const state = async (): Promise<unknown> =>
    [
      ...(await selectBindingsOf(db.database, slug, installationId)),
      ...(await selectBindingsOf(db.database, slug, OTHER)),
    ].map(({ handler, isEnabled }) => [handler, isEnabled])
  expect(await disableBindings(db.database, slug, installationId)).toBe(2)
  expect(await state()).toEqual([
    ["triage.h0", false],
    ["triage.h1", false],
    ["mail.send", true],
  ])
  expect(await enableBindings(db.database, slug, installationId)).toBe(2)
  expect(await removeBindings(db.database, slug, installationId, ["triage.h1"])).toEqual(["triage.h0"])
  expect(await state()).toEqual([
    ["triage.h1", true],
    ["mail.send", true],
  ])
})

test("a tenant sees and changes its own bindings alone", async () => {
  const [a, b] = [await tenantOf(db.database, "own", "a"), await tenantOf(db.database, "shared", "b")]
  for (const scope of [a, b]) await withinTenant(db.database, scope, (tx) => upsertBindings(tx, scope.slug, named(1)))
  for (const table of ["bindings", "binding_changes"]) {
    const seen = await withinTenant(db.database, a, (tx) => tx.query(`select tenant from fleetprompt.${table}`))
    expect(seen).toEqual([{ tenant: a.slug }])
  }
  expect(await withinTenant(db.database, a, (tx) => removeBindings(tx, b.slug, installationId))).toEqual([])
  await expect(withinTenant(db.database, a, (tx) => upsertBindings(tx, b.slug, named(1)))).rejects.toMatchObject({
    code: "42501",
  })
  expect(await selectBindingsOf(db.database, b.slug, installationId)).toHaveLength(1)
})

describe("all bindings and all changes", () => {
  test("are read by pages, those that were removed too", async () => {
    const scope = await tenantOf(db.database, "own")
    const before = await selectBindingHorizon(db.database)
    await upsertBindings(db.database, scope.slug, named(5))
    await removeBindings(db.database, scope.slug, installationId, ["triage.h0", "triage.h2", "triage.h4"])
    const all: BindingState[] = []
    for (let last: BindingKey | undefined; ;) {
      const page = await selectBindings(db.database.hot, last, 2)
      all.push(...page)
      last = page.at(-1)
      if (page.length < 2) break
    }
    const expected = ["triage.h0 1.0.0", "triage.h1 removed", "triage.h2 1.0.0", "triage.h3 removed", "triage.h4 1.0.0"]
    expect(handlersOf(all, scope)).toEqual(expected)
    const { states, horizon } = await changesSince(before, 2)
    expect(handlersOf(states, scope).toSorted()).toEqual(expected)
    await expectNoMore(horizon, scope)
  })

  test("tell a change by another transaction", async () => {
    const scope = await tenantOf(db.database, "own")
    const seen = new Set<string | undefined>()
    const note = async (): Promise<void> => {
      const states = await selectBindings(db.database.hot, undefined, 1_000)
      seen.add(states.find(({ tenant }) => tenant === scope.slug)?.changedTx)
    }
    await upsertBindings(db.database, scope.slug, named(1))
    await note()
    await note()
    expect(seen.size).toBe(1)
    for (const change of [disableBindings, enableBindings, removeBindings]) {
      await change(db.database, scope.slug, installationId)
      await note()
    }
    expect(seen.size).toBe(4)
  })
})

test.runIf(process.env["TEST_DATABASE"] === "server")("a change that commits late is not missed", async () => {
  const scope = await tenantOf(db.database, "own")
  const start = await selectBindingHorizon(db.database)
  const gate = closedGate()
  // It has its number, and stays open while a later one commits and a reader passes.
  const late = db.database.transaction(async (tx) => {
    await upsertBindings(tx, scope.slug, [binding({ handler: "triage.late" })])
    await gate.pass()
  })
  await gate.reached
  await upsertBindings(db.database, scope.slug, [binding({ handler: "triage.early" })])
  const first = await changesSince(start)
  expect(handlersOf(first.states, scope)).toEqual(["triage.early 1.0.0"])
  gate.open()
  await late
  const second = await changesSince(first.horizon ?? "")
  expect(handlersOf(second.states, scope).toSorted()).toEqual(["triage.early 1.0.0", "triage.late 1.0.0"])
  await expectNoMore(second.horizon, scope)
})

test("rows of a database that was restored, whose transactions are still to come here, are no changes", async () => {
  const scope = await tenantOf(db.database, "own")
  const before = await selectBindingHorizon(db.database)
  await upsertBindings(db.database, scope.slug, named(1))
  await db.database.query(
    "update fleetprompt.binding_changes set changed_tx = (pg_current_xact_id()::text::bigint + 1000000)::text::xid8 where tenant = $1",
    [scope.slug],
  )
  expect(handlersOf((await changesSince(before)).states, scope)).toEqual([])
  await disableBindings(db.database, scope.slug, installationId)
  expect(handlersOf((await changesSince(before)).states, scope)).toEqual(["triage.h0 1.0.0"])
})

test("what was removed is forgotten when nothing of it waits any more", async () => {
  const { slug } = await tenantOf(db.database, "own")
  await upsertBindings(db.database, slug, named(3))
  await removeBindings(db.database, slug, installationId, ["triage.h0"])
  await db.database.query(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler) values ($1, gen_random_uuid(), 'triage.h1')`,
    [slug],
  )
  const known = (): Promise<readonly object[]> =>
    db.database.query("select handler from fleetprompt.binding_changes where tenant = $1 order by handler", [slug])
  await deleteOldBindingChanges(db.database.hot, 60_000)
  expect(await known()).toHaveLength(3)
  await deleteOldBindingChanges(db.database.hot, 0)
  expect(await known()).toEqual([{ handler: "triage.h0" }, { handler: "triage.h1" }])
  await db.database.query("delete from fleetprompt.deliveries where tenant = $1", [slug])
})
