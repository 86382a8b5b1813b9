import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { compilePattern, matches } from "./pattern.ts"

describe("a pattern fits", () => {
  test.each([
    ["order.created", "order.created", true],
    ["order.created", "order.created.eu", false],
    ["order.*", "order.created", true],
    ["order.*", "order", false],
    ["order.*", "order.created.eu", false],
    ["order.**", "order", true],
    ["order.**", "order.created.eu", true],
    ["**", "anything.at.all", true],
    ["**.created", "order.created", true],
    ["**.created", "created", true],
    ["order.**.eu", "order.eu", true],
    ["order.**.eu", "order.created.late.eu", true],
    ["order.**.eu", "order.created.us", false],
    ["a.**.b.**.c", "a.b.b.c", true],
    ["*.*", "a", false],
  ])("%s on %s: %s", (pattern, type, fits) => {
    expect(matches(pattern, type)).toBe(fits)
  })
})

describe("a wrong pattern says where", () => {
  test.each([
    ["", "segment 1"],
    ["a..b", "segment 2"],
    ["a.", "segment 2"],
    ["a.**.**", "segment 3"],
    ["a.b*", "segment 2"],
    ["a.ü", "segment 2"],
  ])("%s", (pattern, where) => {
    expect(() => compilePattern(pattern)).toThrow(
      expect.objectContaining({ code: "pattern_invalid", message: expect.stringContaining(where) }),
    )
  })
})

/** The definition itself: try every length for each `**`. */
function naive(pattern: readonly string[], type: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return type.length === 0
  if (first === "**") return type.some((_, skip) => naive(rest, type.slice(skip))) || naive(rest, [])
  return type.length > 0 && (first === "*" || first === type[0]) && naive(rest, type.slice(1))
}

test("matching agrees with the definition", () => {
  const segment = fc.constantFrom("a", "b", "*", "**")
  const pattern = fc
    .array(segment, { minLength: 1, maxLength: 6 })
    .filter((all) => !all.some((each, at) => each === "**" && all[at - 1] === "**"))
  const type = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(pattern, type, (segments, names) => {
      expect(matches(segments.join("."), names.join("."))).toBe(naive(segments, names))
    }),
    { numRuns: 5_000 },
  )
})
