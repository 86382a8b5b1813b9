import fc from "fast-check"
import { expect, expectTypeOf, test } from "vitest"
import { anySignal } from "../../../test/support/signal-arbitrary.ts"
import { decodeJson, encodeJson } from "./codec-json.ts"
import { createSignal, type Signal } from "../signal.ts"

const event = { specversion: "1.0", id: "1", source: "/crm", type: "lead.received", time: "2026-01-31T12:00:00Z" }

test("every signal comes back equal, from text and from bytes", () => {
  fc.assert(
    fc.property(anySignal, (signal) => {
      const text = encodeJson(signal)
      expect(decodeJson(text)).toEqual(signal)
      expect(decodeJson(new TextEncoder().encode(text))).toEqual(signal)
    }),
  )
})

test("binary data stands alone, without data", () => {
  const signal = createSignal({ type: "file.added", source: "/x", data_base64: "AAEC" })
  const members: unknown = JSON.parse(encodeJson(signal))
  expect(members).toMatchObject({ data_base64: "AAEC" })
  expect(members).not.toHaveProperty("data")
})

test("an attribute that is null is absent, null as data is a value", () => {
  const signal = decodeJson(JSON.stringify({ ...event, subject: null, myext: null, data: null }))
  expect(signal).toEqual({ ...event, data: null })
})

test("a byte order mark is skipped", () => {
  expect(decodeJson(`\uFEFF${JSON.stringify(event)}`).id).toBe("1")
  expect(decodeJson(new TextEncoder().encode(`\uFEFF${JSON.stringify(event)}`)).id).toBe("1")
})

test.each([
  ["decode_failed", ""],
  ["decode_failed", "{"],
  ["decode_failed", Uint8Array.of(0x22, 0xff, 0x22)],
  ["signal_invalid", "[]"],
  ["signal_invalid", "null"],
  ["signal_invalid", JSON.stringify({ ...event, id: null })],
  ["data_not_json", `{"specversion":"1.0","id":"1","source":"/x","type":"a.b","data":1e999}`],
])("%s for %j", (code, json) => {
  expect(() => decodeJson(json)).toThrow(expect.objectContaining({ code }))
})

test("the message does not show the content", () => {
  expect(() => decodeJson(`{"token":"s3cret"`)).toThrow(/^(?!.*s3cret)/)
})

test("types", () => {
  expectTypeOf(encodeJson).toEqualTypeOf<(signal: Signal) => string>()
  expectTypeOf(decodeJson).toEqualTypeOf<(json: string | Uint8Array) => Signal>()
})
