import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { auditKeys, auditRig, entry } from "../../test/support/audit-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testSlug } from "../../test/support/test-fleet.ts"
import { PLATFORM_LOG } from "../store/audit-intake.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { appendAudit, appendPlatformAudit } from "./append-audit.ts"
import { openAuditLog } from "./audit-door.ts"
import { chainAudit } from "./chain-writer.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const good = { ok: true, signed: true, waiting: 0, findings: [] }

describe.each(["own", "shared"] as const)("the log of a tenant with the placement %s", (placement) => {
  test("holds what was appended, in order, from its commit on", async () => {
    const { log, append } = await auditRig(db.database, testSlug(), { placement })
    expect(await log.verify()).toMatchObject({ ...good, signed: false, rows: 0, head: undefined })
    await append(entry(1), entry(2))
    await append(entry(3, { outcome: "denied", correlationId: "c-1" }))
    const { entries, next } = await log.list()
    expect(next).toBeNull()
    expect(entries).toMatchObject([
      { position: 3, resource: "member:3", outcome: "denied", correlationId: "c-1", details: { n: 3 } },
      { position: 2, resource: "member:2", outcome: "done", correlationId: null },
      { position: 1, resource: "member:1", actor: { kind: "user", id: "user-1", role: "owner" } },
    ])
    expect(await log.verify()).toMatchObject({ ...good, rows: 3, head: { position: 3 } })
  })

  test("does not hold what was rolled back", async () => {
    const { scope, log } = await auditRig(db.database, testSlug(), { placement })
    const failed = withinTenant(db.database, scope, async (tx) => {
      await appendAudit(tx, scope, [entry(1)])
      throw new Error("not done after all")
    })
    await expect(failed).rejects.toThrow("not done after all")
    expect((await log.list()).entries).toEqual([])
  })

  test("has no fork and no gap when many append and chain at once", async () => {
    const { scope, log, append } = await auditRig(db.database, testSlug(), { placement })
    const keys = auditKeys()
    const chain = () => chainAudit(scope.slug, { database: db.database, keys: async () => keys })
    await Promise.all(Array.from({ length: 60 }, (_, n) => (n % 3 === 0 ? chain() : append(entry(n)))))
    const report = await log.verify()
    expect(report).toMatchObject({ ...good, rows: 40, head: { position: 40 } })
    const { entries } = await log.list({ limit: 500 })
    expect(new Set(entries.map(({ resource }) => resource)).size).toBe(40)
  })
})

test("a long log is chained and checked in batches", async () => {
  const { log, append } = await auditRig(db.database, testSlug())
  for (let batch = 0; batch < 3; batch++) await append(...Array.from({ length: 900 }, (_, n) => entry(batch * 900 + n)))
  const progress: number[] = []
  const report = await log.verify({ onProgress: (checked) => progress.push(checked) })
  expect(report).toMatchObject({ ...good, rows: 2_700 })
  expect(progress).toEqual([1_000, 2_000, 2_700])
})

describe("a list", () => {
  test("has filters", async () => {
    const { log, append } = await auditRig(db.database, testSlug())
    await append(
      entry(1),
      entry(2, { action: "credential.use", resource: "credential:9", actor: { kind: "system", id: "mail.send" } }),
      entry(3, { action: "member.remove", outcome: "failed" }),
    )
    const positions = async (options: Parameters<typeof log.list>[0]) =>
      (await log.list(options)).entries.map(({ position }) => position)
    expect(await positions({ actor: "mail.send" })).toEqual([2])
    expect(await positions({ actorKind: "user" })).toEqual([3, 1])
    expect(await positions({ action: "member.**" })).toEqual([3, 1])
    expect(await positions({ action: "member.remove" })).toEqual([3])
    expect(await positions({ resource: "member:1" })).toEqual([1])
    expect(await positions({ resource: "member:*" })).toEqual([3, 1])
    expect(await positions({ outcome: "failed" })).toEqual([3])
    expect(await positions({ to: "2020-01-01T00:00:00Z" })).toEqual([])
    expect(await positions({ from: "2020-01-01T00:00:00Z", limit: 2 })).toEqual([3, 2])
    expect(await positions({ before: 3 })).toEqual([2, 1])
  })

  test.each([
    [{ limit: 0 }, "query_invalid"],
    [{ limit: 501 }, "query_invalid"],
    [{ before: 0.5 }, "query_invalid"],
    [{ from: "yesterday" }, "query_invalid"],
    [{ action: "a..b" }, "pattern_invalid"],
  ])("refuses %j", async (options, code) => {
    const { log } = await auditRig(db.database, testSlug(JSON.stringify(options)))
    await expect(log.list(options)).rejects.toMatchObject({ code })
  })
})

