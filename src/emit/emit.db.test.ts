import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import { tenantScope } from "../store/tenant-scope.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const idle = { worker: false as const }
const everyone = ["internal", "admin_only"] as const

describe("what is emitted is stored", () => {
  test("a signal is read back as it was, with its defaults", async () => {
    const { tenant } = await testFleet(db.database, idle)
    const { signal, inserted } = await tenant.emit("lead.received", { leadId: "1", tags: ["a", null, { b: 1.5 }] })
    expect(inserted).toBe(true)
    const stored = await tenant.signals.get(signal.id, everyone)
    const { tenant: slug, metadata, visibility, dedupeKey, sourceEventId, ...cloudEvent } = signal
    expect(stored?.signal).toEqual(cloudEvent)
    expect(stored).toMatchObject({
      metadata,
      visibility,
      dedupeKey,
      sourceEventId,
      deliveries: [],
      ancestors: [],
      effects: [],
    })
    expect(slug).toBe(tenant.slug)
    expect(metadata).toEqual({ schema_version: 1, correlation_id: signal.id, causation_id: null })
    expect(visibility).toBe("internal")
    expect(signal).toMatchObject({ specversion: "1.0", source: "app", type: "lead.received" })
  })

  test("every attribute is kept, also those without a column", async () => {
    const { tenant } = await testFleet(db.database, idle)
    const attributes = {
      source: "/crm",
      subject: "lead:42",
      time: "2026-01-31T12:00:00.123456789+02:00",
      dataschema: "https://example.test/lead.json",
      extensions: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", sampled: true, rank: 3 },
      metadata: {
        schema_version: 2,
        correlation_id: "trip-7",
        actor_role: "admin",
        actor_user_id: "0192f0c1-0000-7000-8000-000000000001",
      },
      visibility: "admin_only" as const,
      dedupeKey: "zillow:1",
      sourceEventId: "evt_1",
    }
    const { signal } = await tenant.emit("lead.received", null, attributes)
    const stored = await tenant.signals.get(signal.id, everyone)
    const { extensions, metadata, visibility, dedupeKey, sourceEventId, ...envelope } = attributes
    expect(stored?.signal).toEqual({
      specversion: "1.0",
      id: signal.id,
      type: "lead.received",
      data: null,
      ...envelope,
      ...extensions,
    })
    expect(stored).toMatchObject({ metadata, visibility, dedupeKey, sourceEventId })
  })

  test("any JSON value comes back equal", async () => {
    const { tenant } = await testFleet(db.database, idle)
    const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)
    await fc.assert(
      fc.asyncProperty(json.filter(isStorable), async (data) => {
        const { signal } = await tenant.emit("any.json", data, { onSecret: "redact" })
        const stored = await tenant.signals.get(signal.id, everyone)
        expect(stored?.signal["data"]).toEqual(signal.data)
      }),
      { numRuns: 60 },
    )
  })

  test("a reader sees only what it may", async () => {
    const { tenant } = await testFleet(db.database, idle)
    const { signal } = await tenant.emit("payroll.run", {}, { visibility: "admin_only" })
    expect(await tenant.signals.get(signal.id, ["internal"])).toBeUndefined()
    expect((await tenant.signals.list({ limit: 10, visibilities: ["internal"] })).signals).toEqual([])
    expect((await tenant.signals.list({ limit: 10, visibilities: everyone })).signals).toHaveLength(1)
  })
})

describe("a fact is stored once", () => {
  const noop = defineHandler({ name: "noop", on: "**", run: () => {} })

  test("by its dedupe key", async () => {
    const { tenant } = await testFleet(db.database, { ...idle, handlers: [noop] })
    const first = await tenant.emit("lead.received", { n: 1 }, { dedupeKey: "k" })
    const again = await tenant.emit("lead.received", { n: 1 }, { dedupeKey: "k" })
    expect(again).toEqual({ signal: first.signal, inserted: false })
    expect(await tenant.openDeliveries()).toBe(1)
  })

  test("by source and the provider's event id; another source may have the same id", async () => {
    const { tenant } = await testFleet(db.database, { ...idle, handlers: [noop] })
    const first = await tenant.emit("a.b", {}, { source: "webhook:github", sourceEventId: "1" })
    const again = await tenant.emit("a.b", {}, { source: "webhook:github", sourceEventId: "1" })
    const other = await tenant.emit("a.b", {}, { source: "webhook:slack", sourceEventId: "1" })
    expect([again.inserted, again.signal.id === first.signal.id, other.inserted]).toEqual([false, true, true])
    expect(await tenant.openDeliveries()).toBe(2)
  })

  test("also when a hundred callers emit it at once", async () => {
    const { tenant } = await testFleet(db.database, { ...idle, handlers: [noop] })
    const results = await Promise.all(Array.from({ length: 100 }, () => tenant.emit("a.b", {}, { dedupeKey: "same" })))
    expect(results.filter(({ inserted }) => inserted)).toHaveLength(1)
    expect(new Set(results.map(({ signal }) => signal.id)).size).toBe(1)
    expect(await tenant.openDeliveries()).toBe(1)
  })

  test("and a duplicate leaves a caller's transaction usable", async () => {
    const { fleet, tenant } = await testFleet(db.database, { ...idle, handlers: [noop] })
    await tenant.emit("a.b", {}, { dedupeKey: "k" })
    await fleet.transaction(async (tx) => {
      expect((await tenant.emit("a.b", {}, { dedupeKey: "k", tx })).inserted).toBe(false)
      expect((await tenant.emit("a.b", {}, { dedupeKey: "other", tx })).inserted).toBe(true)
    })
    expect((await tenant.counts()).signals).toBe(2)
  })
})

