import fc from "fast-check"
import { describe, expect, expectTypeOf, test } from "vitest"
import { createSignal, parseSignal, type Signal } from "../signal.ts"
import {
  childTrace,
  formatTraceparent,
  parseTraceparent,
  type TraceContext,
  traceOf,
  withTrace,
} from "./trace-context.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"
const signal = createSignal({ type: "lead.received", source: "/crm", data: { leadId: "1" }, myext: "kept" })

const hexId = (size: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: size, maxLength: size })
    .map((bytes) => Buffer.from(bytes).toString("hex"))
    .filter((id) => !/^0+$/.test(id))
const anyTrace: fc.Arbitrary<TraceContext> = fc.record({
  traceId: hexId(16),
  spanId: hexId(8),
  sampled: fc.boolean(),
  random: fc.boolean(),
})

test("every trace comes back, in 55 characters", () => {
  fc.assert(
    fc.property(anyTrace, (trace) => {
      const text = formatTraceparent(trace)
      expect(text).toHaveLength(55)
      expect(parseTraceparent(text)).toEqual(trace)
    }),
  )
})

test("every pair of flags is read, and unknown ones are not passed on", () => {
  for (let flags = 0; flags < 256; flags++) {
    const trace = parseTraceparent(`00-${traceId}-${spanId}-${flags.toString(16).padStart(2, "0")}`)
    expect(trace).toEqual({ traceId, spanId, sampled: flags % 2 === 1, random: flags % 4 >= 2 })
    expect(trace && formatTraceparent(trace).slice(-2)).toBe(`0${flags % 4}`)
  }
})

describe("a version to come", () => {
  const known = { traceId, spanId, sampled: true, random: false }
  test.each(["", "-", "-what-the-future-will-be-like"])("is read with %j behind", (more) => {
    expect(parseTraceparent(`cc-${traceId}-${spanId}-01${more}`)).toEqual(known)
    expect(parseTraceparent(`01-${traceId}-${spanId}-03${more}`)).toEqual(known)
  })

  test("is written as version 00", () => {
    const trace = parseTraceparent(`cc-${traceId}-${spanId}-01-more`)
    expect(trace && formatTraceparent(trace)).toBe(`00-${traceId}-${spanId}-01`)
  })

  test.each([".what-the-future-will-not-be-like", "1", " "])("is not read with %j behind", (more) => {
    expect(parseTraceparent(`cc-${traceId}-${spanId}-01${more}`)).toBeUndefined()
  })
})

