import { expect, onTestFinished, test } from "vitest"
import { makeLogins } from "../../test/isolation/logins.ts"
import { withTestKeys } from "../../test/support/test-keys.ts"
import { createFleet, type Fleet } from "../fleet.ts"
import type { Tenant } from "../tenants/tenant.ts"

const soon = { timeout: 30_000, interval: 20 }

async function ownedFleet(logins: Awaited<ReturnType<typeof makeLogins>>): Promise<Fleet> {
  const fleet = createFleet({
    databaseUrl: logins.appUrl,
    ownerUrl: logins.ownerUrl,
    worker: false,
    retention: false,
    production: true,
    ...withTestKeys(),
  })
  await fleet.start()
  onTestFinished(() => fleet.stop())
  return fleet
}

async function usesOf(tenant: Tenant): Promise<readonly (string | null)[]> {
  return (await tenant.apiKeys.list()).map(({ lastUsedFrom }) => lastUsedFrom)
}

test("with a login that owns nothing, keys are made, checked, used, revoked and counted in all processes", async () => {
  const logins = await makeLogins()
  const fleet = await ownedFleet(logins)
  await fleet.tenants.provision("acme")
  const acme = fleet.tenant("acme")
  const account = await acme.serviceAccounts.create({ name: "importer", role: "member" })
  const owner = { kind: "service_account", id: account.id } as const
  const { key, record } = await acme.apiKeys.create({ name: "k", role: "member", owner })
  const other = await ownedFleet(logins)
  expect(await other.apiKeys.check(key, "192.0.2.1")).toMatchObject({ tenant: "acme", id: account.id })
  await acme.serviceAccounts.update(account.id, { enabled: false })
  await expect.poll(() => other.apiKeys.check(key), soon).toBeUndefined()
  await acme.serviceAccounts.update(account.id, { enabled: true })
  await expect.poll(() => other.apiKeys.check(key), soon).toBeDefined()
  await acme.apiKeys.rotate(record.id, { overlapMs: 0 })
  await expect.poll(() => other.apiKeys.check(key), soon).toBeUndefined()
  const limit = { name: "shared", limit: 2, windowMs: 3_600_000 }
  expect((await fleet.limiter.take(limit, "a")).allowed).toBe(true)
  expect((await other.limiter.take(limit, "a")).allowed).toBe(true)
  expect((await fleet.limiter.take(limit, "a")).allowed).toBe(false)
  // The last uses are noted when a process stops.
  await other.stop()
  expect(await usesOf(acme)).toEqual([null, "192.0.2.1"])
  const person = await fleet.people.create({ email: "ada@acme.example", name: "Ada" })
  await fleet.organisations.create({ tenant: "acme", name: "Acme", ownerId: person.id, of: "existing" })
  const hers = await acme.apiKeys.create({ name: "hers", role: "owner", owner: { kind: "user", id: person.id } })
  expect(await fleet.apiKeys.check(hers.key)).toMatchObject({ role: "owner" })
})
