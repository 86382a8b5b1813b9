import { createHmac } from "node:crypto"
import { inspect } from "node:util"
import { Webhook } from "standardwebhooks"
import { describe, expect, test } from "vitest"
import { endpointsForTests } from "../../../test/support/http-adapter.ts"
import type { LocalEndpoint } from "../../../test/support/local-endpoint.ts"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { webhookAdapter, type WebhookSettings } from "./adapter-webhook.ts"
import { createSignal } from "../signal.ts"

const signal = createSignal({ type: "user.signup_completed", source: "/accounts", data: { userId: "7" } })
const NEW_SECRET = `whsec_${Buffer.alloc(32, 1).toString("base64")}`
const OLD_SECRET = `whsec_${Buffer.alloc(32, 2).toString("base64")}`
const EVENT_TYPES = { "user.signup_completed": "user.created" }
const url = "https://crm.example/hooks/t0k3n"

const endpointThat = endpointsForTests()

function setUp(settings: WebhookSettings = {}) {
  // The official library compares the time of a webhook with its own clock.
  const clock = new ManualClock(Date.now())
  const adapter = webhookAdapter({ clock, random: () => 0, responseBodyMs: 777, ...settings })
  const send = async (options: Record<string, unknown>) =>
    adapter.deliver(signal, adapter.validate(options), { abort: new AbortController().signal, attempt: 1 })
  return { adapter, clock, send }
}