describe("a caller's transaction", () => {
  const handlers = [defineHandler({ name: "noop", on: "**", run: () => {} })]

  test("that rolls back leaves nothing, and is not heard of", async () => {
    const { fleet, tenant } = await testFleet(db.database, { ...idle, handlers })
    const heard: string[] = []
    fleet.onCommit({ onCommit: ({ stored }) => heard.push(...stored), onGap: () => {} })
    const rolledBack = fleet.transaction(async (tx) => {
      await tenant.emit("a.b", {}, { tx })
      throw new Error("changed my mind")
    })
    await expect(rolledBack).rejects.toThrow("changed my mind")
    const told = new Promise<void>((resolve) => fleet.onCommit({ onCommit: () => resolve(), onGap: () => {} }))
    const { signal } = await tenant.emit("c.d", {})
    await told
    expect(heard).toEqual([signal.id])
    expect([(await tenant.counts()).signals, await tenant.openDeliveries()]).toEqual([1, 1])
  })

  test("that commits stores signal, delivery and the caller's own row together", async () => {
    const { fleet, tenant } = await testFleet(db.database, { ...idle, handlers })
    await fleet.transaction(async (tx) => {
      await tx.query("create table if not exists caller_rows (id text primary key)")
      await tx.query("insert into caller_rows values ($1)", [tenant.slug])
      await tenant.emit("a.b", {}, { tx })
    })
    expect([(await tenant.counts()).signals, await tenant.openDeliveries()]).toEqual([1, 1])
    expect(await db.database.query("select id from caller_rows where id = $1", [tenant.slug])).toHaveLength(1)
  })

  test("that is none is refused", async () => {
    const { tenant } = await testFleet(db.database, idle)
    await expect(tenant.emit("a.b", {}, { tx: {} as never })).rejects.toMatchObject({ code: "transaction_unsupported" })
  })
})

describe("what is wrong is refused and stores nothing", () => {
  test.each([
    ["data_not_json", { a: Number.NaN }, {}],
    ["data_not_json", { a: "\u0000" }, {}],
    ["data_too_deep", JSON.parse("[".repeat(65) + "]".repeat(65)), {}],
    ["data_too_large", { text: "ä".repeat(600_000) }, {}],
    ["secret_refused", { password: "hunter2hunter2" }, {}],
    ["signal_invalid", {}, { subject: "" }],
    ["signal_invalid", {}, { dedupeKey: "x".repeat(501) }],
    ["signal_invalid", {}, { sourceEventId: "a\u0000" }],
    ["signal_invalid", {}, { visibility: "public" as never }],
    ["signal_invalid", {}, { extensions: { tenant: "other" } }],
    ["signal_invalid", {}, { extensions: { id: "mine" } }],
    ["signal_invalid", {}, { metadata: { causation_id: "not-an-id" } }],
    ["signal_invalid", {}, { metadata: { schema_version: 0 } }],
  ])("%s", async (code, data, options) => {
    const { tenant } = await testFleet(db.database, idle)
    await expect(tenant.emit("a.b", data, options)).rejects.toMatchObject({ code })
    expect((await tenant.counts()).signals).toBe(0)
  })

  test("a secret is named by its place, never by its value", async () => {
    const { tenant } = await testFleet(db.database, idle)
    const refused = tenant.emit("a.b", { user: { api_key: "s3cr3t-value-1234" } })
    await expect(refused).rejects.toMatchObject({
      path: "data.user.api_key",
      message: expect.not.stringContaining("s3cr3t"),
    })
  })

  test("where the source cannot ask again, a secret or unstorable text is replaced, and the place is kept", async () => {
    const { tenant } = await testFleet(db.database, idle)
    const { signal } = await tenant.emit(
      "a.b",
      { api_key: "s3cr3t-value-1234", note: "a\u0000b" },
      { onSecret: "redact" },
    )
    expect(JSON.stringify(signal)).not.toContain("s3cr3t")
    expect(signal.data).toMatchObject({ note: "a\uFFFDb" })
    expect(signal.metadata.redactions).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: "data.note" }),
        expect.objectContaining({ path: "data.api_key" }),
      ]),
    )
    const stored = await tenant.signals.get(signal.id, everyone)
    expect(stored?.metadata.redactions).toEqual(signal.metadata.redactions)
  })

  test("a tenant that does not exist, or a slug that is none", async () => {
    const { fleet } = await testFleet(db.database, idle)
    await expect(fleet.tenant("nobody_here").emit("a.b", {})).rejects.toMatchObject({ code: "tenant_unknown" })
    expect(() => fleet.tenant('x"; drop schema public; --')).toThrow(
      expect.objectContaining({ code: "tenant_invalid" }),
    )
  })

  test("a fleet that is stopped", async () => {
    const { fleet, tenant } = await testFleet(db.database, idle)
    await fleet.stop()
    await expect(tenant.emit("a.b", {})).rejects.toMatchObject({ code: "fleet_stopped" })
  })
})

