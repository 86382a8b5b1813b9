import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createLocalKey, formatKeys, localKeys } from "../../src/credentials/local-keys.ts"
import { createFleet, defineHandler, type Fleet } from "../../src/fleetprompt.ts"
import type { Placement } from "../../src/store/tenant-scope.ts"
import type { Tenant } from "../../src/tenants/tenant.ts"
import { callsOf, told } from "./access-calls.ts"
import { type AccessSide, makeAccessSide, nobodys } from "./access-side.ts"
import { placements } from "../support/tenant-rows.ts"
import { type FleetPlace, openFleetPlace } from "./fleet-place.ts"
import { textOf } from "./sides.ts"

/* What a process remembers of one tenant is given to no other, nor to who has its slug after it. */

const SETUP_MS = 240_000
const ALL = { limit: 500, visibilities: ["internal", "admin_only"] } as const
/** What every process has felt by then: 2 seconds are promised, and a busy machine is let some more. */
const FELT_MS = 2_500
/** One ring for both processes. */
const KEYS = localKeys(formatKeys([createLocalKey()]))
const actor = { kind: "system", id: "test" } as const
let place: FleetPlace
let here: Fleet
let there: Fleet
beforeAll(async () => {
  place = await openFleetPlace()
  here = await started()
  there = await started()
}, SETUP_MS)
afterAll(async () => {
  await Promise.all([here.stop({ graceMs: 0 }), there.stop({ graceMs: 0 })])
  await place.close()
})

async function started(): Promise<Fleet> {
  const reveals = defineHandler<{ readonly credential: string }>({
    name: "reveals",
    on: "thing.revealed",
    retry: { attempts: 1 },
    run: async ({ signal, credentials }) => {
      throw new Error(`got ${(await credentials.get(signal.data.credential)).reveal("token")}`)
    },
  })
  const fleet = createFleet({
    ...place.options(),
    handlers: [reveals],
    worker: { pollMs: 50 },
    retention: false,
    migrations: { auto: false },
    keys: KEYS,
  })
  await fleet.start()
  return fleet
}

/** Lets a process remember all that it can of a tenant. */
async function warm(fleet: Fleet, { scope, key, ids, owner }: AccessSide): Promise<void> {
  const tenant = fleet.tenant(scope.slug)
  expect(await fleet.apiKeys.check(key)).toMatchObject({ tenant: scope.slug })
  await tenant.credentials.use(ids.credential, actor)
  await tenant.signals.list(ALL)
  await tenant.emit("thing.revealed", { credential: ids.credential })
  await fleet.people.principalOf(owner.id)
  await fleet.drain()
}

/** Everything that a tenant's door shows without being asked for an id, or why it does not. */
async function shownBy({ signals, deadLetters, replays, ...doors }: Tenant): Promise<string> {
  const looks = [
    () => signals.list(ALL),
    () => doors.counts(),
    () => deadLetters.list(),
    () => replays.list(),
    () => doors.apiKeys.list(),
    () => doors.serviceAccounts.list(),
    () => doors.members.list(),
    () => doors.invitations.list(),
    () => doors.organisation.get(),
    () => doors.credentials.list(),
    () => doors.audit.list({ limit: 500 }),
  ]
  const shown: string[] = []
  for (const look of looks) shown.push(textOf(await look().catch((error: unknown) => error)))
  return shown.join("\n")
}

/** Asks until it is so, for as long as others may go by what they remember. */
async function soon(isSo: () => Promise<boolean>): Promise<void> {
  const from = performance.now()
  while (!(await isSo())) expect(performance.now() - from).toBeLessThan(FELT_MS)
}

const isRefused = (asked: Promise<unknown>): Promise<boolean> =>
  asked.then(
    () => false,
    (error: unknown) => Reflect.get(Object(error), "code") === "credential_unknown",
  )

test.each(placements)("what is known of one in %s answers no other", { timeout: SETUP_MS }, async (placement) => {
  const a = await makeAccessSide(here, placement, `marka${placement}`)
  const b = await makeAccessSide(here, placement, `markb${placement}`)
  await warm(here, a)
  for (const [name, ask] of Object.entries(callsOf(here, b)))
    for (const [kind, id] of Object.entries(a.ids)) {
      const answer = await told(ask, id)
      expect(answer.text, `${name} with a ${kind}`).not.toContain(a.marker)
      expect(answer.gist, `${name} with a ${kind}`).toBe((await told(ask, nobodys(id))).gist)
    }
  // Nor one that asks within a handler, though another handler has just opened it.
  await b.tenant.emit("thing.revealed", { credential: a.ids.credential })
  await here.drain()
  const { letters } = await b.tenant.deadLetters.list()
  expect(letters).toMatchObject([{ error: { message: expect.stringContaining("expected the id of a credential") } }])
  expect(textOf(letters)).not.toContain(a.marker)
})

