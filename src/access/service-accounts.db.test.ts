import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { withTestKeys } from "../../test/support/test-keys.ts"
import { newId } from "../signal/id.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const soon = { timeout: 30_000, interval: 20 }

async function accountFleet() {
  const started = await testFleet(db.database, withTestKeys())
  const account = await started.tenant.serviceAccounts.create({ name: "importer", role: "admin" })
  const owner = { kind: "service_account", id: account.id } as const
  const { key } = await started.tenant.apiKeys.create({ name: "k", role: "owner", owner })
  return { ...started, account, key }
}

describe("a service account's key", () => {
  test("calls as the account, with no more than its role", async () => {
    const { fleet, account, key, tenant } = await accountFleet()
    expect(await fleet.apiKeys.check(key)).toMatchObject({
      kind: "service_account",
      id: account.id,
      role: "admin",
      tenant: tenant.slug,
    })
    await tenant.serviceAccounts.update(account.id, { role: "member" })
    await expect.poll(async () => (await fleet.apiKeys.check(key))?.role, soon).toBe("member")
  })

  test("does not work while the account is disabled, and ends with the account", async () => {
    const { fleet, account, key, tenant } = await accountFleet()
    await tenant.serviceAccounts.update(account.id, { enabled: false })
    await expect.poll(() => fleet.apiKeys.check(key), soon).toBeUndefined()
    await tenant.serviceAccounts.update(account.id, { enabled: true })
    await expect.poll(() => fleet.apiKeys.check(key), soon).toBeDefined()
    await tenant.serviceAccounts.remove(account.id)
    await expect.poll(() => fleet.apiKeys.check(key), soon).toBeUndefined()
    expect((await tenant.apiKeys.list()).map(({ status }) => status)).toEqual(["revoked"])
    expect(await tenant.serviceAccounts.list()).toEqual([])
  })
})

test("names are of one account, and other tenants see nothing", async () => {
  const { fleet, tenant, account } = await accountFleet()
  await expect(tenant.serviceAccounts.create({ name: "importer", role: "member" })).rejects.toMatchObject({
    code: "service_account_exists",
  })
  const second = await tenant.serviceAccounts.create({ name: "exporter", role: "member" })
  await expect(tenant.serviceAccounts.update(second.id, { name: "importer" })).rejects.toMatchObject({
    code: "service_account_exists",
  })
  const slug = testSlug("other")
  await fleet.tenants.provision(slug)
  const other = fleet.tenant(slug).serviceAccounts
  expect(await other.list()).toEqual([])
  expect(await other.get(account.id)).toBeUndefined()
  await expect(other.update(account.id, { enabled: false })).rejects.toMatchObject({ code: "service_account_unknown" })
  await expect(other.remove(account.id)).rejects.toMatchObject({ code: "service_account_unknown" })
  await expect(
    fleet
      .tenant(slug)
      .apiKeys.create({ name: "k", role: "member", owner: { kind: "service_account", id: account.id } }),
  ).rejects.toMatchObject({ code: "service_account_unknown" })
  // A name that another tenant has is free.
  expect(await other.create({ name: "importer", role: "member" })).toMatchObject({ name: "importer" })
})

test("what is no account is told so", async () => {
  const { tenant } = await accountFleet()
  for (const id of [newId(), "nothing"]) {
    await expect(tenant.serviceAccounts.update(id, { enabled: false })).rejects.toMatchObject({
      code: "service_account_unknown",
    })
    await expect(tenant.serviceAccounts.remove(id)).rejects.toMatchObject({ code: "service_account_unknown" })
  }
  await expect(tenant.serviceAccounts.create({ name: " ", role: "member" })).rejects.toMatchObject({
    code: "api_key_invalid",
  })
})
