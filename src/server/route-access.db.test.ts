import { Hono } from "hono"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { principalOfTest, sendAs } from "../../test/support/http-people.ts"
import { interceptDatabase } from "../../test/support/intercepted-database.ts"
import { policyTable } from "../../test/support/policy-table.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { Principal, Role } from "../access/principal.ts"
import type { Fleet } from "../fleet.ts"
import type { Database } from "../store/database.ts"
import { fetchApp } from "./fetch-handler.ts"
import { LiveFeed } from "./live-feed.ts"
import { accessOf, type RouteAccess } from "./permit.ts"
import { createSignIn } from "./sign-in/sign-in.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** Routes that anybody may use. Whoever adds one adds it here, and says in the code why. */
const OPEN = [
  "GET /",
  "GET /assets/:file",
  "GET /health",
  "GET /metrics",
  "GET /openapi.json",
  "GET /ready",
  "GET /reference",
  "GET /reference.css",
  "POST /v1/webhooks/:name",
]
/** Paths of middleware, which answers nothing by itself. */
const MIDDLEWARE = ["/*", "/v1/*", "/v1/webhooks/*"]
/** Lists that show a member what is their own. */
const OWN_LISTS = new Set(["GET /v1/api-keys"])
const ROLES: readonly Role[] = ["member", "admin", "owner", "operator"]

interface Route {
  readonly name: string
  readonly method: string
  readonly path: string
  /** What its handlers say of who may use it. */
  readonly said: readonly RouteAccess[]
}

function routesOf(app: Pick<Hono, "routes">): readonly Route[] {
  const routes = new Map<string, Route>()
  for (const { method, path, handler } of app.routes) {
    if (method === "ALL") continue
    const name = `${method} ${path}`
    const access = accessOf(handler)
    const said = [...(routes.get(name)?.said ?? []), ...(access ? [access] : [])]
    routes.set(name, { name, method, path, said })
  }
  return [...routes.values()]
}

function withoutPolicy(routes: readonly Route[]): readonly string[] {
  return routes.filter(({ said }) => said.length !== 1).map(({ name }) => name)
}

function appOf(fleet: Fleet): Hono {
  const feed = new LiveFeed(fleet)
  onTestFinished(() => feed.close())
  const metrics = { contentType: "text/plain", text: async () => "" }
  return fetchApp(fleet, feed, { authenticate: principalOfTest, metrics })
}

