import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, type TestFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { FleetPromptError } from "../errors.ts"
import type { Queryable } from "../store/database.ts"
import type { UserRecord } from "../store/people.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { actingFor } from "./acting.ts"
import { NO_TENANT } from "./policy.ts"
import type { SignedIn } from "./signed-in.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** An address of the running test's own, since all tests of the file share the people. */
function address(name: string): string {
  return `${name}.${testSlug()}@example.com`
}

/** What Google says of Mia, another one in each test. */
function miaAtGoogle(): SignedIn {
  return { provider: "google", subject: testSlug(), email: address("mia"), emailVerified: true, name: "Mia" }
}

interface Organisation extends TestFleet {
  readonly owner: UserRecord
  readonly person: (name: string) => Promise<UserRecord>
}

async function organisation(): Promise<Organisation> {
  const started = await testFleet(db.database, { worker: false })
  const person = (name: string): Promise<UserRecord> => started.fleet.people.create({ email: address(name), name })
  const owner = await person("anna")
  await started.fleet.organisations.create({
    tenant: started.tenant.slug,
    name: "Acme",
    ownerId: owner.id,
    of: "existing",
  })
  return { ...started, owner, person }
}

const code = (code: string): FleetPromptError => expect.objectContaining({ code }) as FleetPromptError

describe("people", () => {
  test("have one address each, in small letters", async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    const mia = await fleet.people.create({ email: ` ${address("MIA").toUpperCase()} `, name: " Mia " })
    expect(mia).toMatchObject({ email: address("mia"), name: "Mia", status: "active", isOperator: false })
    await expect(fleet.people.create({ email: address("mia"), name: "Other" })).rejects.toEqual(code("user_exists"))
    expect(await fleet.people.find(address("Mia"))).toEqual(mia)
    expect(await fleet.people.get(mia.id)).toEqual(mia)
    expect(await fleet.people.get("no id")).toBeUndefined()
  })

  test.each([
    "",
    "mia",
    "mia@",
    "@example.com",
    "mia@localhost",
    "a b@example.com",
    `${"x".repeat(250)}@ex.com`,
    "mia@ex.com\u0000",
  ])("cannot have the address %j", async (email) => {
    const { fleet } = await testFleet(db.database, { worker: false })
    await expect(fleet.people.create({ email, name: "Mia" })).rejects.toEqual(code("person_invalid"))
  })

  test("can change their name and address, not to somebody else's", async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    const mia = await fleet.people.create({ email: address("mia"), name: "Mia" })
    const otto = await fleet.people.create({ email: address("otto"), name: "Otto" })
    expect(await fleet.people.change(mia.id, { name: "Mia B", email: address("mb") })).toMatchObject({
      name: "Mia B",
      email: address("mb"),
    })
    await expect(fleet.people.change(mia.id, { email: otto.email })).rejects.toEqual(code("user_exists"))
    await expect(fleet.people.change("nobody", { name: "x" })).rejects.toEqual(code("user_unknown"))
  })

  test("that are removed are nobody, and their organisations keep the others", async () => {
    const { fleet, tenant, owner, person } = await organisation()
    const mia = await person("mia")
    await tenant.members.add(mia.id, "owner")
    await fleet.people.remove(owner.id)
    expect(await fleet.people.get(owner.id)).toBeUndefined()
    expect((await tenant.members.list()).members.map(({ userId }) => userId)).toEqual([mia.id])
    await expect(fleet.people.remove(mia.id)).rejects.toEqual(code("last_owner"))
  })
})

