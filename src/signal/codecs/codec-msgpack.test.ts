import { decode, encode } from "@msgpack/msgpack"
import fc from "fast-check"
import { describe, expect, expectTypeOf, test } from "vitest"
import { anySignal } from "../../../test/support/signal-arbitrary.ts"
import { decodeMsgpack, encodeMsgpack } from "./codec-msgpack.ts"
import { createSignal, type Signal } from "../signal.ts"

const event = { specversion: "1.0", id: "1", source: "/crm", type: "lead.received", time: "2026-01-31T12:00:00Z" }
const hasProtoKey = (signal: Signal): boolean => JSON.stringify(signal.data ?? null).includes('"__proto__":')

test("every signal comes back equal", async () => {
  await fc.assert(
    fc.asyncProperty(
      anySignal.filter((signal) => !hasProtoKey(signal)),
      async (signal) => {
        expect(await decodeMsgpack(await encodeMsgpack(signal))).toEqual(signal)
      },
    ),
  )
})

test("binary data is bytes", async () => {
  const signal = createSignal({ ...event, data_base64: "AAEC" })
  expect(decode(await encodeMsgpack(signal))).toEqual({ ...event, data: Uint8Array.of(0, 1, 2) })
})

test("a map of another writer is read, its unset attributes left out", async () => {
  expect(await decodeMsgpack(encode({ ...event, subject: null, data: { n: 1 } }))).toEqual({ ...event, data: { n: 1 } })
})

test("data with a key that the package does not read is refused when it is written", async () => {
  const data: unknown = JSON.parse('{"a":[{"__proto__":1}]}')
  await expect(encodeMsgpack(createSignal({ ...event, data }))).rejects.toMatchObject({
    code: "data_not_json",
    path: "data",
  })
})

describe("other bytes are refused", () => {
  const nested = (head: number, length: number, times: number): Uint8Array => {
    const bytes = new Uint8Array(5 * times)
    const view = new DataView(bytes.buffer)
    for (let at = 0; at < bytes.length; at += 5) {
      view.setUint8(at, head)
      view.setUint32(at + 1, length)
    }
    return bytes
  }
  test.each([
    ["nothing", "decode_failed", new Uint8Array()],
    ["an incomplete map", "decode_failed", encode(event).subarray(0, 20)],
    ["bytes behind the end", "decode_failed", Uint8Array.of(...encode(event), 0)],
    ["a head that does not exist", "decode_failed", Uint8Array.of(0xc1)],
    ["arrays that promise more than there is", "decode_failed", nested(0xdd, 90_000, 20_000)],
    ["maps that promise more than there is", "decode_failed", nested(0xdf, 40_000, 20_000)],
    ["no map", "signal_invalid", encode([1])],
    ["a map without the attributes", "signal_invalid", encode({})],
    ["bytes within data", "data_not_json", encode({ ...event, data: { a: Uint8Array.of(1) } })],
    ["a date within data", "data_not_json", encode({ ...event, data: { a: new Date(0) } })],
  ])("%s", async (_, code, bytes) => {
    await expect(decodeMsgpack(bytes)).rejects.toMatchObject({ code })
  })

  test("and no bytes make it throw anything else", async () => {
    const valid = encode({ ...event, data: { list: [1, -1, 1.5, 2 ** 40, "ü", null, true, { a: [] }] } })
    const broken = fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, byte]) => valid.with(at, byte))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 60 }), broken), async (bytes) => {
        const error: unknown = await decodeMsgpack(bytes).catch((reason: unknown) => reason)
        if (error instanceof Error) expect(error).toMatchObject({ name: "FleetPromptError" })
      }),
      { numRuns: 1_000 },
    )
  })
})

test("types", () => {
  expectTypeOf(encodeMsgpack).returns.resolves.toEqualTypeOf<Uint8Array<ArrayBuffer>>()
  expectTypeOf(decodeMsgpack).returns.resolves.toEqualTypeOf<Signal>()
})
