import fc from "fast-check"
import { expect, test } from "vitest"
import { formatCursor, parseCursor } from "./signal-order.ts"

test("a cursor says the place it was made of", () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 2n ** 63n - 1n), (tx, at) => {
      const place = { txId: String(tx), position: String(at) }
      expect(parseCursor(formatCursor(place))).toEqual(place)
    }),
  )
})

test("no cursor is the beginning", () => {
  expect(parseCursor(null)).toEqual({ txId: "0", position: "0" })
})

test.each([
  "",
  "1",
  "1-",
  "-1-1",
  "1-1-1-1",
  "a-1",
  "1 -1",
  "18446744073709551616-1",
  "1-9223372036854775808",
  "1-1\n",
])("%j is no cursor", (text) => {
  expect(() => parseCursor(text)).toThrow(expect.objectContaining({ code: "cursor_invalid" }))
})
