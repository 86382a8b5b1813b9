import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createFleet, type Fleet, logTo } from "../../src/fleetprompt.ts"
import { prometheusMetrics } from "../../src/prometheus.ts"
import { fetchApp } from "../../src/server/fetch-handler.ts"
import { LiveFeed } from "../../src/server/live-feed.ts"
import { createLocalKey, formatKeys, localKeys } from "../../src/credentials/local-keys.ts"
import { principalOfTest } from "../support/http-people.ts"
import { callsOf, told } from "./access-calls.ts"
import { type AccessSide, makeAccessSide, nobodys } from "./access-side.ts"
import { type FleetPlace, openFleetPlace } from "./fleet-place.ts"
import { rowsOf, textOf } from "./sides.ts"

/* People, keys, secrets and logs: with the ids of another tenant nobody learns more than with ids that nothing has. */

const SETUP_MS = 240_000
let place: FleetPlace
let fleet: Fleet
let sides: Readonly<Record<"own" | "shared", readonly [AccessSide, AccessSide]>>
/** Whatever the fleet told anybody. */
const heard: string[] = []
let exposed: () => Promise<string>

beforeAll(async () => {
  place = await openFleetPlace()
  fleet = createFleet({
    ...place.options(),
    worker: false,
    retention: false,
    migrations: { auto: false },
    keys: localKeys(formatKeys([createLocalKey()])),
  })
  const log = (...line: readonly unknown[]): void => void heard.push(textOf(line))
  fleet.telemetry.listen(logTo({ debug: log, info: log, warn: log, error: log }))
  fleet.telemetry.listen((name, fields) => void heard.push(`${name} ${textOf(fields)}`))
  const metrics = prometheusMetrics(fleet)
  exposed = () => metrics.text()
  await fleet.start()
  sides = {
    own: [await makeAccessSide(fleet, "own", "marka"), await makeAccessSide(fleet, "own", "markb")],
    shared: [await makeAccessSide(fleet, "shared", "markc"), await makeAccessSide(fleet, "shared", "markd")],
  }
}, SETUP_MS)
afterAll(async () => {
  await fleet.stop({ graceMs: 0 })
  await place.close()
})

/** Who has something, and who asks for it. */
const pairs: readonly (readonly [string, () => readonly [AccessSide, AccessSide]])[] = [
  ["both in schemas of their own", () => sides.own],
  ["both in the shared schema", () => sides.shared],
  ["the one who asks in the shared schema", () => [sides.own[0], sides.shared[0]]],
  ["the one who asks in a schema of its own", () => [sides.shared[1], sides.own[1]]],
]

/** All that the one tenant has, as text: its rows, and what its people are. */
async function stateOf({ scope, ids, owner }: AccessSide): Promise<unknown> {
  const people = [await fleet.people.get(ids.member), await fleet.people.organisationsOf(ids.member)]
  return { rows: await rowsOf(place.look, scope), people, owner: await fleet.people.organisationsOf(owner.id) }
}

describe.each(pairs)("%s", (_name, pair) => {
  test("each door answers to another's id as to one that nothing has", { timeout: SETUP_MS }, async () => {
    const [a, b] = pair()
    const before = await stateOf(a)
    expect(textOf(before)).toContain(a.marker)
    const from = heard.length
    for (const [name, ask] of Object.entries(callsOf(fleet, b)))
      for (const [kind, id] of Object.entries(a.ids)) {
        const answer = await told(ask, id)
        expect(answer.text, `${name} with a ${kind}`).not.toContain(a.marker)
        expect(answer.gist, `${name} with a ${kind}`).toBe((await told(ask, nobodys(id))).gist)
      }
    expect(await stateOf(a)).toEqual(before)
    expect([...heard.slice(from), await exposed()].filter((line) => line.includes(a.marker))).toEqual([])
  })

  test("and so does every route", { timeout: SETUP_MS }, async () => {
    const [a, b] = pair()
    const before = await stateOf(a)
    const from = heard.length
    const { send, routes, close } = httpOf(b)
    expect(routes.length).toBeGreaterThan(30)
    for (const [method, path] of routes)
      for (const [kind, id] of Object.entries(a.ids)) {
        const answer = await send(method, path, id)
        expect(answer, `${method} ${path} with a ${kind}`).not.toContain(a.marker)
        if (!isById(`${method} ${path}`)) continue
        const nothing = await send(method, path, nobodys(id))
        expect(gistOf(method, answer, id), `${method} ${path} with a ${kind}`).toBe(
          gistOf(method, nothing, nobodys(id)),
        )
      }
    close()
    expect(await stateOf(a)).toEqual(before)
    expect([...heard.slice(from), await exposed()].filter((line) => line.includes(a.marker))).toEqual([])
  })
})

