import { sign } from "@octokit/webhooks-methods"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, type TestFleet, testSlug } from "../../test/support/test-fleet.ts"
import { githubWebhook } from "../connectors/github.ts"
import type { Principal } from "../access/principal.ts"
import { defineHandler } from "../delivery/handler.ts"
import type { FleetOptions } from "../fleet/options.ts"
import { createFetchHandler, type FetchHandlerOptions } from "./fetch-handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const SECRET = "it is a secret to everybody"
const BASE = "http://localhost:4400"

interface TestServer extends TestFleet {
  readonly get: (path: string, init?: RequestInit) => Promise<Response>
  readonly post: (path: string, body: string | Uint8Array, headers?: Record<string, string>) => Promise<Response>
}

async function testServer(
  options: Partial<FleetOptions> = {},
  handlerOptions: Partial<FetchHandlerOptions> = {},
): Promise<TestServer> {
  const webhooks = [githubWebhook({ tenant: testSlug(), secret: SECRET, maxBodyBytes: 100_000 })]
  const started = await testFleet(db.database, { webhooks, ...options })
  const owner: Principal = { kind: "host", id: "anna", tenant: started.tenant.slug, role: "owner" }
  const handler = createFetchHandler(started.fleet, { authenticate: () => owner, ...handlerOptions })
  onTestFinished(() => handler.close())
  const send = async (path: string, init?: RequestInit): Promise<Response> =>
    handler.fetch(new Request(`${BASE}${path}`, init))
  return { ...started, get: send, post: (path, body, headers = {}) => send(path, { method: "POST", body, headers }) }
}

async function deliver(server: TestServer, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return server.post("/v1/webhooks/github", body, {
    "x-github-event": "issues",
    "x-github-delivery": "9f8a1a60-0000-4000-8000-000000000001",
    "x-hub-signature-256": await sign(SECRET, body),
    "content-type": "application/json",
    ...headers,
  })
}

const issue = JSON.stringify({ action: "opened", issue: { number: 1 }, repository: { full_name: "octokit/webhooks" } })

describe("GitHub's webhook", () => {
  test("becomes a durable signal that handlers act on", async () => {
    const seen: string[] = []
    const handler = defineHandler({
      name: "seen",
      on: "github.issues.opened",
      run: ({ signal }) => void seen.push(signal.type),
    })
    const server = await testServer({ handlers: [handler] })
    const response = await deliver(server, issue)
    expect(response.status).toBe(202)
    const { id, inserted } = (await response.json()) as { id: string; inserted: boolean }
    expect(inserted).toBe(true)
    await server.fleet.drain()
    expect(seen).toEqual(["github.issues.opened"])
    const detail = (await (await server.get(`/v1/signals/${id}`)).json()) as Record<string, unknown>
    expect(detail).toMatchObject({
      signal: {
        type: "github.issues.opened",
        source: "webhook:github",
        subject: "repository:octokit/webhooks",
        data: JSON.parse(issue),
      },
      sourceEventId: "9f8a1a60-0000-4000-8000-000000000001",
      deliveries: [{ handler: "seen", status: "done" }],
    })
  })

  test("that is delivered again creates nothing", async () => {
    const server = await testServer()
    const first = (await (await deliver(server, issue)).json()) as { id: string }
    const again = await deliver(server, issue)
    expect([again.status, await again.json()]).toEqual([202, { id: first.id, inserted: false }])
    expect((await server.tenant.counts()).signals).toBe(1)
  })

  test("with a secret inside is kept with a marker in the secret's place", async () => {
    const server = await testServer()
    const leaked = ["ghp", "_", "a1B2".repeat(9)].join("")
    await deliver(server, JSON.stringify({ action: "opened", body: `my token is ${leaked}`, zero: "a\u0000b" }))
    const page = await server.tenant.signals.list({ limit: 1, visibilities: ["internal"] })
    expect(page.signals[0]?.redacted).toBe(true)
    const detail = await server.tenant.signals.get(page.signals[0]?.id ?? "", ["internal"])
    expect(JSON.stringify(detail)).not.toContain(leaked)
    expect(detail?.metadata.redactions?.map(({ path }) => path).toSorted()).toEqual(["data.body", "data.zero"])
  })

  test.each([
    [
      "a wrong signature",
      401,
      "webhook_signature_invalid",
      issue,
      { "x-hub-signature-256": `sha256=${"0".repeat(64)}` },
    ],
    ["no signature", 401, "webhook_signature_invalid", issue, { "x-hub-signature-256": "" }],
    ["malformed JSON", 400, "body_malformed", '{"action":', {}],
    ["no delivery id", 400, "request_invalid", issue, { "x-github-delivery": "" }],
    ["a body over the limit", 413, "body_too_large", JSON.stringify({ text: "x".repeat(100_001) }), {}],
    ["nesting over the limit", 422, "data_too_deep", `{"a":${"[".repeat(100)}${"]".repeat(100)}}`, {}],
  ])("with %s is refused as problem details and stores nothing", async (_, status, code, body, headers) => {
    const server = await testServer()
    const response = await deliver(server, body, headers)
    expect(response.status).toBe(status)
    expect(response.headers.get("content-type")).toBe("application/problem+json")
    expect(await response.json()).toMatchObject({
      status,
      code,
      detail: expect.any(String),
      title: expect.any(String),
      type: expect.stringContaining(code),
    })
    expect((await server.tenant.counts()).signals).toBe(0)
  })

  test("at an address that does not exist is 404", async () => {
    const server = await testServer()
    expect((await server.post("/v1/webhooks/nobody", issue)).status).toBe(404)
  })
})