describe("a stored signal cannot be changed", () => {
  test.each([
    "update :t set type = 'x'",
    "update :t set metadata = '{}' where id = '00000000-0000-0000-0000-000000000000'",
    "truncate :t",
  ])("%s is refused by the database", async (text) => {
    const { tenant } = await testFleet(db.database, idle)
    await tenant.emit("a.b", {})
    const statement = text.replace(":t", `${tenantScope(tenant.slug).schema}.signals`)
    await expect(db.database.query(statement)).rejects.toThrow(/immutable/)
    expect((await tenant.counts()).signals).toBe(1)
  })
})

test("the table of signals has the columns and indexes of the specification", async () => {
  const { tenant } = await testFleet(db.database, idle)
  const schema = `org_${tenant.slug}`
  const columns = await db.database.query<{ name: string; type: string; nullable: string }>(
    `select column_name::text as name, data_type::text as type, is_nullable::text as nullable
     from information_schema.columns where table_schema = $1 and table_name = 'signals' order by column_name`,
    [schema],
  )
  expect(columns.map(({ name, type, nullable }) => `${name} ${type}${nullable === "YES" ? "" : " not null"}`)).toEqual([
    "data jsonb not null",
    "dedupe_key text",
    "id uuid not null",
    "inserted_at timestamp with time zone not null",
    "metadata jsonb not null",
    "occurred_at timestamp with time zone not null",
    "position bigint not null",
    "source text not null",
    "source_event_id text",
    "subject_id uuid",
    "subject_type text",
    "tenant text not null",
    "tx_id xid8 not null",
    "type text not null",
    "updated_at timestamp with time zone not null",
    "visibility text not null",
  ])
  const indexes = await db.database.query<{ definition: string }>(
    "select indexdef::text as definition from pg_indexes where schemaname = $1 and tablename = 'signals'",
    [schema],
  )
  const shapes = indexes.map(({ definition }) => definition.replace(/INDEX \w+ ON \S+ USING (btree )?/, "")).toSorted()
  expect(shapes).toEqual([
    "CREATE (subject_type, subject_id) WHERE (subject_id IS NOT NULL)",
    'CREATE (tx_id, "position")',
    "CREATE (type)",
    "CREATE UNIQUE (dedupe_key) WHERE (dedupe_key IS NOT NULL)",
    "CREATE UNIQUE (id)",
    "CREATE UNIQUE (source, source_event_id) WHERE (source_event_id IS NOT NULL)",
    "CREATE brin (occurred_at) WITH (pages_per_range='16', autosummarize='on')",
  ])
})

test("one tenant's signals are not another's", async () => {
  const { fleet, tenant } = await testFleet(db.database, idle)
  const other = fleet.tenant((await fleet.tenants.provision(testSlug("other"))).slug)
  const { signal } = await tenant.emit("a.b", { marker: "mine" }, { dedupeKey: "k" })
  expect((await other.emit("a.b", {}, { dedupeKey: "k" })).inserted).toBe(true)
  expect(await other.signals.get(signal.id, everyone)).toBeUndefined()
  expect(await other.signals.read([signal.id], everyone)).toEqual([])
  expect(JSON.stringify(await other.signals.list({ limit: 500, visibilities: everyone }))).not.toContain(signal.id)
})

function isStorable(value: unknown): boolean {
  const text = JSON.stringify(value)
  return text.isWellFormed() && !text.includes("\\u0000") && !/\\ud[89a-f]/.test(text)
}