test("every route says who may use it, and those that are open to anybody are known", async () => {
  const { fleet } = await testFleet(db.database, { worker: false })
  const app = appOf(fleet)
  const routes = routesOf(app)
  expect(routes.length).toBeGreaterThan(20)
  expect(withoutPolicy(routes)).toEqual([])
  expect(
    routes
      .filter(({ said }) => said[0]?.kind === "open")
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(OPEN)
  const middleware = app.routes.filter(({ method }) => method === "ALL").map(({ path }) => path)
  expect(new Set(middleware)).toEqual(new Set(MIDDLEWARE))
})

test("every route of sign-in says that it is open, and why, or that it is for whoever is known", async () => {
  const { fleet } = await testFleet(db.database, { worker: false })
  const signIn = await createSignIn(fleet, { publicUrl: "http://localhost:4400", secret: "x".repeat(32) })
  const routes = routesOf(signIn.routes)
  expect(routes.length).toBeGreaterThan(10)
  expect(withoutPolicy(routes)).toEqual([])
  expect(routes.filter(({ said }) => said[0]?.kind === "permission")).toEqual([])
})

test("the walk finds a route without a policy, and one with two", () => {
  const app = new Hono()
  app.get("/hole", (context) => context.text("secret"))
  expect(withoutPolicy(routesOf(app))).toEqual(["GET /hole"])
})

test("without a caller every route that is not open answers 401", async () => {
  const { fleet } = await testFleet(db.database, { worker: false })
  const send = sendAs(fleet)
  for (const { name, method, path, said } of routesOf(appOf(fleet))) {
    if (said[0]?.kind === "open") continue
    const { status, body } = await send(undefined, method, filled(path, "nobody"))
    expect({ name, status, code: body["code"] }).toEqual({ name, status: 401, code: "unauthenticated" })
  }
})

/** The path with a tenant, and with ids that nothing has. */
function filled(path: string, tenant: string): string {
  return path.replace(":tenant", tenant).replaceAll(/:\w+/g, "0199d3a5-0000-7000-8000-000000000001")
}

describe("every role on every route", () => {
  test.each(ROLES)("%s", async (role) => {
    const { fleet, tenant } = await testFleet(db.database, { worker: false })
    const send = sendAs(fleet)
    const kind = role === "operator" ? "operator" : "host"
    const principal: Principal = { kind, id: "somebody", tenant: tenant.slug, role }
    const wrong: string[] = []
    for (const { name, method, path, said } of routesOf(appOf(fleet))) {
      const [access] = said
      if (access?.kind !== "permission") continue
      const entry = policyTable.find(({ permission }) => permission === access.permission)?.roles[role]
      const { status, body } = await send(
        principal,
        method,
        filled(path, tenant.slug),
        method === "GET" ? undefined : {},
      )
      const isRefused = status === 403
      // Whose a thing is is known only when it is found; what is not there is 404 for everybody who may ask.
      const isFine = entry === "y" ? !isRefused : entry === "-" ? isRefused : status >= 400 || OWN_LISTS.has(name)
      if (!isFine) wrong.push(`${name}: ${entry}, got ${status} ${String(body["code"])}`)
      if (status >= 500) wrong.push(`${name}: ${status}`)
    }
    expect(wrong).toEqual([])
  })
})

test("a key with no scope that fits is refused on every route of a tenant", async () => {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  const send = sendAs(fleet)
  const key: Principal = { kind: "api_key", id: "k", tenant: tenant.slug, role: "owner", scopes: [] }
  for (const { name, method, path, said } of routesOf(appOf(fleet))) {
    if (said[0]?.kind !== "permission") continue
    const { status } = await send(key, method, filled(path, tenant.slug), method === "GET" ? undefined : {})
    expect({ name, status }).toEqual({ name, status: 403 })
  }
})

test("a restriction holds from the next request on, and ends live feeds that showed more", async () => {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  const app = appOf(fleet)
  const admin: Principal = { kind: "host", id: "a", tenant: tenant.slug, role: "admin" }
  const { signal } = await tenant.emit("secret.found", { n: 1 }, { visibility: "admin_only" })
  const headers = { "x-test-principal": JSON.stringify(admin) }
  const get = async (path: string): Promise<Response> => app.fetch(new Request(`http://localhost${path}`, { headers }))
  expect((await get(`/v1/signals/${signal.id}`)).status).toBe(200)
  const live = await get("/v1/signals/live")
  await fleet.access.restrict({ "signals:read_admin_only": ["owner"] })
  // The stream ends.
  await live.text()
  expect((await get(`/v1/signals/${signal.id}`)).status).toBe(404)
  expect(await (await get("/v1/signals")).json()).toMatchObject({ signals: [] })
  await fleet.access.restrict({ "signals:read": ["owner"] })
  expect((await get("/v1/signals")).status).toBe(403)
  // What all fleets of the file's database share is put back, whatever happens.
  await fleet.access.restrict({})
  expect((await get(`/v1/signals/${signal.id}`)).status).toBe(200)
})

describe("a restriction in one process", () => {
  test.each([
    ["is heard of by another at once", false],
    ["holds in another within 2 seconds, though no announcement comes", true],
  ])("%s", async (_, isDeaf) => {
    const { fleet, tenant } = await testFleet(db.database, { worker: false })
    const { fleet: other } = await testFleet(isDeaf ? deaf(db.database) : db.database, { worker: false })
    // Tests of this file share the database.
    onTestFinished(() => fleet.access.restrict({}))
    const mia: Principal = { kind: "host", id: "mia", tenant: tenant.slug, role: "member" }
    await other.access.admit(mia, "signals:read")
    const heard = new Promise<void>((resolve) => void other.access.onChange(resolve))
    const restrictedAt = performance.now()
    await fleet.access.restrict({ "signals:read": ["owner"] })
    if (isDeaf) await untilDenied(() => other.access.admit(mia, "signals:read"))
    else await heard
    expect(performance.now() - restrictedAt).toBeLessThan(isDeaf ? 2_500 : 1_500)
    await expect(other.access.admit(mia, "signals:read")).rejects.toMatchObject({ code: "forbidden" })
    const { entries } = await fleet.audit.list({ action: "policies.restrict" })
    expect(entries[0]).toMatchObject({ actor: { id: "program" }, details: { "signals:read": ["owner"] } })
  })
})

/** A database whose announcements nobody hears. */
function deaf(database: Database): Database {
  return { ...interceptDatabase(database, ({ run }) => run()), listen: async () => async () => {} }
}

/** Asks again and again until it is refused. */
async function untilDenied(ask: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await ask()
    } catch {
      return
    }
    await db.database.query("select pg_sleep(0.05)")
  }
}