describe("reading", () => {
  test("is by pages, newest first, and by pattern", async () => {
    const server = await testServer({ worker: false })
    for (const n of [1, 2, 3, 4, 5]) await server.tenant.emit(n % 2 ? "odd.seen" : "even.seen", { n })
    const pages: string[][] = []
    let before = ""
    do {
      const page = (await (await server.get(`/v1/signals?limit=2${before}`)).json()) as {
        signals: { type: string }[]
        next: string | null
      }
      pages.push(page.signals.map(({ type }) => type))
      before = page.next === null ? "" : `&before=${page.next}`
    } while (before !== "")
    expect(pages).toEqual([["odd.seen", "even.seen"], ["odd.seen", "even.seen"], ["odd.seen"]])
    const odd = (await (await server.get("/v1/signals?pattern=odd.*")).json()) as { signals: unknown[] }
    expect(odd.signals).toHaveLength(3)
    expect(await (await server.get("/v1/summary")).json()).toMatchObject({
      tenant: server.tenant.slug,
      signals: 5,
      deliveries: { done: 0 },
    })
  })

  test.each(["?limit=0", "?limit=501", "?limit=x", "?before=1", "?pattern=a..b"])("%s is refused", async (query) => {
    const server = await testServer({ worker: false })
    expect([400, 422]).toContain((await server.get(`/v1/signals${query}`)).status)
  })

  test("needs a principal, and reaches that principal's tenant alone", async () => {
    let principal: Principal | undefined
    const server = await testServer({ worker: false }, { authenticate: () => principal })
    const { signal } = await server.tenant.emit("a.b", { marker: "mine" })
    const { signal: secret } = await server.tenant.emit("a.c", { marker: "mine" }, { visibility: "admin_only" })
    expect((await server.get("/v1/signals")).status).toBe(401)
    const other = await server.fleet.tenants.provision(testSlug("other"))
    principal = { kind: "host", id: "otto", tenant: other.slug, role: "owner" }
    expect((await server.get(`/v1/signals/${signal.id}`)).status).toBe(404)
    expect(await (await server.get(`/v1/signals?tenant=${server.tenant.slug}`)).text()).not.toContain(signal.id)
    principal = { kind: "host", id: "mia", tenant: server.tenant.slug, role: "member" }
    expect((await server.get(`/v1/signals/${signal.id}`)).status).toBe(200)
    expect((await server.get(`/v1/signals/${secret.id}`)).status).toBe(404)
  })

  test("answers only to the hosts it was told", async () => {
    const server = await testServer({ worker: false }, { allowedHosts: ["127.0.0.1"] })
    expect((await server.get("/v1/signals")).status).toBe(400)
    expect((await deliver(server, issue)).status).toBe(202)
  })

  test("what no text of the database can be names nothing, and finds nothing", async () => {
    const server = await testServer({ worker: false })
    const somebody = "0199d3a5-0000-7000-8000-000000000001"
    for (const path of ["/v1/api-keys/a%00", `/v1/dead-letters/${somebody}/a%00`])
      expect([path, (await server.get(path)).status]).toEqual([path, 404])
    expect((await server.get("/v1/installations?package=a%00")).status).toBe(422)
  })

  test("an unknown address is a problem, and every answer is locked down", async () => {
    const server = await testServer({ worker: false })
    const response = await server.get("/nothing/here")
    expect([response.status, response.headers.get("content-type")]).toEqual([404, "application/problem+json"])
    expect(response.headers.get("content-security-policy")).toContain("default-src 'self'")
    expect(response.headers.get("x-content-type-options")).toBe("nosniff")
  })
})