test("the platform has a log of its own", async () => {
  await auditRig(db.database, testSlug())
  const keys = auditKeys()
  const log = openAuditLog(PLATFORM_LOG, () => ({
    database: db.database,
    keys: async () => keys,
    placements: { findToRead: () => Promise.reject(new Error("it is no tenant")) },
  }))
  await db.database.transaction((tx) => appendPlatformAudit(tx, [entry(1, { action: "tenant.provision" })]), {
    role: "engine",
  })
  expect((await log.list()).entries).toMatchObject([{ action: "tenant.provision" }])
  expect(await log.verify()).toMatchObject({ ...good, tenant: "*" })
})

describe("an entry", () => {
  test("keeps no secret, and nothing that Postgres cannot hold", async () => {
    const { log, append } = await auditRig(db.database, testSlug())
    const secret = ["ghp", "_", "a1B2".repeat(9)].join("")
    await append(
      entry(1, {
        resource: `url:https://user:hunter2hunter2@example.com/\u0000${secret}`,
        details: { password: "hunter2hunter2", text: `token ${secret}`, nul: "a\u0000b" },
      }),
    )
    const text = JSON.stringify(await log.list())
    expect(text).not.toContain("hunter2")
    expect(text).not.toContain(secret.slice(0, 12))
    expect(await log.verify()).toMatchObject(good)
  })

  test("with large details keeps their size", async () => {
    const { log, append } = await auditRig(db.database, testSlug())
    await append(entry(1, { details: { text: "x".repeat(20_000) } }))
    expect((await log.list()).entries).toMatchObject([{ details: { omitted: true, bytes: 20_011 } }])
  })

  test("needs an action that is a dotted name", async () => {
    const { append } = await auditRig(db.database, testSlug())
    await expect(append(entry(1, { action: "Do It" }))).rejects.toMatchObject({ code: "data_invalid" })
  })
})

describe("the walls", () => {
  test.each([
    ["change", "update {log} set action = 'x'"],
    ["remove", "delete from {log}"],
    ["empty", "truncate {log}"],
    ["add to", "insert into {log} select * from {log}"],
    ["move the end of", "update {heads} set position = 0"],
    ["remove the end of", "delete from {heads}"],
    ["take back what waits for", "delete from fleetprompt.audit_intake"],
    ["read what waits for", "select * from fleetprompt.audit_intake"],
  ])("keep a tenant's transaction from doing this: %s its log", async (_, text) => {
    const { scope, append, log } = await auditRig(db.database, testSlug(text))
    await append(entry(1))
    await log.list()
    const run = withinTenant(db.database, scope, (tx) => tx.query(filled(text, scope.schema)))
    await expect(run).rejects.toThrow(/permission denied/)
  })

  test.each([
    ["change", "update {log} set action = 'x'"],
    ["remove", "delete from {log}"],
    ["empty", "truncate {log}"],
    ["read", "select details from {log}"],
    ["remove the end of", "delete from {heads}"],
  ])("keep the engine from doing this: %s a tenant's log", async (_, text) => {
    const { scope, append, log } = await auditRig(db.database, testSlug(text))
    await append(entry(1))
    await log.list()
    const run = db.database.transaction((tx) => tx.query(filled(text, scope.schema)), { role: "engine" })
    await expect(run).rejects.toThrow(/permission denied/)
  })

  test.each(["update {log} set action = 'x'", "delete from {log}", "truncate {log}"])(
    "keep the owner from a mistake: %s",
    async (text) => {
      const { scope, append, log } = await auditRig(db.database, testSlug(text))
      await append(entry(1))
      await log.list()
      const run = db.database.owner.transaction((tx) => tx.query(filled(text, scope.schema)))
      await expect(run).rejects.toThrow(/an audit log only grows/)
    },
  )

  test("let no tenant write into another's log", async () => {
    const { scope } = await auditRig(db.database, testSlug())
    const other = await auditRig(db.database, testSlug("other"))
    const run = withinTenant(db.database, scope, (tx) => appendAudit(tx, other.scope, [entry(1)]))
    await expect(run).rejects.toThrow(/row-level security/)
  })
})

function filled(text: string, schema: string): string {
  return text.replaceAll("{log}", `${schema}.audit_log`).replaceAll("{heads}", `${schema}.audit_heads`)
}