describe("what is noted", () => {
  test("denials are told at once and stand in the audit log, counted", async () => {
    const { fleet, tenant } = await testFleet(db.database, { worker: false })
    const send = sendAs(fleet)
    const told: object[] = []
    const somebody = "0199d3a5-0000-7000-8000-000000000001"
    fleet.telemetry.listen((name, fields) => void (name === "access.denied" && told.push(fields)))
    const mia: Principal = { kind: "user", id: "mia", tenant: tenant.slug, role: "member" }
    for (let times = 0; times < 30; times++) await send(mia, "POST", "/v1/invitations", {})
    expect(told).toHaveLength(30)
    expect(told[0]).toEqual({
      tenant: tenant.slug,
      principalKind: "user",
      principalId: "mia",
      role: "member",
      action: "invitations:create",
      resourceId: null,
      reason: "role",
    })
    await send(mia, "DELETE", `/v1/members/${somebody}`)
    await fleet.stop()
    await fleet.start()
    const { entries } = await fleet.tenant(tenant.slug).audit.list({ outcome: "denied" })
    // The one that is counted when the fleet stops may come before the one that is being noted then.
    const noted = entries.map(({ action, resource, details }) => ({ action, resource, details }))
    expect(noted).toHaveLength(3)
    expect(noted).toEqual(
      expect.arrayContaining([
        { action: "invitations.create", resource: "invitations:*", details: { reason: "role" } },
        { action: "members.remove", resource: `members:${somebody}`, details: { reason: "role" } },
        { action: "invitations.create", resource: "invitations:*", details: { reason: "role", timesMore: 29 } },
      ]),
    )
    expect(entries[0]?.actor).toEqual({ kind: "user", id: "mia", role: "member" })
  })

  test("every look of an operator into a tenant", async () => {
    const { fleet, tenant } = await testFleet(db.database, { worker: false })
    const send = sendAs(fleet)
    const opal: Principal = { kind: "operator", id: "opal", tenant: tenant.slug, role: "operator" }
    const { signal } = await tenant.emit("lead.received", { n: 1 })
    expect((await send(opal, "GET", "/v1/signals")).status).toBe(200)
    expect((await send(opal, "GET", `/v1/signals/${signal.id}`)).status).toBe(200)
    expect((await send({ ...opal, kind: "host", id: "h", role: "owner" }, "GET", "/v1/signals")).status).toBe(200)
    const { entries } = await tenant.audit.list({})
    expect(
      entries.map(({ action, resource, actor, outcome }) => [action, resource, actor.kind, actor.id, outcome]),
    ).toEqual([
      ["signals.read", `signals:${signal.id}`, "operator", "opal", "done"],
      ["signals.read", "signals:*", "operator", "opal", "done"],
    ])
  })

  test("an operator who cannot be noted sees nothing", async () => {
    const { fleet } = await testFleet(db.database, { worker: false })
    const send = sendAs(fleet)
    const opal: Principal = { kind: "operator", id: "opal", tenant: testSlug("none"), role: "operator" }
    expect((await send(opal, "GET", "/v1/signals")).status).toBe(404)
  })
})
