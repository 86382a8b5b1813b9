import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { decodeText, encodeText } from "./charset.ts"

const charsets = ["utf-8", "UTF8", "us-ascii", "iso-8859-1", "Latin1"]

describe.each(charsets)("%s", (charset) => {
  test("bytes that are text come back", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = decodeText(bytes, charset)
        if (text !== undefined) expect(encodeText(text, charset)).toEqual(bytes)
      }),
    )
  })
})

test.each([
  ["utf-8", "ü", [0xc3, 0xbc]],
  ["us-ascii", "a", [0x61]],
  ["iso-8859-1", "ü", [0xfc]],
])("%s spells %s as %j", (charset, text, bytes) => {
  expect(encodeText(text, charset)).toEqual(Uint8Array.from(bytes))
  expect(decodeText(Uint8Array.from(bytes), charset)).toBe(text)
})

test("what a charset cannot spell is undefined", () => {
  expect(encodeText("я", "iso-8859-1")).toBeUndefined()
  expect(encodeText("ü", "us-ascii")).toBeUndefined()
  expect(decodeText(Uint8Array.of(0xfc), "us-ascii")).toBeUndefined()
  expect(decodeText(Uint8Array.of(0xff), "utf-8")).toBeUndefined()
})

test.each(["utf-16le", "windows-1252", "shift_jis", "constructor", "nonsense", ""])("%j is none we know", (charset) => {
  expect(decodeText(Uint8Array.of(97), charset)).toBeUndefined()
  expect(encodeText("a", charset)).toBeUndefined()
})
