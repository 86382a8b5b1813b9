import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { withTestKeys } from "../../test/support/test-keys.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const soon = { timeout: 30_000, interval: 20 }

/** A key with the role admin of a person who is an admin. */
async function personFleet() {
  const started = await testFleet(db.database, withTestKeys())
  const slug = started.tenant.slug
  const owner = await started.fleet.people.create({ email: `owner@${slug}.example`, name: "Owner" })
  const person = await started.fleet.people.create({ email: `person@${slug}.example`, name: "Person" })
  await started.fleet.organisations.create({ tenant: slug, name: "Org", ownerId: owner.id, of: "existing" })
  await started.tenant.members.add(person.id, "admin")
  const key = { name: "k", role: "admin", owner: { kind: "user", id: person.id } } as const
  const made = await started.tenant.apiKeys.create(key)
  return { ...started, person, key: made.key, id: made.record.id, keyOptions: key }
}

test("a person's key may no more than the person may now", async () => {
  const { fleet, tenant, person, key, id } = await personFleet()
  expect(await fleet.apiKeys.check(key)).toMatchObject({ kind: "api_key", id, role: "admin", tenant: tenant.slug })
  await tenant.members.changeRole(person.id, "member")
  await expect.poll(async () => (await fleet.apiKeys.check(key))?.role, soon).toBe("member")
  await tenant.members.changeRole(person.id, "owner")
  // Never more than the key's own role.
  await expect.poll(async () => (await fleet.apiKeys.check(key))?.role, soon).toBe("admin")
})

test("a person who is removed or disabled takes the key along", async () => {
  const { fleet, tenant, person, key, keyOptions } = await personFleet()
  await fleet.people.disable(person.id)
  await expect.poll(() => fleet.apiKeys.check(key), soon).toBeUndefined()
  await fleet.people.enable(person.id)
  await expect.poll(() => fleet.apiKeys.check(key), soon).toBeDefined()
  await tenant.members.remove(person.id)
  await expect.poll(() => fleet.apiKeys.check(key), soon).toBeUndefined()
  await expect(tenant.apiKeys.create(keyOptions)).rejects.toMatchObject({ code: "member_unknown" })
})

test("membership elsewhere gives a key nothing here", async () => {
  const { fleet, person, keyOptions } = await personFleet()
  const slug = testSlug("other")
  await fleet.tenants.provision(slug)
  await expect(fleet.tenant(slug).apiKeys.create(keyOptions)).rejects.toMatchObject({ code: "member_unknown" })
  expect(await fleet.people.get(person.id)).toMatchObject({ status: "active" })
})