const headersOf = (endpoint: LocalEndpoint, index = 0) => {
  const headers = endpoint.received[index]?.headers ?? {}
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

describe("Standard Webhooks", () => {
  test("the official library accepts what is sent", async () => {
    const endpoint = await endpointThat()
    const { clock, send } = setUp()
    await send({ url: endpoint.url, secret: NEW_SECRET })
    const headers = headersOf(endpoint)
    expect(new Webhook(NEW_SECRET).verify(endpoint.received[0]?.body ?? "", headers)).toEqual(signal)
    expect(headers).toMatchObject({
      "webhook-id": signal.id,
      "webhook-timestamp": String(Math.floor(clock.now() / 1_000)),
      "content-type": expect.stringMatching(/^application\/cloudevents\+json/),
    })
  })

  test("bytes stand in the body as CloudEvents has them", async () => {
    const endpoint = await endpointThat()
    const { adapter } = setUp()
    const bytes = { ...signal, data: null, data_base64: "AQID" }
    const context = { abort: new AbortController().signal, attempt: 1 }
    await adapter.deliver(bytes, adapter.validate({ url: endpoint.url, secret: NEW_SECRET }), context)
    const { data: _, ...sent } = bytes
    expect(JSON.parse(endpoint.received[0]?.body ?? "")).toEqual(sent)
  })

  test("during a change of secrets a receiver may know either", async () => {
    const endpoint = await endpointThat()
    await setUp().send({ url: endpoint.url, secret: [NEW_SECRET, OLD_SECRET] })
    for (const secret of [NEW_SECRET, OLD_SECRET]) {
      expect(new Webhook(secret).verify(endpoint.received[0]?.body ?? "", headersOf(endpoint))).toEqual(signal)
    }
  })

  test("each try has the time of that try, and the same id", async () => {
    const endpoint = await endpointThat((response, _, count) => response.writeHead(count === 1 ? 503 : 204).end())
    const { clock, send } = setUp()
    const sent = send({ url: endpoint.url, secret: NEW_SECRET, retry: { baseDelayMs: 5_000 } })
    await clock.waitedFor(5_000)
    clock.advance(5_000)
    await sent
    const [first, second] = [headersOf(endpoint, 0), headersOf(endpoint, 1)]
    expect(Number(second["webhook-timestamp"]) - Number(first["webhook-timestamp"])).toBe(5)
    expect(second["webhook-id"]).toBe(first["webhook-id"])
    expect(new Webhook(NEW_SECRET).verify(endpoint.received[1]?.body ?? "", second)).toEqual(signal)
  })

  test("410 says that the endpoint is gone", async () => {
    const endpoint = await endpointThat((response) => response.writeHead(410).end())
    const sent = setUp().send({ url: endpoint.url, secret: NEW_SECRET })
    await expect(sent).rejects.toMatchObject({ code: "dispatch_gone", status: 410 })
  })

  test("the content type may be another, the signature's headers may not", async () => {
    const endpoint = await endpointThat()
    const { adapter, send } = setUp()
    await send({ url: endpoint.url, secret: NEW_SECRET, headers: { "Content-Type": "application/json" } })
    expect(headersOf(endpoint)["content-type"]).toBe("application/json")
    expect(() => adapter.validate({ url, secret: NEW_SECRET, headers: { "Webhook-Id": "x" } })).toThrow(
      expect.objectContaining({ code: "dispatch_invalid", path: "headers.webhook-id" }),
    )
  })
})

describe("event types", () => {
  test("the mapped type stands in the signed body", async () => {
    const endpoint = await endpointThat()
    await setUp().send({ url: endpoint.url, secret: NEW_SECRET, eventTypeMap: EVENT_TYPES })
    const received = new Webhook(NEW_SECRET).verify(endpoint.received[0]?.body ?? "", headersOf(endpoint))
    expect(received).toEqual({ ...signal, type: "user.created" })
  })

  test.each([
    [{}, 1],
    [{ unmapped: "pass" }, 1],
    [{ unmapped: "skip" }, 0],
  ])("with %j an unmapped type is sent %d times", async (options, times) => {
    const endpoint = await endpointThat()
    await setUp().send({ url: endpoint.url, secret: NEW_SECRET, eventTypeMap: { "a.b": "c.d" }, ...options })
    expect(endpoint.received.map(({ body }) => JSON.parse(body))).toEqual(Array.from({ length: times }, () => signal))
  })

  test("a type called like a part of every object is not mapped", async () => {
    const { adapter } = setUp()
    const { eventTypes } = adapter.validate({ url, secret: NEW_SECRET, eventTypeMap: {} })
    expect(eventTypes.get("constructor")).toBeUndefined()
  })
})

describe("Jido's scheme", () => {
  test("has the hexadecimal signature of time and body, the mapped type and the time in headers", async () => {
    const endpoint = await endpointThat()
    const { clock, send } = setUp()
    await send({ url: endpoint.url, secret: "webhook_secret", signing: "jido", eventTypeMap: EVENT_TYPES })
    const body = endpoint.received[0]?.body ?? ""
    const timestamp = String(Math.floor(clock.now() / 1_000))
    expect(headersOf(endpoint)).toMatchObject({
      "content-type": "application/json",
      "x-webhook-timestamp": timestamp,
      "x-webhook-event": "user.created",
      "x-webhook-signature": createHmac("sha256", "webhook_secret").update(`${timestamp}.${body}`).digest("hex"),
    })
    expect(headersOf(endpoint)).not.toHaveProperty("webhook-id")
    expect(JSON.parse(body)).toEqual(signal)
  })

  test("its headers may have other names", async () => {
    const endpoint = await endpointThat()
    const names = { signatureHeader: "X-Signature", eventTypeHeader: "X-Event-Type" }
    await setUp().send({ url: endpoint.url, secret: "s", signing: "jido", ...names })
    expect(headersOf(endpoint)).toMatchObject({
      "x-signature": expect.stringMatching(/^[0-9a-f]{64}$/),
      "x-event-type": "user.signup_completed",
    })
  })
})

test("without a signature there are id and time", async () => {
  const endpoint = await endpointThat()
  await setUp().send({ url: endpoint.url, signing: "none" })
  expect(headersOf(endpoint)).toMatchObject({ "webhook-id": signal.id })
  expect(headersOf(endpoint)).not.toHaveProperty("webhook-signature")
})

describe("secrets that live elsewhere", () => {
  test("are asked for before each try", async () => {
    const endpoint = await endpointThat((response, _, count) => response.writeHead(count === 1 ? 503 : 204).end())
    const answers = [[OLD_SECRET], [NEW_SECRET]]
    const asked: string[] = []
    const secretsFor = (url: string) => answers[asked.push(url) - 1] ?? []
    const { clock, send } = setUp({ secretsFor })
    const sent = send({ url: endpoint.url })
    await clock.waitedFor(500)
    clock.advance(500)
    await sent
    expect(asked).toEqual([endpoint.url, endpoint.url])
    new Webhook(OLD_SECRET).verify(endpoint.received[0]?.body ?? "", headersOf(endpoint, 0))
    new Webhook(NEW_SECRET).verify(endpoint.received[1]?.body ?? "", headersOf(endpoint, 1))
  })

  test("give way to the option", async () => {
    const endpoint = await endpointThat()
    await setUp({ secretsFor: () => [OLD_SECRET] }).send({ url: endpoint.url, secret: NEW_SECRET })
    new Webhook(NEW_SECRET).verify(endpoint.received[0]?.body ?? "", headersOf(endpoint))
  })

  test.each([[[]], [["whsec_short"]]])("%j is refused and nothing is sent", async (secrets) => {
    const endpoint = await endpointThat()
    const sent = setUp({ secretsFor: () => secrets }).send({ url: endpoint.url })
    await expect(sent).rejects.toMatchObject({ code: "dispatch_invalid" })
    expect(endpoint.received).toEqual([])
  })
})

test("no secret shows in the checked options or in an error", async () => {
  const marker = "s3cr3t"
  const { adapter, send } = setUp()
  const options = adapter.validate({ url, secret: `whsec_${marker.repeat(8)}` })
  expect(inspect(options, { depth: 10, showHidden: true })).not.toContain(marker)
  expect(JSON.stringify(options)).not.toContain(marker)
  const endpoint = await endpointThat((response) => response.writeHead(400).end())
  const attempts = [
    { url, secret: `${marker}\n` },
    { url, secret: [NEW_SECRET, `whsec_${marker}`] },
    { url, secret: marker, signing: "none" },
    { url: endpoint.url, secret: marker, signing: "jido" },
  ]
  for (const attempt of attempts) {
    const error: unknown = await send(attempt).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(marker)
  }
})

test.each([
  ["secret", { url }],
  ["secret", { url, secret: "" }],
  ["secret", { url, secret: "plain text" }],
  ["secret", { url, secret: [] }],
  ["secret[1]", { url, secret: [NEW_SECRET, 1] }],
  ["secret", { url, signing: "jido" }],
  ["secret", { url, secret: NEW_SECRET, signing: "none" }],
  ["signing", { url, secret: NEW_SECRET, signing: "hmac" }],
  ["unmapped", { url, secret: NEW_SECRET, unmapped: "drop" }],
  ["eventTypeMap", { url, secret: NEW_SECRET, eventTypeMap: ["a.b"] }],
  [`eventTypeMap["a.b"]`, { url, secret: NEW_SECRET, eventTypeMap: { "a.b": "c\r\nd: e" } }],
  [`eventTypeMap["a.b"]`, { url, secret: NEW_SECRET, eventTypeMap: { "a.b": " " } }],
  ["signatureHeader", { url, secret: NEW_SECRET, signatureHeader: "x-signature" }],
  ["signatureHeader", { url, secret: "s", signing: "jido", signatureHeader: "x y" }],
  ["signatureHeader", { url, secret: "s", signing: "jido", signatureHeader: "X-Webhook-Timestamp" }],
  ["eventTypeHeader.host", { url, secret: "s", signing: "jido", eventTypeHeader: "Host" }],
  ["headers.x-event", { url, secret: "s", signing: "jido", eventTypeHeader: "X-Event", headers: { "x-event": "a" } }],
  ["url", { secret: NEW_SECRET }],
  ["secrets", { url, secrets: [NEW_SECRET] }],
])("%s is named as wrong in %j", (path, options) => {
  expect(() => setUp().adapter.validate(options)).toThrow(expect.objectContaining({ code: "dispatch_invalid", path }))
})