describe("a sign-in", () => {
  test("finds the person by the identity, whatever became of the address", async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    const signedIn = miaAtGoogle()
    const mia = await fleet.people.signedIn(signedIn)
    expect(await fleet.people.signedIn({ ...signedIn, email: address("else") })).toEqual(mia)
    expect(await fleet.people.identities(mia.id)).toEqual([{ provider: "google", subject: testSlug() }])
  })

  test("links a verified address to the person who has it, and an unverified one to nobody", async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    const mia = await fleet.people.create({ email: address("mia"), name: "Mia" })
    const signedIn = {
      provider: "evil",
      subject: testSlug(),
      email: address("mia"),
      emailVerified: false,
      name: "Mallory",
    }
    await expect(fleet.people.signedIn(signedIn)).rejects.toEqual(code("identity_conflict"))
    expect(await fleet.people.identities(mia.id)).toEqual([])
    expect((await fleet.people.signedIn({ ...signedIn, provider: "good", emailVerified: true })).id).toBe(mia.id)
  })

  test("that comes many times at once makes one person", async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    const signedIn = miaAtGoogle()
    const all = await Promise.all(Array.from({ length: 8 }, () => fleet.people.signedIn(signedIn)))
    expect(new Set(all.map(({ id }) => id)).size).toBe(1)
  })

  test("of somebody disabled is refused", async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    const signedIn = miaAtGoogle()
    const mia = await fleet.people.signedIn(signedIn)
    await fleet.people.disable(mia.id)
    await expect(fleet.people.signedIn(signedIn)).rejects.toEqual(code("forbidden"))
    await fleet.people.enable(mia.id)
    expect((await fleet.people.signedIn(signedIn)).id).toBe(mia.id)
  })

  test("can be linked and unlinked, not with somebody else's identity", async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    const mia = await fleet.people.create({ email: address("mia"), name: "Mia" })
    const otto = await fleet.people.create({ email: address("otto"), name: "Otto" })
    const identity = { provider: "saml:acme", subject: testSlug() }
    await fleet.people.link(mia.id, identity)
    await fleet.people.link(mia.id, identity)
    await expect(fleet.people.link(otto.id, identity)).rejects.toEqual(code("identity_conflict"))
    expect(await fleet.people.unlink(otto.id, identity)).toBe(false)
    expect(await fleet.people.unlink(mia.id, identity)).toBe(true)
    expect(await fleet.people.identities(mia.id)).toEqual([])
  })
})

describe("an organisation", () => {
  test("is made with its tenant and its first owner", async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    const anna = await fleet.people.create({ email: address("anna"), name: "Anna" })
    const slug = testSlug("new")
    const made = await fleet.organisations.create({
      tenant: slug,
      name: "New",
      ownerId: anna.id,
      placement: "shared",
      class: "premium",
    })
    expect(made).toMatchObject({ tenant: slug, name: "New" })
    expect((await fleet.tenants.list()).find((each) => each.slug === slug)).toMatchObject({
      status: "ready",
      placement: "shared",
      class: "premium",
    })
    expect((await fleet.tenant(slug).members.list()).members).toMatchObject([{ userId: anna.id, role: "owner" }])
    expect(await fleet.people.principalOf(anna.id)).toEqual({ kind: "user", id: anna.id, tenant: slug, role: "owner" })
    expect(await fleet.tenant(slug).organisation.rename("Newer")).toMatchObject({ name: "Newer" })
    expect(await fleet.tenant(slug).organisation.get()).toMatchObject({ tenant: slug, name: "Newer" })
  })

  test("gets hold of no tenant that is there, unless that is asked for", async () => {
    const { fleet, tenant } = await testFleet(db.database, { worker: false })
    const anna = await fleet.people.create({ email: address("anna"), name: "Anna" })
    const wanted = { tenant: tenant.slug, name: "Acme", ownerId: anna.id }
    await expect(fleet.organisations.create(wanted)).rejects.toEqual(code("organisation_exists"))
    expect(await tenant.organisation.get()).toBeUndefined()
    expect(await fleet.people.organisationsOf(anna.id)).toEqual([])
    await fleet.organisations.create({ ...wanted, of: "existing" })
    await expect(fleet.organisations.create({ ...wanted, of: "existing" })).rejects.toEqual(code("organisation_exists"))
    await expect(fleet.organisations.create({ ...wanted, tenant: testSlug("none"), of: "existing" })).rejects.toEqual(
      code("tenant_unknown"),
    )
  })

  test("that many make at once is one person's", async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    const people = await Promise.all(
      ["a", "b", "c", "d"].map((name) => fleet.people.create({ email: address(name), name })),
    )
    const slug = testSlug("race")
    const made = await Promise.allSettled(
      people.map(({ id }) => fleet.organisations.create({ tenant: slug, name: "Race", ownerId: id })),
    )
    expect(made.filter(({ status }) => status === "fulfilled").length).toBe(1)
    expect((await fleet.tenant(slug).members.list()).members.length).toBe(1)
  })
})

