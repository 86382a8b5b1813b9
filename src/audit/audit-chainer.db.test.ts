import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { auditKeys, auditRig, entry } from "../../test/support/audit-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { insertAuditIntake, PLATFORM_LOG } from "../store/audit-intake.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { appendAudit } from "./append-audit.ts"
import { AuditChainer } from "./audit-chainer.ts"
import { auditRecord } from "./audit-entry.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const keys = auditKeys()

function chainer() {
  const told: string[] = []
  const telemetry = { tell: (name: string) => void told.push(name) }
  return { told, chainer: new AuditChainer({ database: db.database, keys: async () => keys, telemetry }) }
}

/** Actions of the entries that a log's tables have, first to last. */
async function chained(schema: string, tenant: string): Promise<readonly string[]> {
  const rows = await db.database.owner.transaction((tx) =>
    tx.query<{ action: string }>(`select action from ${schema}.audit_log where tenant = $1 order by position`, [
      tenant,
    ]),
  )
  return rows.map(({ action }) => action)
}

async function waiting(tenant: string): Promise<number> {
  const rows = await db.database.owner.transaction((tx) =>
    tx.query("select from fleetprompt.audit_intake where tenant = $1", [tenant]),
  )
  return rows.length
}

test("a fleet gives entries their places by itself", async () => {
  const { tenant } = await testFleet(db.database, { worker: false, audit: { pollMs: 20 } })
  const scope = tenantScope(tenant.slug)
  await withinTenant(db.database, scope, (tx) => appendAudit(tx, scope, [entry(1)]))
  await vi.waitFor(async () => expect(await chained(scope.schema, scope.slug)).toEqual(["member.role.change"]))
})

test("one round serves all logs, and two processes at once fork none", async () => {
  const slugs = [1, 2, 3, 4, 5, 6].map((n) => testSlug(`${n}`))
  const rigs = []
  for (const slug of slugs) rigs.push(await auditRig(db.database, slug))
  for (const rig of rigs) await rig.append(entry(1), entry(2))
  await Promise.all([chainer().chainer.chainAll(), chainer().chainer.chainAll()])
  for (const { scope, log } of rigs) {
    expect(await chained(scope.schema, scope.slug)).toHaveLength(2)
    expect(await log.verify()).toMatchObject({ ok: true, rows: 2 })
  }
})

describe("entries wait", () => {
  test.each([
    ["is moved", "update fleetprompt.tenants set status = 'moving', status_before = 'ready' where slug = $1"],
    ["has a schema from before", "update fleetprompt.tenants set schema_version = 2 where slug = $1"],
  ])("while their tenant %s", async (what, text) => {
    const { scope, append } = await auditRig(db.database, testSlug(what))
    await append(entry(1))
    await db.database.owner.transaction((tx) => tx.query(text, [scope.slug]))
    await chainer().chainer.chainAll()
    expect([await chained(scope.schema, scope.slug), await waiting(scope.slug)]).toEqual([[], 1])
    await db.database.owner.transaction((tx) =>
      tx.query("update fleetprompt.tenants set status = 'ready', schema_version = 3 where slug = $1", [scope.slug]),
    )
    await chainer().chainer.chainAll()
    expect([await chained(scope.schema, scope.slug), await waiting(scope.slug)]).toEqual([["member.role.change"], 0])
  })
})

test("what is left of a tenant that has gone becomes the platform's", async () => {
  await auditRig(db.database, testSlug())
  const gone = testSlug("gone")
  await db.database.transaction((tx) => insertAuditIntake(tx, [auditRecord(gone, entry(7))]), { role: "engine" })
  await chainer().chainer.chainAll()
  await chainer().chainer.chainAll()
  expect(await waiting(gone)).toBe(0)
  const rows = await db.database.owner.transaction((tx) =>
    tx.query("select details from fleetprompt.audit_log where tenant = $1 and resource = 'member:7'", [PLATFORM_LOG]),
  )
  expect(rows).toEqual([{ details: { details: { n: 7 }, tenant: gone } }])
})

test("a log that is not as it was left is told of once, and harms no other", async () => {
  const broken = await auditRig(db.database, testSlug("broken"))
  const sound = await auditRig(db.database, testSlug("sound"))
  await broken.append(entry(1))
  await broken.log.list()
  await db.database.owner.transaction((tx) =>
    tx.query(`update ${broken.scope.schema}.audit_heads set signature = null, key_id = null`),
  )
  await broken.append(entry(2))
  await sound.append(entry(2))
  const { told, chainer: one } = chainer()
  await one.chainAll()
  await one.chainAll()
  expect(told).toEqual(["audit.broken"])
  expect(await waiting(broken.scope.slug)).toBe(1)
  expect(await chained(sound.scope.schema, sound.scope.slug)).toHaveLength(1)
})
