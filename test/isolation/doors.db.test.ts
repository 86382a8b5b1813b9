import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Principal } from "../../src/access/principal.ts"
import { fetchApp } from "../../src/server/fetch-handler.ts"
import { LiveFeed } from "../../src/server/live-feed.ts"
import { aCall, answerOf, doorsOf } from "./calls.ts"
import { type Ground, openGround, PAIRS } from "./ground.ts"
import { lowerWalls } from "./lower-walls.ts"
import { rowsOf, type Side, textOf } from "./sides.ts"

/** Calls that are made up for each pair of tenants. */
const CALLS = 250
const SETUP_MS = 240_000

/** Calls every door of A with what B has; answers with the doors that gave something of B away. */
async function leaksOf(a: Side, b: Side, calls: number): Promise<readonly string[]> {
  const doors = new Map(doorsOf(a.tenant).map((door) => [door.name, door]))
  const leaks: string[] = []
  for (const { name, args } of fc.sample(aCall([...doors.keys()], b), { numRuns: calls, seed: 20_260_101 })) {
    const door = doors.get(name)
    if (door && (await answerOf(door, args)).includes(b.marker)) leaks.push(name)
  }
  return leaks
}

/** A list of signals that has forgotten whose signals it lists. */
const forgetful = (text: string): string =>
  text.includes("/* selectRecentSignals */") ? text.replaceAll(/tenant = \$(\d)/g, "$$$1::text is not null") : text

/** Ids of the signals that a tenant is shown in its list. What it says of itself, such as a correlation, is not among them. */
async function listedBy({ tenant }: Side): Promise<readonly string[]> {
  const { signals } = await tenant.signals.list({ limit: 500, visibilities: ["internal", "admin_only"] })
  return signals.map(({ id }) => id)
}

describe("with both walls", () => {
  let ground: Ground
  beforeAll(async () => {
    ground = await openGround()
  }, SETUP_MS)
  afterAll(() => ground.close())

  test.each(PAIRS)(
    "whatever a tenant asks for, with whatever ids, nothing of another comes back or changes: %s",
    async (_name, pair) => {
      const [a, b] = pair(ground)
      await ground.fleet.drain()
      const before = await rowsOf(ground.database, b.scope)
      expect(Object.values(before).join("\n")).toContain(b.marker)
      expect(doorsOf(a.tenant).length).toBeGreaterThan(20)
      expect(await leaksOf(a, b, CALLS)).toEqual([])
      expect(await rowsOf(ground.database, b.scope)).toEqual(before)
    },
    SETUP_MS,
  )

  test.each(PAIRS)(
    "over HTTP as well, on every route: %s",
    async (_name, pair) => {
      const [a, b] = pair(ground)
      const principal: Principal = { kind: "host", id: "anna", tenant: a.scope.slug, role: "owner" }
      const feed = new LiveFeed(ground.fleet)
      const app = fetchApp(ground.fleet, feed, { authenticate: () => principal, limits: false })
      const routes = app.routes.filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1/"))
      expect(routes.length).toBeGreaterThan(10)
      const before = await rowsOf(ground.database, b.scope)
      for (const { method, path } of routes) {
        for (const id of path.includes(":") ? b.ids : [b.ids[0], b.ids.at(-1)]) {
          const address = `${path.replaceAll(/:\w+(\{[^}]*\})?|\*/g, id ?? "")}?tenant=${b.scope.slug}&limit=100&before=${id}`
          const body = { tenant: b.scope.slug, id, signalId: id, ids: [id], name: "mallory", role: "member" }
          const answer = await requested(app, method, address, body)
          expect(answer, `${method} ${path}`).not.toContain(b.marker)
        }
      }
      feed.close()
      expect(await rowsOf(ground.database, b.scope)).toEqual(before)
    },
    SETUP_MS,
  )

  test("announcements, logs and metrics hold no content, and no event holds content of two tenants", async () => {
    const { own, shared, told, metrics } = ground
    const markers = [...own, ...shared].map(({ marker }) => marker)
    const exposed = await metrics()
    for (const marker of markers) {
      expect(exposed).not.toContain(marker)
      // The error of a handler is told, and holds what the handler put there.
      expect(
        told.filter((line) => line.includes(marker) && line.includes("note") && !line.includes("cannot do")),
      ).toEqual([])
    }
    expect(told.filter((line) => markers.filter((marker) => line.includes(marker)).length > 1)).toEqual([])
  })

  test("a statement that forgets its tenant shows nothing more", async () => {
    const [a, b] = ground.shared
    ground.plant(forgetful)
    const listed = await listedBy(a)
    ground.plant(undefined)
    expect(listed).toContain(a.ids[0])
    for (const id of b.ids) expect(listed).not.toContain(id)
  })
})

describe("without row-level security", () => {
  let ground: Ground
  beforeAll(async () => {
    ground = await openGround()
    await lowerWalls(ground.database)
  }, SETUP_MS)
  afterAll(() => ground.close())

  test(
    "the statements keep tenants of one schema apart by themselves",
    async () => {
      const [a, b] = ground.shared
      expect(await leaksOf(a, b, CALLS)).toEqual([])
    },
    SETUP_MS,
  )

  test("a statement that forgets its tenant is found", async () => {
    const [a, b] = ground.shared
    ground.plant(forgetful)
    expect(await listedBy(a)).toContain(b.ids[0])
    ground.plant(undefined)
  })
})

async function requested(
  app: { fetch: (request: Request) => Response | Promise<Response> },
  method: string,
  path: string,
  body: object,
): Promise<string> {
  const abort = new AbortController()
  const headers = { "content-type": "application/json", origin: "http://localhost" }
  const init = { method, signal: abort.signal, headers, ...(method !== "GET" && { body: JSON.stringify(body) }) }
  const response = await app.fetch(new Request(`http://localhost${path}`, init))
  const isStream = response.headers.get("content-type")?.includes("event-stream") === true
  const text = isStream ? await firstOf(response) : await response.text()
  abort.abort()
  return `${response.status} ${textOf([...response.headers])} ${text}`
}

/** What a stream that goes on for ever shows at first. */
async function firstOf(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  const chunk = await Promise.race([
    reader?.read(),
    new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 50)),
  ])
  void reader?.cancel().catch(() => undefined)
  return chunk?.value ? new TextDecoder().decode(chunk.value) : ""
}
