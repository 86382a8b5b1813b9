import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { isFleetPromptError } from "../errors.ts"
import type { Fleet } from "../fleet.ts"
import type { MemberRole } from "../store/memberships.ts"

/**
 * Whatever is done to the people of two organisations, in whatever order, one after the other or all at once: each
 * has an owner who can act, and nobody sees the one they are not in.
 */
let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const PEOPLE = 4
/** Each makes hundreds of transactions, and the machine may be busy. */
const PATIENCE_MS = 240_000
const ORGANISATIONS = 2

interface Step {
  readonly what: "add" | "change" | "remove" | "invite" | "disable" | "enable"
  readonly person: number
  readonly organisation: number
  readonly role: MemberRole
}

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom("add", "change", "change", "remove", "remove", "invite", "disable", "enable"),
  person: fc.nat(PEOPLE - 1),
  organisation: fc.nat(ORGANISATIONS - 1),
  role: fc.constantFrom("owner", "admin", "member"),
})

interface World {
  readonly fleet: Fleet
  readonly people: readonly string[]
  readonly emails: readonly string[]
  readonly slugs: readonly string[]
}

let worlds = 0

/** Two organisations, owned by the first two people. */
async function makeWorld(fleet: Fleet): Promise<World> {
  const name = testSlug(String((worlds += 1))).slice(0, 20)
  const emails = Array.from({ length: PEOPLE }, (_, index) => `p${index}.${name}@example.com`)
  const people = await Promise.all(emails.map(async (email) => (await fleet.people.create({ email, name: "P" })).id))
  const slugs = Array.from({ length: ORGANISATIONS }, (_, index) => `${name}_${index}`)
  for (const [index, tenant] of slugs.entries()) {
    await fleet.organisations.create({ tenant, name: "O", ownerId: people[index] ?? "", placement: "shared" })
  }
  return { fleet, people, emails, slugs }
}

/** Does a step; what is not allowed is refused with an error of ours and changes nothing. */
async function take(
  { fleet, people, emails, slugs }: World,
  { what, person, organisation, role }: Step,
): Promise<void> {
  const id = people[person] ?? ""
  const { members, invitations } = fleet.tenant(slugs[organisation] ?? "")
  try {
    if (what === "add") await members.add(id, role)
    else if (what === "change") await members.changeRole(id, role)
    else if (what === "remove") await members.remove(id)
    else if (what === "disable") await fleet.people.disable(id)
    else if (what === "enable") await fleet.people.enable(id)
    else await fleet.people.accept((await invitations.create({ email: emails[person] ?? "", role })).token, id)
  } catch (error) {
    if (!isFleetPromptError(error) || !EXPECTED.has(error.code)) throw error
  }
}

const EXPECTED = new Set(["last_owner", "member_exists", "member_unknown", "user_unknown", "invitation_invalid"])

interface Model {
  readonly roles: Map<string, MemberRole>
  readonly disabled: Set<number>
}

/** What a step should do, told a second time in the plainest way. */
function expectStep({ roles, disabled }: Model, { what, person, organisation, role }: Step): void {
  const key = `${organisation} ${person}`
  const owners = (of: number): readonly number[] =>
    Array.from({ length: PEOPLE }, (_, index) => index).filter(
      (index) => roles.get(`${of} ${index}`) === "owner" && !disabled.has(index),
    )
  const isNeeded = (of: number): boolean =>
    roles.get(`${of} ${person}`) === "owner" && owners(of).every((index) => index === person)
  if (what === "enable") disabled.delete(person)
  else if (what === "disable") {
    if (![0, 1].some(isNeeded)) disabled.add(person)
  } else if (what === "add" || what === "invite") {
    if (!disabled.has(person) && !roles.has(key)) roles.set(key, role)
  } else if (roles.has(key) && ((role === roles.get(key) && what === "change") || !isNeeded(organisation))) {
    if (what === "change") roles.set(key, role)
    else roles.delete(key)
  }
}

async function rolesIn({ fleet, slugs, people }: World): Promise<ReadonlyMap<string, MemberRole>> {
  const found = new Map<string, MemberRole>()
  for (const [index, slug] of slugs.entries()) {
    const { members } = await fleet.tenant(slug).members.list()
    for (const { userId, role } of members) found.set(`${index} ${people.indexOf(userId)}`, role)
  }
  return found
}

async function checkWorld(world: World): Promise<void> {
  const { fleet, people, slugs } = world
  const roles = await rolesIn(world)
  for (const [at, slug] of slugs.entries()) {
    const { members } = await fleet.tenant(slug).members.list()
    expect(
      members.some(({ role, status }) => role === "owner" && status === "active"),
      `${slug} has an owner`,
    ).toBe(true)
    for (const [who, id] of people.entries()) {
      const role = roles.get(`${at} ${who}`)
      const seen = await fleet.people.principalOf(id, { tenant: slug }).catch((error: unknown) => {
        if (isFleetPromptError(error)) return error.code
        throw error
      })
      const isDisabled = (await fleet.people.get(id))?.status === "disabled"
      const expected = isDisabled ? undefined : role ? { kind: "user", id, tenant: slug, role } : "not_found"
      expect(seen).toEqual(expected)
    }
  }
  for (const [who, id] of people.entries()) {
    const own = (await fleet.people.organisationsOf(id)).map(({ tenant }) => tenant)
    expect(own).toEqual(slugs.filter((_, at) => roles.has(`${at} ${who}`)))
  }
}

test(
  "one after the other, each step does what it should and nothing else",
  async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const world = await makeWorld(fleet)
        const model: Model = {
          roles: new Map([
            ["0 0", "owner"],
            ["1 1", "owner"],
          ]),
          disabled: new Set(),
        }
        for (const each of steps) {
          await take(world, each)
          expectStep(model, each)
          expect(Object.fromEntries(await rolesIn(world))).toEqual(Object.fromEntries(model.roles))
        }
        await checkWorld(world)
      }),
      { numRuns: 12 },
    )
  },
  PATIENCE_MS,
)

test(
  "all at once, each organisation keeps an owner and nobody sees the other",
  async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
        const world = await makeWorld(fleet)
        for (const person of [2, 3]) await take(world, { what: "add", person, organisation: person - 2, role: "owner" })
        await Promise.all(steps.map((each) => take(world, each)))
        await checkWorld(world)
      }),
      { numRuns: 10 },
    )
  },
  PATIENCE_MS,
)
