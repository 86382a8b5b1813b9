import { CloudEvent, HTTP, type Message } from "cloudevents"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { anySignal } from "../../../test/support/signal-arbitrary.ts"
import { base64ToBytes } from "../base64.ts"
import { fromHttp, type HttpMessage, toHttp, toHttpBatch } from "./codec-http.ts"
import { decodeJson, encodeJson } from "./codec-json.ts"
import { createSignal, type Signal } from "../signal.ts"

// The official SDK keeps milliseconds, and reads neither percent-encoded headers nor other scalars than texts.
const time = "2026-01-31T12:00:00.000Z"
const attributes = {
  id: "1",
  source: "/crm?a=b",
  type: "lead.received",
  time,
  subject: "lead:1",
  dataschema: "https://example.com/schema",
  myext: "kept",
}

const contents: readonly (readonly [string, { data: unknown; datacontenttype: string }])[] = [
  [
    "JSON object",
    { data: { leadId: "1", tags: ["a", "ü😀"], nested: { a: null } }, datacontenttype: "application/json" },
  ],
  ["JSON array", { data: [1, 2.5, true, null], datacontenttype: "application/json; charset=utf-8" }],
  ["text", { data: "hello ü", datacontenttype: "text/plain" }],
  ["XML", { data: "<a/>", datacontenttype: "application/xml" }],
]
const bytes = { data_base64: "AAECAwT/", datacontenttype: "application/octet-stream" } as const

/** What the SDK says of an event, without what it does not have. */
function plain(event: CloudEvent<unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(event.toJSON()).filter(([, value]) => value !== undefined))
}

function readBySdk({ headers, body }: HttpMessage): CloudEvent<unknown> | CloudEvent<unknown>[] {
  // The SDK reads any object with these two members; its type wants an index signature.
  return HTTP.toEvent({ headers: { ...headers }, body }) as CloudEvent<unknown> | CloudEvent<unknown>[]
}

/** As it goes over the wire, where every header and body is text or bytes. */
async function sentBySdk({ headers, body }: Message): Promise<Signal | Signal[]> {
  const wire = body instanceof Uint8Array ? new Uint8Array(body) : String(body)
  const request = new Request("http://localhost/", {
    method: "POST",
    headers: Object.entries(headers).map(([name, value]) => [name, String(value)]),
    body: wire,
  })
  return fromHttp({ headers: request.headers, body: await request.arrayBuffer() })
}

function one(event: CloudEvent<unknown> | CloudEvent<unknown>[]): CloudEvent<unknown> {
  if (Array.isArray(event)) throw new Error("expected one event")
  return event
}

describe("the SDK reads what we write", () => {
  test.each(contents)("%s, structured and binary", (_, content) => {
    const signal = createSignal({ ...attributes, ...content })
    expect(plain(one(readBySdk(toHttp(signal, "structured"))))).toEqual({ ...signal })
    expect(plain(one(readBySdk(toHttp(signal, "binary"))))).toEqual({ ...signal })
    expect(plain(new CloudEvent(JSON.parse(encodeJson(signal))))).toEqual({ ...signal })
  })

  test("bytes, structured and binary", () => {
    const signal = createSignal({ ...attributes, ...bytes })
    for (const mode of ["structured", "binary"] as const) {
      const event = one(readBySdk(toHttp(signal, mode)))
      expect(event.data_base64).toBe(bytes.data_base64)
      expect(event).toMatchObject({ ...attributes, datacontenttype: bytes.datacontenttype })
    }
  })

  test("a batch", () => {
    const signals = contents.map(([, content], index) => createSignal({ ...attributes, ...content, id: `${index}` }))
    const events = readBySdk(toHttpBatch(signals))
    expect(Array.isArray(events) && events.map(plain)).toEqual(signals.map((signal) => ({ ...signal })))
  })

  test("no data", () => {
    const signal = createSignal(attributes)
    expect(one(readBySdk(toHttp(signal, "structured")))).toMatchObject(attributes)
    expect(one(readBySdk(toHttp(signal, "binary")))).toMatchObject(attributes)
  })

  test("every signal is valid for it", () => {
    fc.assert(
      fc.property(anySignal, (signal) => {
        // It checks that the source is a URI reference, which the generated ones are not.
        const event = new CloudEvent(JSON.parse(encodeJson(createSignal({ ...signal, source: "/x" }))))
        expect(event.id).toBe(signal.id)
      }),
    )
  })
})

describe("we read what the SDK writes", () => {
  test.each(contents)("%s, structured and binary", async (_, content) => {
    const event = new CloudEvent({ ...attributes, ...content })
    const signal = createSignal({ ...attributes, ...content })
    expect(await sentBySdk(HTTP.structured(event))).toEqual(signal)
    expect(await sentBySdk(HTTP.binary(event))).toEqual(signal)
    expect(decodeJson(event.toString())).toEqual(signal)
  })

  test("bytes, structured and binary", async () => {
    const { datacontenttype, data_base64 } = bytes
    const event = new CloudEvent({ ...attributes, datacontenttype, data: base64ToBytes(data_base64) })
    const signal = createSignal({ ...attributes, ...bytes })
    expect(await sentBySdk(HTTP.structured(event))).toEqual(signal)
    expect(await sentBySdk(HTTP.binary(event))).toEqual(signal)
  })

  test("JSON of no type, and a batch of its events", async () => {
    const events = ["1", "2"].map((id) => new CloudEvent({ ...attributes, id, data: { n: id } }))
    const signals = ["1", "2"].map((id) => createSignal({ ...attributes, id, data: { n: id } }))
    const headers = { "content-type": "application/cloudevents-batch+json" }
    expect(await sentBySdk({ headers, body: JSON.stringify(events) })).toEqual(signals)
  })

  test("extensions of every type, in headers that it does not encode", async () => {
    const event = new CloudEvent({ ...attributes, subject: "100% of it", count: 7, flag: true, data: {} })
    expect(await sentBySdk(HTTP.structured(event))).toMatchObject({ count: 7, flag: true, subject: "100% of it" })
    expect(await sentBySdk(HTTP.binary(event))).toMatchObject({ count: "7", flag: "true", subject: "100% of it" })
  })
})