test("pages of other sites may call only where they were named, and never with a session", async () => {
  const headers = { origin: "https://app.example.com", "access-control-request-method": "POST" }
  const ask = async (server: TestServer, origin: string) =>
    server.get("/v1/signals", { method: "OPTIONS", headers: { ...headers, origin } })
  const closed = await testServer({ worker: false })
  expect((await ask(closed, headers.origin)).headers.get("access-control-allow-origin")).toBeNull()
  const open = await testServer({ worker: false }, { corsOrigins: [headers.origin] })
  const allowed = await ask(open, headers.origin)
  expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([204, headers.origin])
  expect(allowed.headers.get("access-control-allow-headers")).toContain("authorization")
  expect(allowed.headers.get("access-control-allow-credentials")).toBeNull()
  expect((await ask(open, "https://evil.example.com")).headers.get("access-control-allow-origin")).toBeNull()
})

test("the description of the API is open to everybody, and whoever has it already is told so", async () => {
  const server = await testServer({ worker: false }, { authenticate: () => undefined })
  const first = await server.get("/openapi.json")
  expect([first.status, ((await first.json()) as { openapi: string }).openapi]).toEqual([200, "3.1.0"])
  const headers = { "if-none-match": first.headers.get("etag") ?? "" }
  expect((await server.get("/openapi.json", { headers })).status).toBe(304)
  const page = await server.get("/reference")
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"])
  expect((await server.get("/reference.css")).headers.get("content-type")).toContain("text/css")
})

/** Reads events from a Server-Sent Events response, one at a time. */
async function* eventsOf(
  response: Response,
): AsyncGenerator<{ readonly event: string; readonly id: string; readonly data: unknown }> {
  let text = ""
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk
    const blocks = text.split("\n\n")
    text = blocks.pop() ?? ""
    for (const block of blocks.filter((each) => !each.startsWith(":"))) {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? ""
      yield { event: field("event"), id: field("id"), data: JSON.parse(field("data")) }
    }
  }
}

type Row = { readonly id: string; readonly type: string; readonly deliveries: { readonly status: string }[] }

describe("the live feed", () => {
  test("tells of new signals and of what came of their deliveries", async () => {
    const handler = defineHandler({ name: "h", on: "**", run: () => {} })
    const server = await testServer({ handlers: [handler] })
    const events = eventsOf(await server.get("/v1/signals/live"))
    const { signal } = await server.tenant.emit("a.b", {})
    let status = ""
    let id = ""
    for await (const { event, data } of events) {
      if (event === "signals") id = (data as Row[])[0]?.id ?? ""
      const rows = event === "signals" ? (data as Row[]) : event === "deliveries" ? (data as Row[]) : []
      status = rows[0]?.deliveries[0]?.status ?? status
      if (status === "done") break
    }
    expect([id, status]).toEqual([signal.id, "done"])
  })

  test("keeps to the pattern, and resumes after the last signal that was seen", async () => {
    const server = await testServer({ worker: false })
    const { signal: seen } = await server.tenant.emit("wanted.one", {})
    const { signal: missed } = await server.tenant.emit("wanted.two", {})
    await server.tenant.emit("other.one", {})
    const events = eventsOf(
      await server.get("/v1/signals/live?pattern=wanted.*", { headers: { "last-event-id": seen.id } }),
    )
    const first = await events.next()
    const ids = ((first.value?.data ?? []) as Row[]).map(({ id }) => id)
    expect(ids).toContain(missed.id)
    expect(first.value?.id).toBe(missed.id)
    await server.tenant.emit("other.two", {})
    const { signal: later } = await server.tenant.emit("wanted.three", {})
    const types = new Set<string>()
    for await (const { event, id, data } of events) {
      if (event === "signals") for (const row of data as Row[]) types.add(row.type)
      if (id === later.id) break
    }
    expect([...types].filter((type) => !type.startsWith("wanted."))).toEqual([])
  })

  test("does not tell a member what only admins may see", async () => {
    const server = await testServer({ worker: false }, {})
    const member = createFetchHandler(server.fleet, {
      authenticate: () => ({ kind: "host", id: "mia", tenant: server.tenant.slug, role: "member" }),
    })
    onTestFinished(() => member.close())
    const events = eventsOf(await member.fetch(new Request(`${BASE}/v1/signals/live`)))
    await server.tenant.emit("payroll.run", {}, { visibility: "admin_only" })
    const { signal } = await server.tenant.emit("lunch.served", {})
    for await (const { event, data } of events) {
      if (event !== "signals") continue
      expect((data as Row[]).map(({ id }) => id)).toEqual([signal.id])
      break
    }
  })
})
