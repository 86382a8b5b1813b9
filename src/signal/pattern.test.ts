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
    ["order", "orders", false],
    ["orders", "order", false],
    ["a.b.**", "a.bc.d", false],
    ["**.b.c", "a.b.b.c", true],
    ["**.a.**", "b.b", false],
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
    ["a.***", "segment 2"],
    ["**.**.a", "segment 2"],
    ["a.b\n", "segment 2"],
    [" a", "segment 1"],
    [undefined as unknown as string, "got undefined"],
  ])("%s", (pattern, where) => {
    const error = expect.objectContaining({ code: "pattern_invalid", message: expect.stringContaining(where) })
    expect(() => compilePattern(pattern)).toThrow(error)
    expect(() => matches(pattern, "a")).toThrow(error)
  })
})

/** The definition itself: try every length for each `**`. */
function naive(pattern: readonly string[], type: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return type.length === 0
  if (first === "**") return type.some((_, skip) => naive(rest, type.slice(skip))) || naive(rest, [])
  return type.length > 0 && (first === "*" || first === type[0]) && naive(rest, type.slice(1))
}

function isValid(pattern: readonly string[]): boolean {
  return !pattern.some((segment, at) => segment === "**" && pattern[at - 1] === "**")
}

/** All lists of 1 to `length` of these words. */
function lists(words: readonly string[], length: number): readonly (readonly string[])[] {
  if (length === 0) return []
  return [...words.map((word) => [word]), ...lists(words, length - 1).flatMap((list) => words.map((w) => [...list, w]))]
}

test("matching agrees with the definition on every short pattern and type", () => {
  const patterns = lists(["a", "b", "*", "**"], 4).filter(isValid)
  const types = lists(["a", "b"], 4)
  const wrong = patterns.flatMap((pattern) => {
    const { matches: fits } = compilePattern(pattern.join("."))
    return types.filter((type) => fits(type.join(".")) !== naive(pattern, type)).map((type) => [pattern, type])
  })
  expect(patterns.length * types.length).toBe(8_760)
  expect(wrong).toEqual([])
})

test("matching agrees with the definition on generated patterns and types", () => {
  const name = fc.constantFrom("a", "b", "ab", "a-b_1")
  const pattern = fc
    .array(fc.oneof({ weight: 3, arbitrary: name }, { weight: 2, arbitrary: fc.constantFrom("*", "**") }), {
      minLength: 1,
      maxLength: 8,
    })
    .filter(isValid)
  const types = fc.array(fc.array(name, { minLength: 1, maxLength: 8 }), { minLength: 20, maxLength: 20 })
  fc.assert(
    fc.property(pattern, types, (segments, candidates) => {
      const text = segments.join(".")
      const compiled = compilePattern(text)
      for (const type of candidates) {
        const expected = naive(segments, type)
        if (compiled.matches(type.join(".")) !== expected || matches(text, type.join(".")) !== expected)
          throw new Error(`${text} on ${type.join(".")}: expected ${expected}`)
      }
    }),
    // Times 20 types: 120,000 pairs.
    { numRuns: 6_000 },
  )
})

test("many wildcards on a long type end soon", () => {
  const type = Array.from({ length: 500 }, () => "a").join(".")
  expect(matches(`${"**.a.".repeat(100)}b`, type)).toBe(false)
  expect(matches(`${"**.a.".repeat(100)}**`, type)).toBe(true)
})
