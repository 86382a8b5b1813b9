import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, type TestFleet, testSlug } from "../../test/support/test-fleet.ts"
import { withTestKeys } from "../../test/support/test-keys.ts"
import { apiKeyAuthenticator } from "../access/api-key-authenticator.ts"
import type { Principal } from "../access/principal.ts"
import { createFetchHandler } from "./fetch-handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const BASE = "http://localhost:4400"

interface KeyServer extends TestFleet {
  /** Sends a request with a key. */
  readonly send: (key: string | undefined, path: string, init?: RequestInit) => Promise<Response>
  /** How often it was asked who is calling. */
  readonly asked: () => number
  /** A key with a role, of somebody of the host application. */
  readonly keyOf: (role: "owner" | "admin" | "member", scopes?: readonly string[]) => Promise<string>
}

async function keyServer(): Promise<KeyServer> {
  const started = await testFleet(db.database, withTestKeys())
  const byKey = apiKeyAuthenticator(started.fleet)
  let asked = 0
  const handler = createFetchHandler(started.fleet, { authenticate: (request) => (asked++, byKey(request)) })
  onTestFinished(() => handler.close())
  const send = async (key: string | undefined, path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { ...(key !== undefined && { authorization: `Bearer ${key}` }), "content-type": "application/json" }
    return handler.fetch(new Request(`${BASE}${path}`, { ...init, headers }), { remoteAddress: "192.0.2.9" })
  }
  const keyOf = async (role: "owner" | "admin" | "member", scopes?: readonly string[]): Promise<string> => {
    const owner = { kind: "host", id: `${role}-person` } as const
    const made = await started.tenant.apiKeys.create({ name: role, role, owner, ...(scopes && { scopes }) })
    return made.key
  }
  return { ...started, send, keyOf, asked: () => asked }
}

function body(value: object, method = "POST"): RequestInit {
  return { method, body: JSON.stringify(value) }
}

