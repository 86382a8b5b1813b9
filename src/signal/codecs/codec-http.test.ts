import fc from "fast-check"
import { describe, expect, expectTypeOf, test } from "vitest"
import { anySignal } from "../../../test/support/signal-arbitrary.ts"
import { fromHttp, type HttpMessage, toHttp, toHttpBatch } from "./codec-http.ts"
import { createSignal, type Signal, type SignalInput } from "../signal.ts"

const time = "2026-01-31T12:00:00Z"
const required = { id: "1", source: "/crm", type: "lead.received", time }
const signalOf = (input: Partial<SignalInput>): Signal => createSignal({ ...required, ...input })
const headers = {
  "ce-specversion": "1.0",
  "ce-id": "1",
  "ce-source": "/crm",
  "ce-type": "lead.received",
  "ce-time": time,
}
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** What a server reads of a message that a client sent. */
async function sent({ headers, body }: HttpMessage): Promise<Signal | Signal[]> {
  const request = new Request("http://localhost/", { method: "POST", headers, body })
  return fromHttp({ headers: request.headers, body: await request.arrayBuffer() })
}

/** What binary mode may change: types of extensions are lost, and the type of JSON is said. */
function inBinary(signal: Signal): Record<string, unknown> {
  const attributes = Object.entries(signal).map(([name, value]) => [
    name,
    typeof value === "object" || name === "data" ? value : String(value),
  ])
  const says = signal.datacontenttype === undefined && signal.data !== null && signal.data_base64 === undefined
  return { ...Object.fromEntries(attributes), ...(says && { datacontenttype: "application/json" }) }
}

describe("every signal survives the wire", () => {
  test("structured", async () => {
    await fc.assert(
      fc.asyncProperty(anySignal, async (signal) => {
        expect(await sent(toHttp(signal))).toEqual(signal)
      }),
    )
  })

  test("binary", async () => {
    await fc.assert(
      fc.asyncProperty(anySignal, async (signal) => {
        expect(await sent(toHttp(signal, "binary"))).toEqual(inBinary(signal))
      }),
    )
  })

  test("in a batch", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anySignal, { maxLength: 5 }), async (signals) => {
        expect(await sent(toHttpBatch(signals))).toEqual(signals)
      }),
    )
  })
})

test("structured: all in the body", () => {
  const signal = signalOf({ data: { leadId: "1" }, subject: "lead:1" })
  const message = toHttp(signal, "structured")
  expect(message.headers).toEqual({ "content-type": "application/cloudevents+json" })
  expect(JSON.parse(String(message.body))).toEqual({ ...signal })
})

test("batch: an array in the body, an empty one too", () => {
  const { headers, body } = toHttpBatch([])
  expect(headers).toEqual({ "content-type": "application/cloudevents-batch+json" })
  expect(fromHttp({ headers, body })).toEqual([])
})

