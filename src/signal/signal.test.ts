import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { adoptSignal, createSignal, isSignal, parseSignal } from "./signal.ts"

const minimal = { type: "lead.received", source: "/crm", data: { leadId: "1" } }

test("a new signal is a frozen CloudEvent with id and time", () => {
  const data = { tags: ["a"] }
  const signal = createSignal({ ...minimal, data, subject: "lead:1", traceparent: "00-abc-def-01" })
  expect(signal).toMatchObject({
    specversion: "1.0",
    type: "lead.received",
    source: "/crm",
    subject: "lead:1",
    traceparent: "00-abc-def-01",
  })
  expect(signal.id).toMatch(/^[0-9a-f-]{36}$/)
  expect(Number.isNaN(Date.parse(signal.time))).toBe(false)
  expect(Object.isFrozen(signal) && Object.isFrozen(signal.data) && Object.isFrozen(signal.data.tags)).toBe(true)
  data.tags.push("later")
  expect(signal.data).toEqual({ tags: ["a"] })
})

test("it survives JSON and is read back equal, unknown extensions included", () => {
  const signal = createSignal({ ...minimal, myext: 7, other: true, datacontenttype: "application/json" })
  expect(parseSignal(JSON.parse(JSON.stringify(signal)))).toEqual(signal)
  expect(isSignal(JSON.parse(JSON.stringify(signal)))).toBe(true)
})

test("specversion 1.0.2 is read as 1.0", () => {
  expect(parseSignal({ ...minimal, specversion: "1.0.2", id: "a" }).specversion).toBe("1.0")
})

describe("a wrong attribute is named", () => {
  test.each([
    ["type", { ...minimal, type: "" }],
    ["type", { ...minimal, type: "Lead received" }],
    ["type", { ...minimal, type: "a..b" }],
    ["type", { ...minimal, type: "a\n" }],
    ["source", { ...minimal, source: "" }],
    ["source", { ...minimal, source: "x".repeat(1_001) }],
    ["subject", { ...minimal, subject: "a\u0000" }],
    ["time", { ...minimal, time: "yesterday" }],
    ["time", { ...minimal, time: "2026-13-01T00:00:00Z" }],
    ["time", { ...minimal, time: "2026-02-30T00:00:00Z" }],
    ["time", { ...minimal, time: `2026-01-01T00:00:00.${"0".repeat(1_000)}Z` }],
    ["id", { ...minimal, id: "" }],
    ["myExt", { ...minimal, myExt: 1 }],
    ["ext", { ...minimal, ext: { nested: 1 } }],
    ["ext", { ...minimal, ext: 1.5 }],
  ])("%s in %j", (path, input) => {
    expect(() => createSignal(input)).toThrow(expect.objectContaining({ code: "signal_invalid", path }))
  })
})

test.each([
  null,
  [],
  "text",
  {},
  { ...minimal, specversion: "1.0" },
  { ...minimal, id: "1" },
  { ...minimal, id: "1", specversion: "0.3" },
])("%j is no signal", (value) => {
  expect(isSignal(value)).toBe(false)
  expect(() => parseSignal(value)).toThrow(expect.objectContaining({ code: "signal_invalid" }))
})

test("a signal without data has null", () => {
  expect(createSignal({ type: "a.b", source: "/x" }).data).toBeNull()
})

describe("binary data", () => {
  const binary = { type: "photo.taken", source: "/camera" }
  const bytes = new Uint8Array([0, 255, 16, 0])

  test.each([
    ["bytes", bytes],
    ["base64", "AP8QAA=="],
  ])("from %s is kept as base64 in place of data", (_, data_base64) => {
    const signal = createSignal({ ...binary, data_base64 })
    expect(signal.data_base64).toBe("AP8QAA==")
    expect("data" in signal).toBe(false)
    expect(parseSignal(JSON.parse(JSON.stringify(signal)))).toEqual(signal)
    expect(isSignal(signal)).toBe(true)
  })

  test("of any length comes back equal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.integer({ min: 1, max: 2_000 }), (part, times) => {
        const all = new Uint8Array(part.length * times).map((_, index) => part[index % part.length] ?? 0)
        const { data_base64 = "?" } = createSignal({ ...binary, data_base64: all })
        expect(Uint8Array.from(atob(data_base64), (unit) => unit.charCodeAt(0))).toEqual(all)
      }),
      { numRuns: 50 },
    )
  })

  test.each(["AP8QAA", "AP8QAA=", "====", "A===", "AP8Q\n", "AP-_", 7, {}, ["AAAA"]])(
    "%j is refused",
    (data_base64) => {
      expect(() => parseSignal({ ...binary, specversion: "1.0", id: "1", data_base64 })).toThrow(
        expect.objectContaining({ code: "signal_invalid", path: "data_base64" }),
      )
    },
  )

  test("excludes data, except for null, which is none", () => {
    expect(() => createSignal({ ...binary, data: 0, data_base64: bytes })).toThrow(
      expect.objectContaining({ code: "signal_invalid", path: "data_base64" }),
    )
    expect("data" in createSignal({ ...binary, data: null, data_base64: "" })).toBe(false)
  })
})

test("an attribute that is null or undefined counts as missing", () => {
  const event = { ...minimal, specversion: "1.0", id: "1", subject: null, time: null, myext: null, other: undefined }
  const signal = parseSignal({ ...event, data_base64: null, data: null })
  expect(Object.keys(signal)).toEqual(["specversion", "id", "source", "type", "time", "data"])
  expect(() => parseSignal({ ...event, source: null })).toThrow(expect.objectContaining({ path: "source" }))
  expect(isSignal(event)).toBe(false)
  expect(isSignal({ ...signal, subject: null })).toBe(false)
})

test("an extension may be empty, as CloudEvents has it", () => {
  expect(createSignal({ ...minimal, myext: "" })["myext"]).toBe("")
})

test("signals of one moment are in the order of their ids", () => {
  const signals = Array.from({ length: 1_000 }, () => createSignal(minimal))
  expect(signals.map(({ id }) => id)).toEqual(signals.map(({ id }) => id).toSorted())
})

test("what JSON.parse made is read as its copy would be", () => {
  const lines = [
    JSON.stringify(createSignal({ ...minimal, myext: 7 })),
    JSON.stringify({ ...minimal, specversion: "1.0.2", id: "1", time: "2026-01-01T00:00:00Z", data: "a\u0000" }),
    JSON.stringify({ ...minimal, specversion: "1.0", id: "1", time: "2026-01-01T00:00:00Z", data_base64: "AAAA" }),
    JSON.stringify({ ...minimal, specversion: "1.0" }),
    "[]",
  ]
  const outcome = (read: () => unknown): unknown => {
    try {
      return read()
    } catch (error) {
      return String(error)
    }
  }
  for (const line of lines)
    expect(outcome(() => adoptSignal(JSON.parse(line), line))).toEqual(outcome(() => parseSignal(JSON.parse(line))))
})