describe("members", () => {
  test("are listed by pages", async () => {
    const { tenant, person } = await organisation()
    for (const name of ["b", "c", "d"]) await tenant.members.add((await person(name)).id, "member")
    const first = await tenant.members.list({ limit: 3 })
    const rest = await tenant.members.list({ limit: 3, after: first.next ?? "" })
    expect([first.members.length, rest.members.length, rest.next]).toEqual([3, 1, null])
    expect(new Set([...first.members, ...rest.members].map(({ userId }) => userId)).size).toBe(4)
    await expect(tenant.members.list({ limit: 0 })).rejects.toEqual(code("query_invalid"))
  })

  test("are added once, and only people who are known", async () => {
    const { tenant, owner, person, fleet } = await organisation()
    await expect(tenant.members.add(owner.id, "member")).rejects.toEqual(code("member_exists"))
    await expect(tenant.members.add(testSlug(), "member")).rejects.toEqual(code("user_unknown"))
    const mia = await person("mia")
    await fleet.people.disable(mia.id)
    await expect(tenant.members.add(mia.id, "member")).rejects.toEqual(code("user_unknown"))
    // A caller without types.
    await expect(tenant.members.add(mia.id, "operator" as "owner")).rejects.toEqual(code("person_invalid"))
  })

  test("cannot be in a tenant that has no organisation", async () => {
    const { fleet, tenant } = await testFleet(db.database, { worker: false })
    const mia = await fleet.people.create({ email: address("mia"), name: "Mia" })
    await expect(tenant.members.add(mia.id, "member")).rejects.toEqual(code("organisation_unknown"))
  })

  test("get other roles, and the last owner stays one", async () => {
    const { fleet, tenant, owner, person } = await organisation()
    await expect(tenant.members.changeRole(owner.id, "admin")).rejects.toEqual(code("last_owner"))
    await expect(tenant.members.remove(owner.id)).rejects.toEqual(code("last_owner"))
    await expect(fleet.people.disable(owner.id)).rejects.toEqual(code("last_owner"))
    const mia = await person("mia")
    await tenant.members.add(mia.id, "member")
    expect(await tenant.members.changeRole(mia.id, "owner")).toMatchObject({ userId: mia.id, role: "owner" })
    // A disabled owner is none who can act.
    await fleet.people.disable(mia.id)
    await expect(tenant.members.remove(owner.id)).rejects.toEqual(code("last_owner"))
    await fleet.people.enable(mia.id)
    await tenant.members.remove(owner.id)
    expect((await tenant.members.list()).members.map(({ userId }) => userId)).toEqual([mia.id])
    await expect(tenant.members.remove(owner.id)).rejects.toEqual(code("member_unknown"))
  })

  test("two owners who leave at the same moment leave one behind", async () => {
    const { tenant, owner, person } = await organisation()
    const mia = await person("mia")
    await tenant.members.add(mia.id, "owner")
    const left = await Promise.allSettled([
      tenant.members.remove(owner.id),
      tenant.members.changeRole(mia.id, "member"),
    ])
    expect(left.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"])
    expect((await tenant.members.list()).members.filter(({ role }) => role === "owner").length).toBe(1)
  })

  test("the database itself keeps an owner, until the whole tenant is removed", async () => {
    const { tenant } = await organisation()
    const scope = tenantScope(tenant.slug)
    for (const statement of [
      "delete from fleetprompt.memberships where tenant = $1",
      "update fleetprompt.memberships set role = 'member' where tenant = $1",
    ]) {
      const run = (tx: Queryable): Promise<readonly object[]> => tx.query(statement, [tenant.slug])
      await expect(run(db.database)).rejects.toThrow("without an owner")
      await expect(withinTenant(db.database, scope, run)).rejects.toThrow("without an owner")
      // Nobody else becomes the tables' owner by saying so.
      const asOwner = withinTenant(db.database, scope, async (tx) => {
        await tx.query("select set_config('fleetprompt.owner', 'on', true)")
        await run(tx)
      })
      await expect(asOwner).rejects.toThrow("without an owner")
    }
    await db.database.owner.transaction((tx) =>
      tx.query("delete from fleetprompt.memberships where tenant = $1", [tenant.slug]),
    )
    expect((await tenant.members.list()).members).toEqual([])
  })
})

describe("a tenant that is suspended", () => {
  test("has people who can be read and changed all the same", async () => {
    const { fleet, tenant, owner, person } = await organisation()
    await fleet.tenants.suspend(tenant.slug)
    const mia = await person("mia")
    await tenant.members.add(mia.id, "member")
    expect((await tenant.members.list()).members).toHaveLength(2)
    expect(await fleet.people.principalOf(owner.id)).toMatchObject({ tenant: tenant.slug })
    expect((await tenant.audit.list({ action: "member.add" })).entries).toHaveLength(2)
  })
})

describe("a tenant that is deleted", () => {
  test("takes its organisation along, and its people are nobody's members", async () => {
    const { fleet, tenant } = await testFleet(db.database)
    const anna = await fleet.people.create({ email: address("anna"), name: "Anna" })
    await fleet.organisations.create({ tenant: tenant.slug, name: "Acme", ownerId: anna.id, of: "existing" })
    await tenant.invitations.create({ email: address("mia") })
    const { id } = await fleet.tenants.delete(tenant.slug, { delayMs: 0 })
    await fleet.operations.wait(id)
    expect(await fleet.people.organisationsOf(anna.id)).toEqual([])
    expect(await fleet.people.principalOf(anna.id)).toMatchObject({ tenant: NO_TENANT })
    expect(await db.database.query("select from fleetprompt.invitations where tenant = $1", [tenant.slug])).toEqual([])
    await expect(tenant.members.list()).rejects.toEqual(code("tenant_unknown"))
    expect(await fleet.people.get(anna.id)).toMatchObject({ name: "Anna" })
  })
})

describe("old invitations", () => {
  test("are not kept for good", async () => {
    const { tenant } = await organisation()
    await tenant.invitations.create({ email: address("mia") })
    const age = (days: number): Promise<unknown> =>
      db.database.query(
        "update fleetprompt.invitations set expires_at = now() - $2::float8 * interval '1 day' where tenant = $1",
        [tenant.slug, days],
      )
    await age(89)
    await tenant.invitations.create({ email: address("otto") })
    expect((await tenant.invitations.list()).invitations.map(({ status }) => status)).toEqual(["open", "expired"])
    await age(91)
    await tenant.invitations.create({ email: address("new") })
    expect((await tenant.invitations.list()).invitations.map(({ email }) => email)).toEqual([address("new")])
  })
})

describe("who a person is", () => {
  test("is the chosen organisation, else the only one, else none", async () => {
    const { fleet, tenant, owner } = await organisation()
    const second = testSlug("second")
    await fleet.organisations.create({ tenant: second, name: "Second", ownerId: owner.id })
    expect(await fleet.people.principalOf(owner.id)).toMatchObject({ tenant: second })
    await fleet.people.choose(owner.id, tenant.slug)
    expect(await fleet.people.principalOf(owner.id)).toMatchObject({ tenant: tenant.slug })
    expect(await fleet.people.principalOf(owner.id, { tenant: second })).toMatchObject({ tenant: second })
    expect((await fleet.people.organisationsOf(owner.id)).map(({ isChosen, tenant: of }) => [of, isChosen])).toEqual(
      [
        [tenant.slug, true],
        [second, false],
      ].toSorted(),
    )
    await fleet.people.choose(owner.id, undefined)
    expect(await fleet.people.principalOf(owner.id)).toEqual({
      kind: "user",
      id: owner.id,
      tenant: NO_TENANT,
      role: "member",
    })
  })

  test("changes with the next request after a role or a membership did", async () => {
    const { fleet, tenant, person } = await organisation()
    const mia = await person("mia")
    await tenant.members.add(mia.id, "member")
    expect(await fleet.people.principalOf(mia.id)).toMatchObject({ tenant: tenant.slug, role: "member" })
    await tenant.members.changeRole(mia.id, "admin")
    expect(await fleet.people.principalOf(mia.id)).toMatchObject({ role: "admin" })
    await tenant.members.remove(mia.id)
    expect(await fleet.people.principalOf(mia.id)).toMatchObject({ tenant: NO_TENANT })
    await fleet.people.disable(mia.id)
    expect(await fleet.people.principalOf(mia.id)).toBeUndefined()
  })

  test("is nobody in another's organisation, whether there is one or not", async () => {
    const { fleet, tenant, person } = await organisation()
    const otto = await person("otto")
    const answers = await Promise.all(
      [tenant.slug, testSlug("no such tenant"), "Not a slug", "*"].map((slug) =>
        fleet.people.principalOf(otto.id, { tenant: slug }).catch((error: unknown) => String(error)),
      ),
    )
    expect(new Set(answers).size).toBe(1)
    await expect(fleet.people.choose(otto.id, tenant.slug)).rejects.toEqual(code("not_found"))
  })

  test("is the operator in every tenant, and themselves in their own", async () => {
    const { fleet, tenant, owner } = await organisation()
    const opal = await fleet.people.create({ email: address("opal"), name: "Opal", isOperator: true })
    expect(await fleet.people.principalOf(opal.id)).toEqual({
      kind: "operator",
      id: opal.id,
      tenant: NO_TENANT,
      role: "operator",
    })
    await fleet.people.choose(opal.id, tenant.slug)
    expect(await fleet.people.principalOf(opal.id)).toMatchObject({ kind: "operator", tenant: tenant.slug })
    await expect(fleet.people.principalOf(opal.id, { tenant: testSlug("none") })).rejects.toEqual(code("not_found"))
    await tenant.members.add(opal.id, "member")
    expect(await fleet.people.principalOf(opal.id)).toEqual({
      kind: "user",
      id: opal.id,
      tenant: tenant.slug,
      role: "member",
    })
    expect(await fleet.people.principalOf(opal.id, { tenant: "*" })).toMatchObject({
      kind: "operator",
      tenant: NO_TENANT,
    })
    await fleet.people.setOperator(owner.id, true)
    await fleet.people.setOperator(owner.id, false)
    expect(await fleet.people.principalOf(owner.id)).toMatchObject({ kind: "user", role: "owner" })
  })
})

describe("the walls", () => {
  test("show a tenant its own people alone, and let it change none of them", async () => {
    const { fleet, tenant, owner } = await organisation()
    const olga = await fleet.people.create({ email: address("olga"), name: "Olga" })
    const other = testSlug("other")
    await fleet.organisations.create({ tenant: other, name: "Other", ownerId: olga.id })
    await fleet.tenant(other).invitations.create({ email: address("invited") })
    await fleet.people.link(olga.id, { provider: "google", subject: testSlug() })
    const asTenant = (text: string): Promise<readonly object[]> =>
      withinTenant(db.database, tenantScope(tenant.slug), (tx) => tx.query(text))
    expect(await asTenant("select id from fleetprompt.users")).toEqual([{ id: owner.id }])
    expect(await asTenant("select user_id from fleetprompt.memberships")).toEqual([{ user_id: owner.id }])
    expect(await asTenant("select tenant from fleetprompt.organisations")).toEqual([{ tenant: tenant.slug }])
    expect(await asTenant("select id from fleetprompt.invitations")).toEqual([])
    for (const statement of [
      "select chosen_tenant from fleetprompt.users",
      "select is_operator from fleetprompt.users",
      "update fleetprompt.users set is_operator = true",
      "delete from fleetprompt.users",
      "insert into fleetprompt.users (id, email, name) values (gen_random_uuid(), 'a@b.c', 'x')",
      "select * from fleetprompt.identities",
      "insert into fleetprompt.identities values ('google', 'x', gen_random_uuid())",
    ]) {
      await expect(asTenant(statement), statement).rejects.toThrow("permission denied")
    }
    const stolen = `insert into fleetprompt.memberships (tenant, user_id, role) values ('${other}', '${owner.id}', 'owner')`
    await expect(asTenant(stolen)).rejects.toThrow("row-level security")
    expect(
      await asTenant(`update fleetprompt.memberships set role = 'member' where tenant = '${other}' returning 1`),
    ).toEqual([])
  })
})

describe("what is done to people", () => {
  test("stands in the tenant's audit log or the platform's, in the same commit, with who did it", async () => {
    const { fleet, tenant, owner, person } = await organisation()
    const by = actingFor({ kind: "user", id: owner.id, role: "owner" })
    const mia = await person("mia")
    await tenant.members.add(mia.id, "member", { by })
    await tenant.members.changeRole(mia.id, "admin", { by })
    await tenant.members.changeRole(mia.id, "admin", { by })
    await tenant.members.remove(owner.id, { by }).catch(() => undefined)
    const { invitation } = await tenant.invitations.create({ email: address("otto") }, { by })
    await tenant.invitations.resend(invitation.id, { by })
    await tenant.invitations.revoke(invitation.id, { by })
    await tenant.organisation.rename("Acme Ltd", { by })
    await tenant.members.remove(mia.id, { by })
    const { entries } = await tenant.audit.list({})
    expect(
      entries.map(({ action, actor, resource }) => `${action} ${resource} ${actor.kind}:${actor.id}`).toReversed(),
    ).toEqual([
      `organisation.create organisation:${tenant.slug} system:program`,
      `member.add member:${owner.id} system:program`,
      `member.add member:${mia.id} user:${owner.id}`,
      `member.role.change member:${mia.id} user:${owner.id}`,
      `invitation.create invitation:${invitation.id} user:${owner.id}`,
      `invitation.resend invitation:${invitation.id} user:${owner.id}`,
      `invitation.revoke invitation:${invitation.id} user:${owner.id}`,
      `organisation.rename organisation:${tenant.slug} user:${owner.id}`,
      `member.remove member:${mia.id} user:${owner.id}`,
    ])
    expect(entries[5]?.details).toEqual({ from: "member", to: "admin" })
    await fleet.people.setOperator(mia.id, true, { by })
    await fleet.people.disable(mia.id, { by })
    const { entries: platform } = await fleet.audit.list({ resource: `user:${mia.id}` })
    expect(platform.map(({ action, actor }) => `${action} ${actor.id}`).toReversed()).toEqual([
      "user.create program",
      `operator.add ${owner.id}`,
      `user.disable ${owner.id}`,
    ])
  })
})