describe("over HTTP", () => {
  test("an account gets a key, which is shown once, rotated and revoked", async () => {
    const { send, keyOf } = await keyServer()
    const admin = await keyOf("admin")
    const made = await send(admin, "/v1/service-accounts", body({ name: "importer", role: "member" }))
    expect(made.status).toBe(201)
    const account = (await made.json()) as { id: string }
    const created = await send(
      admin,
      "/v1/api-keys",
      body({ name: "first", role: "member", serviceAccountId: account.id, scopes: ["signals:read"] }),
    )
    expect(created.status).toBe(201)
    expect(created.headers.get("cache-control")).toBe("no-store")
    const first = (await created.json()) as { key: string; record: { id: string } }
    expect((await send(first.key, "/v1/signals")).status).toBe(200)
    expect((await send(first.key, "/v1/api-keys")).status).toBe(403)
    const listed = await (await send(admin, "/v1/api-keys")).text()
    expect(listed).toContain(first.record.id)
    expect(listed).not.toContain(first.key.slice(-38))
    const rotated = await send(admin, `/v1/api-keys/${first.record.id}/rotate`, body({ overlapMs: 60_000 }))
    expect(rotated.status).toBe(201)
    const second = (await rotated.json()) as { key: string; record: { id: string } }
    expect((await send(first.key, "/v1/signals")).status).toBe(200)
    expect((await send(second.key, "/v1/signals")).status).toBe(200)
    expect((await send(admin, `/v1/api-keys/${second.record.id}`, { method: "DELETE" })).status).toBe(204)
    await expect.poll(async () => (await send(second.key, "/v1/signals")).status, { timeout: 30_000 }).toBe(401)
    expect((await send(admin, `/v1/service-accounts/${account.id}`, body({ enabled: false }, "PATCH"))).status).toBe(
      200,
    )
    await expect.poll(async () => (await send(first.key, "/v1/signals")).status, { timeout: 30_000 }).toBe(401)
    expect((await send(admin, `/v1/service-accounts/${account.id}`, { method: "DELETE" })).status).toBe(204)
    expect(await (await send(admin, "/v1/service-accounts")).json()).toEqual({ serviceAccounts: [] })
  })

  test("nobody without a key that works gets in, and a request's own words name no tenant", async () => {
    const { fleet, send, keyOf, tenant } = await keyServer()
    const key = await keyOf("member")
    for (const wrong of [undefined, "", "fp_test_x", key.slice(0, -1), `${key}x`])
      expect((await send(wrong, "/v1/signals")).status).toBe(401)
    const slug = testSlug("other")
    await fleet.tenants.provision(slug)
    await fleet.tenant(slug).emit("their.secret", {})
    const answer = await send(key, `/v1/signals?tenant=${slug}`)
    expect(await answer.text()).not.toContain("their.secret")
    await tenant.emit("our.own", {})
    expect(await (await send(key, `/v1/signals?tenant=${slug}`)).text()).toContain("our.own")
  })

  test("a key of one tenant reaches no key or account of another", async () => {
    const ours = await keyServer()
    const admin = await ours.keyOf("owner")
    const slug = testSlug("other")
    await ours.fleet.tenants.provision(slug)
    const theirs = ours.fleet.tenant(slug)
    const { record } = await theirs.apiKeys.create({ name: "x", role: "owner", owner: { kind: "host", id: "them" } })
    const account = await theirs.serviceAccounts.create({ name: "them", role: "member" })
    const tries = [
      await ours.send(admin, `/v1/api-keys/${record.id}`),
      await ours.send(admin, `/v1/api-keys/${record.id}`, { method: "DELETE" }),
      await ours.send(admin, `/v1/api-keys/${record.id}/rotate`, body({})),
      await ours.send(admin, `/v1/service-accounts/${account.id}`, body({ enabled: false }, "PATCH")),
      await ours.send(admin, `/v1/service-accounts/${account.id}`, { method: "DELETE" }),
      await ours.send(admin, "/v1/api-keys", body({ name: "x", role: "member", serviceAccountId: account.id })),
    ]
    expect(tries.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 404])
    expect(await theirs.apiKeys.get(record.id)).toMatchObject({ status: "active" })
  })

  test("what is no option, no number or no body is told so", async () => {
    const { send, keyOf, tenant } = await keyServer()
    const admin = await keyOf("admin")
    const account = await tenant.serviceAccounts.create({ name: "a", role: "member" })
    const wrong = [
      body({}),
      body({ name: 7, role: "member", serviceAccountId: account.id }),
      body({ name: "x", role: "operator", serviceAccountId: account.id }),
      body({ name: "x", role: "member", serviceAccountId: account.id, scopes: "signals:read" }),
      body({ name: "x", role: "member", serviceAccountId: account.id, lifetimeMs: "1" }),
      body({ name: "x", role: "member", serviceAccountId: { a: 1 } }),
      body({ name: "x", role: "member" }),
      { method: "POST", body: "[]" },
      { method: "POST", body: "{" },
    ]
    for (const each of wrong) {
      const { status } = await send(admin, "/v1/api-keys", each)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
    }
    expect((await send(admin, "/v1/api-keys?limit=x")).status).toBe(422)
    expect((await send(admin, `/v1/service-accounts/${account.id}`, body({ enabled: "no" }, "PATCH"))).status).toBe(422)
    expect((await send(admin, "/v1/service-accounts/x", body({ enabled: true }, "PATCH"))).status).toBe(404)
  })
})

describe("a person who may look after their own keys alone", () => {
  test("sees, makes and ends those", async () => {
    const { fleet, tenant } = await testFleet(db.database, withTestKeys())
    const me: Principal = { kind: "host", id: "me", tenant: tenant.slug, role: "member" }
    const handler = createFetchHandler(fleet, { authenticate: () => me })
    onTestFinished(() => handler.close())
    const send = async (path: string, init?: RequestInit) => handler.fetch(new Request(`${BASE}${path}`, init))
    const theirs = await tenant.apiKeys.create({ name: "x", role: "member", owner: { kind: "host", id: "other" } })
    const made = await send("/v1/api-keys", body({ name: "mine", role: "member" }))
    expect(made.status).toBe(201)
    const mine = (await made.json()) as { record: { id: string } }
    const { keys } = (await (await send("/v1/api-keys")).json()) as { keys: readonly { id: string }[] }
    expect(keys.map(({ id }) => id)).toEqual([mine.record.id])
    expect((await send(`/v1/api-keys/${theirs.record.id}`)).status).toBe(404)
    expect((await send(`/v1/api-keys/${theirs.record.id}`, { method: "DELETE" })).status).toBe(403)
    expect((await send("/v1/api-keys", body({ name: "x", role: "admin" }))).status).toBe(403)
    expect((await send(`/v1/api-keys/${mine.record.id}`, { method: "DELETE" })).status).toBe(204)
    expect((await send("/v1/service-accounts")).status).toBe(403)
  })
})