test("a key says whose it is, and opens what is that tenant's alone", async () => {
  for (const [a, b] of [sides.own, sides.shared]) {
    const principal = await fleet.apiKeys.check(a.key)
    expect(principal).toMatchObject({ tenant: a.scope.slug, role: "member" })
    expect(textOf(await fleet.tenant(principal?.tenant ?? "").members.list())).not.toContain(b.marker)
  }
})

/** Routes that take an id elsewhere than in their path. The others answer the same whatever else is sent. */
const BY_ID = new Set([
  "GET /v1/members",
  "GET /v1/invitations",
  "GET /v1/api-keys",
  "GET /v1/credentials",
  "GET /v1/audit",
  "GET /v1/signals",
  "GET /v1/operations",
  "POST /v1/tenants",
  "POST /v1/members",
  "POST /v1/api-keys",
  "POST /v1/invitations/accept",
  "PUT /v1/me/organisation",
])

function isById(route: string): boolean {
  return route.includes(":") || BY_ID.has(route)
}

/** What was made for the caller has ids and times of its own. */
function gistOf(method: string, answer: string, id: string): string {
  return method !== "GET" && answer.startsWith("2") ? answer.slice(0, 3) : answer.replaceAll(id, "<id>")
}

/** Every route under /v1 in a tenant's name. Reading comes first, as changes are noted. */
function httpOf({ owner }: AccessSide) {
  const feed = new LiveFeed(fleet)
  const app = fetchApp(fleet, feed, { authenticate: principalOfTest, limits: false })
  const named = app.routes.filter(({ method, path }) => method !== "ALL" && /^\/v1\/(?!.*live$)/.test(path))
  const nameOf = ({ method, path }: { method: string; path: string }): string => `${method} ${path}`
  const routes = [...new Set(named.map(nameOf))]
    .toSorted((one, other) => Number(other.startsWith("GET")) - Number(one.startsWith("GET")))
    .map((name) => name.split(" ") as [string, string])
  const headers = {
    "x-test-principal": JSON.stringify(owner),
    "content-type": "application/json",
    origin: "http://localhost",
  }
  const send = async (method: string, path: string, id: string): Promise<string> => {
    const address = `http://localhost${path.replaceAll(/:\w+(\{[^}]*\})?|\*/g, id)}`
    const conditions = path === "/v1/audit" ? { actor: id, resource: `member:${id}` } : { before: id, after: id }
    const search = new URLSearchParams({ ...conditions, tenant: id })
    const request =
      method === "GET"
        ? new Request(`${address}?${search.toString()}`, { headers })
        : new Request(address, { method, headers, body: JSON.stringify(bodyWith(id)) })
    const response = await app.fetch(request)
    return `${response.status} ${await response.text()}`
  }
  return { send, routes, close: () => feed.close() }
}

let made = 0

/** A body that names an id wherever a route may look for one; what must be new in it is so each time. */
function bodyWith(id: string): object {
  const name = `mallory ${++made}`
  return {
    id,
    userId: id,
    slug: id,
    serviceAccountId: id,
    tenant: id,
    token: `fpi_nobody.${id}.${"A".repeat(43)}`,
    role: "member",
    name,
    email: `mallory${made}@example.com`,
    provider: "github",
    account: name,
    kind: "custom",
    secret: { token: "mallory" },
  }
}