describe("binary", () => {
  test("attributes are headers, the data is the body", () => {
    const signal = signalOf({ subject: "Euro € 😀", data: { leadId: "1" }, count: 7, flag: true })
    expect(toHttp(signal, "binary")).toEqual({
      headers: {
        ...headers,
        "ce-subject": "Euro%20%E2%82%AC%20%F0%9F%98%80",
        "ce-count": "7",
        "ce-flag": "true",
        "content-type": "application/json",
      },
      body: '{"leadId":"1"}',
    })
  })

  test.each([
    ["no data and no type", {}, undefined, new Uint8Array()],
    ["null of a JSON type", { datacontenttype: "application/json" }, "application/json", "null"],
    ["null of another type", { datacontenttype: "image/png" }, "image/png", ""],
    ["a JSON text", { data: "a" }, "application/json", '"a"'],
    ["text", { data: "a ü", datacontenttype: "text/plain" }, "text/plain", "a ü"],
    ["bytes", { data_base64: "AAH/", datacontenttype: "image/png" }, "image/png", Uint8Array.of(0, 1, 255)],
    ["bytes of no type", { data_base64: "AAH/" }, undefined, Uint8Array.of(0, 1, 255)],
    [
      "text in another charset",
      { data: "ü", datacontenttype: "text/plain; charset=ISO-8859-1" },
      "text/plain; charset=ISO-8859-1",
      Uint8Array.of(0xfc),
    ],
    [
      "JSON in another charset",
      { data: "ü😀", datacontenttype: "application/json; charset=ISO-8859-1" },
      "application/json; charset=ISO-8859-1",
      bytesOf('"\\u00fc\\ud83d\\ude00"'),
    ],
  ])("%s is written", (_, input, contentType, body) => {
    const message = toHttp(signalOf(input), "binary")
    expect(message.headers["content-type"]).toBe(contentType)
    expect(message.body).toEqual(body)
  })

  test.each([
    ["data", { data: { a: 1 }, datacontenttype: "text/plain" }],
    ["data", { data: "€", datacontenttype: "text/plain; charset=iso-8859-1" }],
    ["data", { data: "a", datacontenttype: "text/plain; charset=utf-16" }],
    ["data", { data: "a", datacontenttype: "text/plain; charset=unknown" }],
    ["datacontenttype", { data: {}, datacontenttype: "application/cloudevents+json" }],
    ["datacontenttype", { data: {}, datacontenttype: "Application/CloudEvents-batch+json" }],
    ["datacontenttype", { data: "a", datacontenttype: "text/plain€" }],
  ])("what it cannot carry is refused: %s of %j", (path, input) => {
    expect(() => toHttp(signalOf(input), "binary")).toThrow(expect.objectContaining({ code: "signal_invalid", path }))
  })

  test("a header cannot be smuggled in", () => {
    const lines = "text/plain\r\nx-admin: 1"
    const signal: Signal = Object.freeze({ ...signalOf({ data: "a" }), datacontenttype: lines })
    expect(() => toHttp(signal, "binary")).toThrow(expect.objectContaining({ path: "datacontenttype" }))
  })

  test("an attribute that is no CloudEvents value is refused", () => {
    const signal: Signal = Object.freeze({ ...signalOf({}), metadata: { secret: 1 } })
    expect(() => toHttp(signal, "binary")).toThrow(expect.objectContaining({ path: "metadata" }))
  })

  test.each([
    ["JSON", "application/json", '{"a":1}', { data: { a: 1 } }],
    ["JSON of a +json type in capitals", "APPLICATION/VND.X+JSON", "[1]", { data: [1] }],
    ["JSON in another charset", "application/json; charset=iso-8859-1", Uint8Array.of(0x22, 0xfc, 0x22), { data: "ü" }],
    ["JSON null", "application/json", "null", { data: null }],
    ["no body", "application/json", undefined, { data: null }],
    ["no body and no type", undefined, null, { data: null }],
    ["an empty text", "text/plain", "", { data: "" }],
    ["a text", "text/html; charset=utf-8", bytesOf("<p>ü"), { data: "<p>ü" }],
    ["a text with its byte order mark", "text/plain", bytesOf("\uFEFFa"), { data: "\uFEFFa" }],
    ["a text in another charset", 'text/plain; Charset="ISO-8859-1"', Uint8Array.of(0xfc), { data: "ü" }],
    ["XML", "application/soap+xml", "<a/>", { data: "<a/>" }],
    ["a text that is none", "text/plain", Uint8Array.of(0xff), { data_base64: "/w==" }],
    ["a text with U+0000", "text/plain", "a\u0000", { data_base64: "YQA=" }],
    [
      "a text in a charset we do not write",
      "text/plain; charset=utf-16le",
      Uint8Array.of(97, 0),
      { data_base64: "YQA=" },
    ],
    ["bytes", "image/png", Uint8Array.of(0, 1, 255), { data_base64: "AAH/" }],
    ["bytes of no type", undefined, Uint8Array.of(0, 1, 255), { data_base64: "AAH/" }],
    ["bytes that came as text", "application/octet-stream", "ü", { data_base64: "w7w=" }],
  ])("%s is read", (_, contentType, body, expected) => {
    const message = { headers: { ...headers, "Content-Type": contentType }, ...(body !== undefined && { body }) }
    const type = contentType === undefined ? {} : { datacontenttype: contentType }
    expect(fromHttp(message)).toEqual({ ...required, specversion: "1.0", ...type, ...expected })
  })

  test("quoted and encoded values are read", () => {
    const event = fromHttp({ headers: { ...headers, "Ce-Subject": '"a \\"b\\" %E2%82%AC"', "CE-MYEXT": "a%20b" } })
    expect(event).toMatchObject({ subject: 'a "b" €', myext: "a b" })
  })

  test("the headers of a Node request are read", () => {
    expect(fromHttp({ headers: { ...headers, accept: ["a", "b"], cookie: undefined } })).toMatchObject(required)
  })
})

describe("what is no CloudEvent is refused", () => {
  const structured = "application/cloudevents+json"
  const batch = "application/cloudevents-batch+json"
  test.each([
    ["decode_failed", undefined, {}, ""],
    ["decode_failed", undefined, { "content-type": "application/json" }, "{}"],
    ["decode_failed", undefined, { "content-type": "application/cloudevents+avro" }, "x"],
    ["decode_failed", undefined, { "content-type": "application/cloudevents" }, "{}"],
    ["decode_failed", undefined, { "content-type": structured }, "{"],
    ["decode_failed", undefined, { "content-type": `${structured}; charset=utf-16` }, bytesOf("{}")],
    ["decode_failed", undefined, { "content-type": batch }, "{}"],
    ["decode_failed", undefined, { ...headers, "content-type": "application/json" }, "{"],
    ["decode_failed", undefined, { ...headers, "ce-datacontenttype": "text/plain" }, ""],
    ["decode_failed", undefined, { ...headers, "ce-data": "1" }, ""],
    ["decode_failed", "ce-subject", { ...headers, "ce-subject": "%C0%A0" }, ""],
    ["signal_invalid", "specversion", { ...headers, "ce-specversion": "0.3" }, ""],
    ["signal_invalid", "id", { "ce-specversion": "1.0", "ce-source": "/x", "ce-type": "a.b" }, ""],
    ["signal_invalid", "__proto__", { ...headers, ["ce-__proto__"]: "1" }, ""],
    ["signal_invalid", "[1].id", { "content-type": batch }, JSON.stringify([signalOf({}), { specversion: "1.0" }])],
    ["signal_invalid", "[0].signal", { "content-type": batch }, "[7]"],
  ])("%s at %s for %j %j", (code, path, messageHeaders, body) => {
    expect(() => fromHttp({ headers: messageHeaders, body })).toThrow(expect.objectContaining({ code, path }))
  })
})

test("types", async () => {
  const event = fromHttp(toHttp(signalOf({})))
  const signals = Array.isArray(event) ? event : [event]
  expectTypeOf(signals).toEqualTypeOf<Signal[]>()
  expectTypeOf(toHttp).parameter(1).toEqualTypeOf<"structured" | "binary" | undefined>()
  // A message is what fetch and Response take.
  expect(await new Response(toHttp(signalOf({})).body, toHttp(signalOf({}))).json()).toMatchObject(required)
})
