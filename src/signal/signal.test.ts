import { describe, expect, test } from "vitest"
import { createSignal, isSignal, parseSignal } from "./signal.ts"

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
