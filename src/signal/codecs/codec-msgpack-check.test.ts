import { encode, ExtensionCodec } from "@msgpack/msgpack"
import fc from "fast-check"
import { expect, test } from "vitest"
import { checkMsgpack } from "./codec-msgpack-check.ts"

const extensionCodec = new ExtensionCodec()
extensionCodec.register({
  type: 1,
  encode: (value) => (value instanceof Set ? new Uint8Array(Math.max(...value)) : null),
  decode: () => null,
})

const sizes = [0, 1, 2, 4, 8, 15, 16, 17, 31, 32, 255, 256, 65_535, 65_536]
const text = fc.constantFrom(...sizes).map((size) => "x".repeat(size))
const bytes = fc.constantFrom(...sizes).map((size) => new Uint8Array(size))
const extension = fc.constantFrom(...sizes).map((size) => new Set([size]))
const scalar = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constant(null),
  text,
  bytes,
  extension,
)
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie("value"), { maxLength: 20 }),
    fc.dictionary(text, tie("value"), { maxKeys: 20 }),
  ),
}))

test("whatever an encoder writes passes", () => {
  fc.assert(
    fc.property(value, fc.boolean(), (any, forceFloat32) => {
      checkMsgpack(encode(any, { extensionCodec, forceFloat32 }))
    }),
  )
})

test.each([15, 16, 65_535, 65_536])("arrays and maps of %d pass, and with one value less they do not", (size) => {
  const array = encode(Array.from({ length: size }, () => 1))
  const map = encode(Object.fromEntries(Array.from({ length: size }, (_, index) => [index.toString(36), 1])))
  for (const whole of [array, map]) {
    checkMsgpack(whole)
    expect(() => checkMsgpack(whole.subarray(0, -1))).toThrow(expect.objectContaining({ code: "decode_failed" }))
  }
})