test.each([
  "",
  traceId,
  `ff-${traceId}-${spanId}-01`,
  `FF-${traceId}-${spanId}-01`,
  `0-${traceId}-${spanId}-01`,
  `.0-${traceId}-${spanId}-01`,
  `000-${traceId}-${spanId}-01`,
  `00-${traceId}-${spanId}-01-`,
  `00-${traceId}-${spanId}-01-more`,
  `00-${traceId}-${spanId}-01 `,
  `00-${traceId}-${spanId}-01\n`,
  ` 00-${traceId}-${spanId}-01`,
  `00-${traceId}-${spanId}-1`,
  `00-${traceId}-${spanId}-.1`,
  `00-${traceId}-${spanId}-0A`,
  `00-${traceId}-${spanId}`,
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${traceId.slice(1)}-${spanId}-01`,
  `00-${traceId}0-${spanId}-01`,
  `00-${"0".repeat(32)}-${spanId}-01`,
  `00-${traceId}-${"0".repeat(16)}-01`,
  `00-${traceId}-${spanId.slice(1)}-01`,
  `cc-${"0".repeat(32)}-${spanId}-01`,
])("%j breaks the rules", (text) => {
  expect(parseTraceparent(text)).toBeUndefined()
})

test("one wrong character anywhere is noticed", () => {
  const text = formatTraceparent({ traceId, spanId })
  fc.assert(
    fc.property(fc.nat(54), fc.string({ minLength: 1, maxLength: 1, unit: "binary" }), (at, character) => {
      const changed = text.slice(0, at) + character + text.slice(at + 1)
      const trace = parseTraceparent(changed)
      if (trace) expect(changed).toMatch(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/)
    }),
  )
})

test.each([
  ["traceId", { traceId: "0".repeat(32), spanId }],
  ["traceId", { traceId: traceId.toUpperCase(), spanId }],
  ["traceId", { traceId: `${traceId}\n`, spanId }],
  ["spanId", { traceId, spanId: "0".repeat(16) }],
  ["spanId", { traceId, spanId: "b7" }],
])("a wrong %s is not written", (path, trace) => {
  expect(() => formatTraceparent(trace)).toThrow(expect.objectContaining({ code: "trace_invalid", path }))
  expect(() => childTrace(trace)).toThrow(expect.objectContaining({ code: "trace_invalid", path }))
})

describe("a signal", () => {
  test("carries a trace in its extensions, and all else as before", () => {
    const traced = withTrace(signal, { traceId, spanId, sampled: true, tracestate: "rojo=1, congo=2" })
    expect(traced).toEqual({ ...signal, traceparent: `00-${traceId}-${spanId}-01`, tracestate: "rojo=1,congo=2" })
    expect(Object.isFrozen(traced)).toBe(true)
    expect(parseSignal(JSON.parse(JSON.stringify(traced)))).toEqual(traced)
    expect(traceOf(traced)).toEqual({ traceId, spanId, sampled: true, random: false, tracestate: "rojo=1,congo=2" })
  })

  test("every trace comes back", () => {
    fc.assert(
      fc.property(anyTrace, (trace) => {
        expect(traceOf(withTrace(signal, trace))).toEqual(trace)
      }),
    )
  })

  test("does not keep the state of another trace", () => {
    const first = withTrace(signal, { traceId, spanId, tracestate: "rojo=1" })
    expect(withTrace(first, { traceId, spanId })).toEqual({ ...signal, traceparent: `00-${traceId}-${spanId}-00` })
  })

  test("stays valid with the longest state", () => {
    const tracestate = Array.from({ length: 32 }, (_, index) => `k${index}=${"v".repeat(100)}`).join(",")
    expect(() => parseSignal(withTrace(signal, { traceId, spanId, tracestate }))).not.toThrow()
  })

  test("has no trace when it carries none that is right", () => {
    expect(traceOf(signal)).toBeUndefined()
    expect(traceOf({ ...signal, traceparent: 7 })).toBeUndefined()
    expect(traceOf({ ...signal, traceparent: "00-x", tracestate: "rojo=1" })).toBeUndefined()
  })

  test("has its trace without a state that is wrong", () => {
    const traceparent = `00-${traceId}-${spanId}-00`
    for (const tracestate of ["broken", "", 7])
      expect(traceOf({ ...signal, traceparent, tracestate })).not.toHaveProperty("tracestate")
  })

  test("is not given a state that is wrong", () => {
    expect(() => withTrace(signal, { traceId, spanId, tracestate: "broken" })).toThrow(
      expect.objectContaining({ code: "trace_invalid", path: "tracestate" }),
    )
  })
})

describe("a child", () => {
  test("has the trace, flags and state of its parent and a span of its own", () => {
    const parent = { traceId, spanId, sampled: true, random: true, tracestate: "rojo=1" }
    const child = childTrace(parent)
    expect({ ...child, spanId }).toEqual(parent)
    expect(child.spanId).toMatch(/^(?!0+$)[0-9a-f]{16}$/)
    expect(child.spanId).not.toBe(spanId)
  })

  test("without a parent begins a trace with a random id", () => {
    const first = childTrace()
    expect(first).toMatchObject({ sampled: false, random: true })
    expect(parseTraceparent(formatTraceparent(first))).toEqual(first)
    expect(childTrace().traceId).not.toBe(first.traceId)
    expect(childTrace(undefined, { sampled: true }).sampled).toBe(true)
  })

  test("never has an id of zeros", () => {
    const fills = [0, 0, 7, 0, 9]
    const random = (bytes: Uint8Array): void => void bytes.fill(fills.shift() ?? 1)
    expect(childTrace(undefined, { random })).toMatchObject({ spanId: "07".repeat(8), traceId: "09".repeat(16) })
  })
})

test("types", () => {
  expectTypeOf(withTrace(signal, { traceId, spanId })).toEqualTypeOf<Signal<{ leadId: string }>>()
  expectTypeOf(traceOf(signal)).toEqualTypeOf<TraceContext | undefined>()
  // @ts-expect-error a trace has a span
  expect(() => withTrace(signal, { traceId })).toThrow(expect.objectContaining({ path: "spanId" }))
})
