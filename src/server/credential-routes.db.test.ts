import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, type TestFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { Principal, Role } from "../access/principal.ts"
import { createFetchHandler } from "./fetch-handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const SECRET = "planted-secret-of-the-routes"
const github = { provider: "github", account: "octokit", kind: "api_key", scopes: ["repo"], secret: { token: SECRET } }

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown> | null
}

interface TestServer extends TestFleet {
  readonly send: (method: string, path: string, body?: unknown, as?: Partial<Principal>) => Promise<Answer>
  /** Everything that was answered so far, with headers. */
  readonly traffic: string[]
}

async function testServer(): Promise<TestServer> {
  const started = await testFleet(db.database)
  const owner: Principal = { kind: "host", id: "anna", tenant: started.tenant.slug, role: "owner" }
  const traffic: string[] = []
  let principal = owner
  const handler = createFetchHandler(started.fleet, { authenticate: () => principal, limits: false })
  onTestFinished(() => handler.close())
  const send: TestServer["send"] = async (method, path, body, as = {}) => {
    principal = { ...owner, ...as }
    const init = { method, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const response = await handler.fetch(new Request(`http://localhost${path}`, init))
    const text = await response.text()
    traffic.push(JSON.stringify([...response.headers]), text)
    return { status: response.status, body: text === "" ? null : (JSON.parse(text) as Record<string, unknown>) }
  }
  return { ...started, send, traffic }
}

test("a credential is stored, listed, read, replaced, revoked and removed, and no answer holds its secret", async () => {
  const { send, tenant, traffic } = await testServer()
  const created = await send("POST", "/v1/credentials", { ...github, expiresAt: "2999-01-31T12:00:00Z" })
  expect(created).toMatchObject({
    status: 201,
    body: { provider: "github", version: 1, createdBy: "host:anna", status: "active" },
  })
  const id = String(created.body?.["id"])
  expect(await send("GET", "/v1/credentials")).toMatchObject({ status: 200, body: { credentials: [{ id }] } })
  expect(await send("GET", `/v1/credentials/${id.toUpperCase()}`)).toMatchObject({
    status: 200,
    body: { id, expiresAt: "2999-01-31T12:00:00.000Z", scopes: ["repo"] },
  })
  const next = { secret: { token: `${SECRET}-2` }, expiresAt: null }
  expect(await send("PUT", `/v1/credentials/${id}/secret`, next)).toMatchObject({
    status: 200,
    body: { version: 2, expiresAt: null },
  })
  expect((await tenant.credentials.use(id, { kind: "host", id: "anna" })).reveal("token")).toBe(`${SECRET}-2`)
  expect(await send("POST", `/v1/credentials/${id}/revoke`)).toMatchObject({ status: 200, body: { status: "revoked" } })
  expect(await send("PUT", `/v1/credentials/${id}/secret`, next)).toMatchObject({
    status: 409,
    body: { code: "credential_unusable" },
  })
  expect((await send("DELETE", `/v1/credentials/${id}`)).status).toBe(204)
  expect((await send("GET", `/v1/credentials/${id}`)).status).toBe(404)
  expect(traffic.join("\n")).not.toContain("planted")
  const { entries } = await tenant.audit.list({ resource: `credential:${id}` })
  expect(entries.map(({ action, actor }) => `${action} ${actor.id}`).toReversed()).toEqual([
    "credential.create anna",
    "credential.replace anna",
    "credential.use anna",
    "credential.revoke anna",
    "credential.remove anna",
  ])
})

describe("who may", () => {
  const roles: readonly (readonly [role: Role, kind: Principal["kind"], status: number])[] = [
    ["owner", "host", 200],
    ["admin", "host", 200],
    ["member", "host", 403],
    ["operator", "operator", 403],
  ]

  test.each(roles)("a caller who is %s (%s) gets %i, on each route", async (role, kind, status) => {
    const { send } = await testServer()
    const { body } = await send("POST", "/v1/credentials", github)
    const id = String(body?.["id"])
    const as = { role, kind }
    const calls: readonly (readonly [method: string, path: string, body?: unknown])[] = [
      ["GET", "/v1/credentials"],
      ["GET", `/v1/credentials/${id}`],
      ["POST", "/v1/credentials", { ...github, account: "other" }],
      ["PUT", `/v1/credentials/${id}/secret`, { secret: { token: "x" } }],
      ["POST", `/v1/credentials/${id}/revoke`],
      ["DELETE", `/v1/credentials/${id}`],
    ]
    for (const [method, path, body] of calls) {
      const answer = await send(method, path, body, as)
      expect([method, path, answer.status < 300 ? 200 : answer.status]).toEqual([method, path, status])
    }
  })

  test("a key needs the scope, and another tenant's credential does not exist", async () => {
    const { send, fleet } = await testServer()
    const { body } = await send("POST", "/v1/credentials", github)
    const id = String(body?.["id"])
    const key = { kind: "api_key", role: "admin", scopes: ["credentials:read"] } as const
    expect((await send("GET", `/v1/credentials/${id}`, undefined, key)).status).toBe(200)
    expect((await send("POST", `/v1/credentials/${id}/revoke`, undefined, key)).status).toBe(403)
    await fleet.tenants.provision(testSlug("other"))
    const other = { tenant: testSlug("other") }
    expect((await send("GET", `/v1/credentials/${id}`, undefined, other)).status).toBe(404)
    expect((await send("POST", `/v1/credentials/${id}/revoke`, undefined, other)).status).toBe(404)
    expect((await send("DELETE", `/v1/credentials/${id}`, undefined, other)).status).toBe(404)
    expect((await send("PUT", `/v1/credentials/${id}/secret`, { secret: { a: "b" } }, other)).status).toBe(404)
  })
})

test("wrong requests are refused with the field that is wrong, without what was sent", async () => {
  const { send, traffic } = await testServer()
  const wrong: readonly (readonly [change: object, path: string])[] = [
    [{ provider: 7 }, "provider"],
    [{ provider: "Git Hub" }, "provider"],
    [{ account: null }, "account"],
    [{ kind: "password" }, "kind"],
    [{ scopes: "repo" }, "scopes"],
    [{ expiresAt: "tomorrow" }, "expiresAt"],
    [{ expiresAt: 7 }, "expiresAt"],
    [{ secret: undefined }, "secret"],
    [{ secret: SECRET }, "secret"],
    [{ secret: {} }, "secret"],
    [{ secret: { token: SECRET.repeat(1_500) } }, "secret"],
  ]
  for (const [change, path] of wrong)
    expect(await send("POST", "/v1/credentials", { ...github, ...change })).toMatchObject({
      status: 422,
      body: { code: "credential_invalid", path },
    })
  expect((await send("POST", "/v1/credentials", { token: "x".repeat(70_000) })).status).toBe(413)
  expect((await send("GET", "/v1/credentials?limit=0")).status).toBe(422)
  expect((await send("GET", "/v1/credentials?status=wrong")).status).toBe(422)
  for (const path of ["/v1/credentials/1", "/v1/credentials/'%20or%201=1"])
    expect((await send("GET", path)).status).toBe(404)
  expect(traffic.join("\n")).not.toContain("planted")
})
