import { randomBytes } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { entry } from "../../test/support/audit-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

describe.each([
  ["own", "shared"],
  ["shared", "own"],
] as const)("a tenant that is moved from %s to %s", (from, to) => {
  test("takes its audit log along, which is sound and goes on", async () => {
    const { fleet } = await testFleet(db.database)
    const slug = testSlug("moved")
    await fleet.tenants.provision(slug, { placement: from })
    await fleet.tenants.provision(testSlug("other"), { placement: to })
    const { audit } = fleet.tenant(slug)
    await audit.append([entry(1), entry(2)])
    const anchor = await audit.head()
    if (!anchor) throw new Error("no head")
    await audit.append([entry(3)])
    const operation = await fleet.operations.wait((await fleet.tenants.move(slug, { placement: to })).id)
    expect(operation).toMatchObject({ status: "completed", error: null })
    await audit.append([entry(4)])
    const report = await audit.verify({ anchors: [anchor] })
    expect(report).toMatchObject({ ok: true, signed: true, waiting: 0 })
    const { entries } = await audit.list({ action: "member.role.change" })
    expect(entries.map(({ resource }) => resource)).toEqual(["member:4", "member:3", "member:2", "member:1"])
  })
})

test("two fleets with one key ring write one chain", async () => {
  const { fleet, tenant } = await testFleet(db.database, { worker: false, audit: { pollMs: 10 } })
  const other = await testFleet(db.database, { worker: false, audit: { pollMs: 10 } })
  expect(await other.fleet.auditPublicKey()).toBe(await fleet.auditPublicKey())
  const [one, two] = [tenant.audit, other.fleet.tenant(tenant.slug).audit]
  await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? one : two).append([entry(n)])))
  const report = await tenant.audit.verify()
  expect(report).toMatchObject({ ok: true, signed: true, rows: 40 })
})

test("a fleet without a key ring keeps a log that is not signed", async () => {
  const { fleet } = await testFleet(db.database, { worker: false, keys: undefined })
  const slug = testSlug("unsigned")
  await fleet.tenants.provision(slug)
  await fleet.tenant(slug).audit.append([entry(1)])
  expect(await fleet.auditPublicKey()).toBeUndefined()
  expect(await fleet.tenant(slug).audit.verify()).toMatchObject({ ok: true, signed: false, rows: 1 })
})

test("a key can be given instead", async () => {
  const key = randomBytes(32)
  const { fleet } = await testFleet(db.database, { worker: false, audit: { key } })
  const again = await testFleet(db.database, { worker: false, audit: { key }, keys: undefined })
  expect(await fleet.auditPublicKey()).toBe(await again.fleet.auditPublicKey())
})