describe("a live stream", () => {
  test.each(["here", "in another process"])("ends within 2 seconds when its key is revoked %s", async (where) => {
    const { fleet, tenant, send } = await keyServer()
    const owner = { kind: "host", id: "watcher" } as const
    const { key, record } = await tenant.apiKeys.create({ name: "watch", role: "member", owner })
    const response = await send(key, "/v1/signals/live")
    expect(response.status).toBe(200)
    const ended = readToEnd(response)
    const other = where === "here" ? fleet : (await testFleet(db.database, withTestKeys())).fleet
    await other.tenant(tenant.slug).apiKeys.revoke(record.id)
    const revokedAt = performance.now()
    await ended
    expect(performance.now() - revokedAt).toBeLessThan(2_000)
    expect((await send(key, "/v1/signals/live")).status).toBe(401)
  })

  test("ends when its caller may something else than when it began, and whoever still may comes back", async () => {
    const { tenant, send } = await keyServer()
    const account = await tenant.serviceAccounts.create({ name: "watcher", role: "admin" })
    const owner = { kind: "service_account", id: account.id } as const
    const { key } = await tenant.apiKeys.create({ name: "watch", role: "admin", owner })
    const ended = readToEnd(await send(key, "/v1/signals/live"))
    await tenant.serviceAccounts.update(account.id, { role: "member" })
    await ended
    expect((await send(key, "/v1/signals/live")).status).toBe(200)
  })

  test("goes on while its key works", async () => {
    const { tenant, send, keyOf, asked } = await keyServer()
    const reader = (await send(await keyOf("member"), "/v1/signals/live")).body?.getReader()
    // Once for the request, and then twice whether its caller may stay.
    await expect.poll(asked, { timeout: 30_000 }).toBeGreaterThanOrEqual(3)
    await tenant.emit("still.here", {})
    const decoder = new TextDecoder()
    let text = ""
    while (!text.includes("still.here")) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
      expect(done).toBe(false)
      text += decoder.decode(value)
    }
    await reader?.cancel()
  })
})

async function readToEnd(response: Response): Promise<void> {
  for await (const _ of response.body ?? []);
}

test("every change stands in the audit log, with who did it and without the key", async () => {
  const { tenant, send, keyOf } = await keyServer()
  const admin = await keyOf("admin")
  const account = (await (await send(admin, "/v1/service-accounts", body({ name: "a", role: "member" }))).json()) as {
    id: string
  }
  const made = (await (
    await send(admin, "/v1/api-keys", body({ name: "k", role: "member", serviceAccountId: account.id }))
  ).json()) as { key: string; record: { id: string } }
  await send(admin, `/v1/api-keys/${made.record.id}/rotate`, body({}))
  await send(admin, `/v1/api-keys/${made.record.id}`, { method: "DELETE" })
  await send(admin, `/v1/service-accounts/${account.id}`, body({ role: "member" }, "PATCH"))
  await send(admin, `/v1/service-accounts/${account.id}`, { method: "DELETE" })
  const { entries } = await tenant.audit.list({})
  const actions = entries.map(({ action }) => action).filter((action) => /key|account/.test(action))
  expect(actions.toReversed()).toEqual([
    "api_key.create",
    "service_account.create",
    "api_key.create",
    "api_key.rotate",
    "api_key.revoke",
    "service_account.change",
    "service_account.remove",
  ])
  expect(entries[0]?.actor).toMatchObject({ kind: "api_key", role: "admin" })
  expect(JSON.stringify(entries)).not.toContain(made.key.slice(-38, -6))
})
