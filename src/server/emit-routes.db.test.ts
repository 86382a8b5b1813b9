import { CloudEvent, HTTP } from "cloudevents"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { sendAs } from "../../test/support/http-people.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, type TestFleet } from "../../test/support/test-fleet.ts"
import type { Principal } from "../access/principal.ts"
import { createFetchHandler } from "./fetch-handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

interface Posted {
  readonly status: number
  readonly body: {
    readonly code?: string
    readonly id?: string
    readonly inserted?: boolean
    readonly results?: { id: string; inserted: boolean }[]
  }
}

interface Emitting extends TestFleet {
  readonly post: (path: string, body: string, headers?: Record<string, string>) => Promise<Posted>
}

async function emitting(): Promise<Emitting> {
  const started = await testFleet(db.database, { worker: false })
  const mia: Principal = { kind: "user", id: "mia", tenant: started.tenant.slug, role: "member" }
  const handler = createFetchHandler(started.fleet, { authenticate: () => mia })
  onTestFinished(() => handler.close())
  const post: Emitting["post"] = async (path, body, headers = {}) => {
    const response = await handler.fetch(new Request(`http://localhost${path}`, { method: "POST", body, headers }))
    // Our answers in JSON are objects.
    return { status: response.status, body: (await response.json()) as Posted["body"] }
  }
  return { ...started, post }
}

const lead = JSON.stringify({ type: "lead.received", data: { n: 1 }, subject: "lead:1" })

describe("one signal", () => {
  test("is stored with who sent it and the trace that it came with", async () => {
    const { post, tenant } = await emitting()
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    const { status, body } = await post("/v1/signals", lead, { traceparent })
    expect([status, body.inserted]).toEqual([201, true])
    const stored = await tenant.signals.get(body.id ?? "", ["internal"])
    expect(stored).toMatchObject({
      signal: { type: "lead.received", source: "api", subject: "lead:1", data: { n: 1 } },
      metadata: { actor_user_id: "mia", actor_role: "member", trace_id: "4bf92f3577b34da6a3ce929d0e0e4736" },
    })
  })

  test("that is sent again under its key stores nothing, and under the key of another is refused", async () => {
    const { post, tenant } = await emitting()
    const key = { "idempotency-key": "zillow:1" }
    const first = await post("/v1/signals", lead, key)
    const again = await post("/v1/signals", lead, key)
    expect([again.status, again.body]).toEqual([200, { id: first.body.id, inserted: false }])
    const other = await post("/v1/signals", JSON.stringify({ type: "lead.lost", data: {} }), key)
    expect([other.status, other.body.code]).toEqual([409, "idempotency_conflict"])
    expect((await tenant.counts()).signals).toBe(1)
  })

  test.each([
    ["no type", { data: {} }, 422, "signal_invalid"],
    ["a type that is none", { type: "no type", data: {} }, 422, "signal_invalid"],
    [
      "data that holds a secret",
      { type: "a.b", data: { token: ["ghp", "_", "a1B2".repeat(9)].join("") } },
      422,
      "secret_refused",
    ],
    ["a source that only the platform has", { type: "a.b", source: "webhook:github" }, 422, "signal_invalid"],
    ["a key that only the platform has", { type: "a.b", dedupeKey: "job:1:a.b" }, 422, "signal_invalid"],
    ["more data than there may be", { type: "a.b", data: "x".repeat(1_060_000) }, 413, "data_too_large"],
    ["a body that is too long", { type: "a.b", data: "x".repeat(1_200_000) }, 413, "body_too_large"],
    ["a body that is no object", [], 400, "body_malformed"],
  ])("with %s is refused", async (_, body, status, code) => {
    const { post, tenant } = await emitting()
    const answer = await post("/v1/signals", JSON.stringify(body))
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect((await tenant.counts()).signals).toBe(0)
  })
})

describe("many signals", () => {
  test("are stored in one commit, all or none", async () => {
    const { post, tenant } = await emitting()
    const good = { type: "a.b", data: 1 }
    const bad = await post("/v1/signals/batch", JSON.stringify({ signals: [good, { type: "not a type", data: 2 }] }))
    expect([bad.status, bad.body.code]).toEqual([422, "signal_invalid"])
    expect((await tenant.counts()).signals).toBe(0)
    const { status, body } = await post("/v1/signals/batch", JSON.stringify({ signals: [good, good, good] }))
    expect([status, body.results?.map(({ inserted }) => inserted)]).toEqual([200, [true, true, true]])
    expect((await tenant.counts()).signals).toBe(3)
  })

  test("are at most 1,000", async () => {
    const { post } = await emitting()
    const signals = Array.from({ length: 1_001 }, () => ({ type: "a.b", data: 1 }))
    expect((await post("/v1/signals/batch", JSON.stringify({ signals }))).status).toBe(422)
  })
})

describe("CloudEvents of the official SDK", () => {
  const event = new CloudEvent({
    id: "e-1",
    type: "com.example.seen",
    source: "/sensors/1",
    data: { n: 1 },
    flag: true,
  })

  test.each([
    ["binary", HTTP.binary(event)],
    ["structured", HTTP.structured(event)],
  ])("come in %s, and once", async (_, { headers, body }) => {
    const { post, tenant } = await emitting()
    // The SDK sends texts.
    const sent = () => post("/v1/events", body as string, headers as Record<string, string>)
    const first = await sent()
    const again = await sent()
    const [stored] = first.body.results ?? []
    expect([first.status, stored?.inserted]).toEqual([200, true])
    expect(again.body.results).toEqual([{ id: stored?.id, inserted: false }])
    const detail = await tenant.signals.get(stored?.id ?? "", ["internal"])
    expect(detail?.sourceEventId).toBe("e-1")
    expect(detail?.signal).toMatchObject({ type: "com.example.seen", source: "/sensors/1", data: { n: 1 } })
    expect(String(detail?.signal["flag"])).toBe("true")
  })

  test("come as a batch, in one commit", async () => {
    const { post, tenant } = await emitting()
    const events = [event, event.cloneWith({ id: "e-2" })].map((each) => each.toJSON())
    const headers = { "content-type": "application/cloudevents-batch+json" }
    const { status, body } = await post("/v1/events", JSON.stringify(events), headers)
    expect([status, body.results?.length]).toEqual([200, 2])
    expect((await tenant.counts()).signals).toBe(2)
    const broken = JSON.stringify([event.cloneWith({ id: "e-3" }), { specversion: "1.0", id: "e-4" }])
    expect((await post("/v1/events", broken, headers)).status).toBe(422)
    expect((await tenant.counts()).signals).toBe(2)
  })

  test("that are none, or whose data is no JSON, are refused", async () => {
    const { post } = await emitting()
    expect((await post("/v1/events", "{}", { "content-type": "application/json" })).body.code).toBe("decode_failed")
    const headers = {
      "ce-specversion": "1.0",
      "ce-id": "1",
      "ce-source": "/a",
      "ce-type": "a.b",
      "content-type": "image/png",
    }
    expect((await post("/v1/events", "x", headers)).body.code).toBe("signal_invalid")
  })
})

test("an operator emits nothing in a tenant's name", async () => {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  const opal: Principal = { kind: "operator", id: "opal", tenant: tenant.slug, role: "operator" }
  expect((await sendAs(fleet)(opal, "POST", "/v1/signals", { type: "a.b" })).status).toBe(403)
})
