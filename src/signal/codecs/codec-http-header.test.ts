import fc from "fast-check"
import { expect, test } from "vitest"
import { decodeHeaderValue, encodeHeaderValue, readHeaders } from "./codec-http-header.ts"

const decode = (value: string): string => decodeHeaderValue(value, "ce-subject")
const anyText = fc.string({ unit: "binary" }).filter((text) => text.isWellFormed())

test("the example of the specification", () => {
  const encoded = "Euro%20%E2%82%AC%20%F0%9F%98%80"
  expect(encodeHeaderValue("Euro € 😀")).toBe(encoded)
  expect(decode(encoded)).toBe("Euro € 😀")
})

test("printable ASCII stays as it is, but for space, quote and percent", () => {
  const printable = Array.from({ length: 0x7e - 0x21 + 1 }, (_, index) => String.fromCharCode(0x21 + index)).join("")
  expect(encodeHeaderValue(printable)).toBe(printable.replace("%", "%25").replace('"', "%22"))
  expect(encodeHeaderValue(" \u007F\r\n")).toBe("%20%7F%0D%0A")
})

test("every text comes back, through printable ASCII", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const encoded = encodeHeaderValue(text)
      expect(encoded).toMatch(/^[\u0021-\u007E]*$/)
      expect(decode(encoded)).toBe(text)
    }),
  )
})

test("encoding more than needed is read, in either case, once", () => {
  fc.assert(
    fc.property(anyText, fc.boolean(), (text, upper) => {
      const encoded = [...new TextEncoder().encode(text)]
        .map((byte) => `%${byte.toString(16).padStart(2, "0")}`)
        .join("")
      expect(decode(upper ? encoded.toUpperCase() : encoded)).toBe(text)
    }),
  )
  expect(decode("%2541")).toBe("%41")
})

test.each(["%C0%A0", "%ff", "%E2%82", "%ED%A0%80", "a%80b"])("%s is no UTF-8", (value) => {
  expect(() => decode(value)).toThrow(expect.objectContaining({ code: "decode_failed", path: "ce-subject" }))
})

test.each([
  ['"quoted"', "quoted"],
  ['"with \\"quotes\\" and \\\\"', 'with "quotes" and \\'],
  ['"%E2%82%AC"', "€"],
  ['""', ""],
  ['say "hi"', 'say "hi"'],
  ['"open', '"open'],
  ["100%", "100%"],
  ["%zz", "%zz"],
  ["plain text", "plain text"],
])("%s is read as %s", (value, text) => {
  expect(decode(value)).toBe(text)
})

test("headers are read from an object, pairs and Headers, in any case", () => {
  const expected = new Map([
    ["ce-id", "1"],
    ["accept", "a, b"],
  ])
  expect(readHeaders({ "CE-Id": "1", Accept: ["a", "b"], missing: undefined })).toEqual(expected)
  expect(readHeaders([["Ce-Id", "1"], ["accept", "a"], ["Accept", "b"]])).toEqual(expected) // prettier-ignore
  expect(new Map(readHeaders(new Headers({ "CE-ID": "1" })))).toEqual(new Map([["ce-id", "1"]]))
})
