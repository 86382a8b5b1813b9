import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { formatTracestate, parseTracestate, type TraceStateMember } from "./trace-state.ts"

const keyUnit = fc.constantFrom("a", "z", "0", "9", "_", "-", "*", "/", "@")
const valueUnit = fc
  .integer({ min: 0x20, max: 0x7e })
  .map((code) => String.fromCharCode(code))
  .filter((character) => character !== "," && character !== "=")
const member: fc.Arbitrary<TraceStateMember> = fc.record({
  key: fc.string({ unit: keyUnit, minLength: 1, maxLength: 20 }).filter((key) => /^[a-z0-9]/.test(key)),
  value: fc.string({ unit: valueUnit, minLength: 1, maxLength: 10 }).filter((value) => !value.endsWith(" ")),
})

test("a list with distinct keys comes back", () => {
  fc.assert(
    fc.property(fc.uniqueArray(member, { maxLength: 32, selector: ({ key }) => key }), (members) => {
      expect(parseTracestate(formatTracestate(members))).toEqual(members)
    }),
  )
})

describe("read", () => {
  test.each([
    ["", []],
    [" ,\t, ", []],
    ["foo=1,bar=2", ["foo=1", "bar=2"]],
    ["foo=1 \t , \t bar=2, baz=3", ["foo=1", "bar=2", "baz=3"]],
    ["foo=1,,bar=2,", ["foo=1", "bar=2"]],
    ["foo=1,bar=2,foo=3", ["foo=1", "bar=2"]],
    ["foo=  1", ["foo=  1"]],
    ["0a_-*/@=a:b;c", ["0a_-*/@=a:b;c"]],
    [`${"z".repeat(256)}=${"v".repeat(256)}`, [`${"z".repeat(256)}=${"v".repeat(256)}`]],
  ])("%j", (text, parts) => {
    expect(parseTracestate(text)?.map(({ key, value }) => `${key}=${value}`)).toEqual(parts)
  })

  test.each([
    "foo",
    "foo=",
    "=1",
    "foo =1",
    "FOO=1",
    "@foo=1",
    "foo.bar=1",
    "foo=bar=baz",
    "foo=ü",
    "foo=a\tb",
    "foo=1;bar=2,x",
    `${"z".repeat(257)}=1`,
    `foo=${"v".repeat(257)}`,
    Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(","),
  ])("%j breaks the rules", (text) => {
    expect(parseTracestate(text)).toBeUndefined()
  })
})

describe("written", () => {
  const members = (count: number, value: string): TraceStateMember[] =>
    Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value }))

  test("a new member in front replaces the old one of its key", () => {
    const came = parseTracestate("congo=1,rojo=2") ?? []
    expect(formatTracestate([{ key: "rojo", value: "3" }, ...came])).toBe("rojo=3,congo=1")
  })

  test("at most 32 members, the left ones", () => {
    expect(formatTracestate(members(33, "1"))).toBe(formatTracestate(members(32, "1")))
  })

  test("at most 1,000 characters: without long members first, then without the last", () => {
    const long = { key: "long", value: "v".repeat(130) }
    const short = members(30, "v".repeat(28))
    const text = formatTracestate([long, ...short])
    expect(text).toBe(formatTracestate(short))
    expect(text.length).toBeLessThanOrEqual(1_000)
    expect(formatTracestate(members(30, "v".repeat(40)))).toBe(formatTracestate(members(22, "v".repeat(40))))
  })

  test.each([
    { key: "Foo", value: "1" },
    { key: "foo", value: "" },
    { key: "foo", value: "a,b" },
    { key: "foo", value: "a " },
  ])("%j is refused", (broken) => {
    expect(() => formatTracestate([broken])).toThrow(
      expect.objectContaining({ code: "trace_invalid", path: "tracestate" }),
    )
  })
})
