import fc from "fast-check"
import { expect, test } from "vitest"
import { base64ToBytes, bytesToBase64 } from "./base64.ts"

test("bytes come back, by way of the base64 that Node writes", () => {
  const bytes = fc.oneof(fc.uint8Array(), fc.uint8Array({ minLength: 8_190, maxLength: 8_195 }))
  fc.assert(
    fc.property(bytes, (array) => {
      const base64 = bytesToBase64(array)
      expect(base64).toBe(Buffer.from(array).toString("base64"))
      expect(Buffer.from(array).equals(base64ToBytes(base64))).toBe(true)
    }),
  )
})

test("a megabyte is no problem", () => {
  const bytes = new Uint8Array(1_000_000).fill(7)
  expect(Buffer.from(bytes).equals(base64ToBytes(bytesToBase64(bytes)))).toBe(true)
})