const ways: readonly (readonly [Placement, Placement])[] = [
  ["own", "own"],
  ["own", "shared"],
  ["shared", "own"],
  ["shared", "shared"],
]

const moves = ways.filter(([from, to]) => from !== to)

describe.each(ways)("a slug that was a tenant's in %s tables and is another's in %s ones", (from, to) => {
  test("shows nothing of the one before, in any process", { timeout: SETUP_MS }, async () => {
    const a = await makeAccessSide(here, from, `markc${from}${to}`)
    const { slug } = a.scope
    for (const fleet of [here, there]) await warm(fleet, a)
    for (const enabled of [false, true, false, true, false, true])
      await a.tenant.serviceAccounts.update(a.ids.serviceAccount, { enabled })
    const changes = await accessChanges(slug)
    const { id } = await here.tenants.delete(slug, { delayMs: 1 })
    expect(await here.operations.wait(id)).toMatchObject({ status: "completed", error: null })
    // Who remembers keys goes by this number: had it begun anew, it might be the one that they know.
    expect(await accessChanges(slug)).toBeGreaterThan(changes)
    await place.look.query("update fleetprompt.tenants set free_after = now() where slug = $1", [slug])
    await here.tenants.provision(slug, { placement: to })
    for (const fleet of [here, there]) {
      const next = fleet.tenant(slug)
      await soon(async () => (await fleet.apiKeys.check(a.key)) === undefined)
      await soon(() => isRefused(next.credentials.use(a.ids.credential, actor)))
      expect(await shownBy(next)).not.toContain(a.marker)
      expect(await next.signals.get(a.ids.signal, ALL.visibilities)).toBeUndefined()
      expect(await next.apiKeys.get(a.ids.apiKey)).toBeUndefined()
      expect(await next.replays.get(a.ids.replay)).toBeUndefined()
      expect(await next.members.get(a.ids.member)).toBeUndefined()
      expect(await fleet.people.principalOf(a.owner.id)).toMatchObject({ tenant: "*" })
    }
    // The same key of a fact is a new fact, and no twin of what was there.
    const { inserted, signal } = await there.tenant(slug).emit("thing.happened", {}, { dedupeKey: "the-same-key" })
    expect([inserted, signal.data]).toEqual([true, {}])
  })
})

/** Looks by id, and of what. */
const GETS = [
  ["signals.get", "signal"],
  ["replays.get", "replay"],
  ["apiKeys.get", "apiKey"],
  ["credentials.get", "credential"],
  ["serviceAccounts.get", "serviceAccount"],
  ["members.get", "member"],
] as const

async function accessChanges(slug: string): Promise<number> {
  const [row] = await place.look.query<{ readonly version: number }>(
    "select version from fleetprompt.access_changes where tenant = $1",
    [slug],
  )
  return row?.version ?? 0
}

test.each(moves)("one that is moved from %s to %s is read by itself alone", { timeout: SETUP_MS }, async (from, to) => {
  const a = await makeAccessSide(here, from, `markd${from}`)
  const neighbours = [await makeAccessSide(here, from, `marke${from}`), await makeAccessSide(here, to, `markf${from}`)]
  for (const fleet of [here, there]) for (const each of [a, ...neighbours]) await warm(fleet, each)
  const { id } = await here.tenants.move(a.scope.slug, { placement: to })
  expect(await here.operations.wait(id)).toMatchObject({ status: "completed", error: null })
  for (const fleet of [here, there]) {
    expect(await shownBy(fleet.tenant(a.scope.slug))).toContain(a.marker)
    expect(await fleet.apiKeys.check(a.key)).toMatchObject({ tenant: a.scope.slug })
    for (const { scope, owner } of neighbours) {
      expect(await shownBy(fleet.tenant(scope.slug))).not.toContain(a.marker)
      const ask = callsOf(fleet, { ...a, tenant: fleet.tenant(scope.slug), owner })
      for (const [name, kind] of GETS) expect(await ask[name]?.(a.ids[kind]), name).toBeUndefined()
    }
  }
})
