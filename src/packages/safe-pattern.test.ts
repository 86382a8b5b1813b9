import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { patternFault } from "./safe-pattern.ts"

describe("let in", () => {
  test.each([
    "^[a-z]+(-[a-z]+)*$",
    "^#[a-z0-9]+(?:-[a-z0-9]+)*$",
    "^https?://[^/?#]+(/[^?#]*)?$",
    "^\\d{4}-\\d{2}-\\d{2}$",
    "^(red|green|blue)$",
    "^\\p{Lu}",
    "[A-Z]",
    "^.*$",
    "^[^@]+@[a-z]+\\.(com|org)$",
    "^(?:[0-9]{1,3}\\.){3}[0-9]{1,3}$",
    "^(?<year>\\d+)/\\d+$",
    "^[\\w.-]+$",
    "^a{0,500}$",
    "\\.json$",
    "^\\u0041\\x42[\\]\\-]*$",
    "",
  ])("%s", (pattern) => expect(patternFault(pattern)).toBeUndefined())
})

describe("refused", () => {
  test.each([
    ["^(a+)+$", "two ways"],
    ["^(a|a)*$", "two ways"],
    ["^(a|ab)*c$", "two ways"],
    ["^a*a*$", "two ways"],
    ["^.*.*x$", "two ways"],
    ["^(.+)+$", "two ways"],
    ["^([a-z]+\\d?)+$", "two ways"],
    ["^(\\w+\\s?)*$", "two ways"],
    ["^\\d+\\w*$", "two ways"],
    ["^(a{1,3})+$", "two ways"],
    ["^\\p{L}+\\d+$", "two ways"],
    ["^(a?)*$", "match nothing"],
    ["^(a*)*$", "match nothing"],
    ["^((a?|b?)(c?|d?))$", "match nothing"],
    ["a+", "does not begin"],
    ["x*y", "does not begin"],
    ["^a|b$", "put them in"],
    ["^(?=a)a$", "look-around"],
    ["^(?<!a)b$", "look-around"],
    ["^(a)\\1$", "reference back"],
    ["^a\\bc$", "word boundary"],
    ["^a$b", "only at"],
    ["^(a", "no regular expression"],
    ["^a{2000}$", "1000"],
    ["^(((a{1,99}){1,99}){1,99})$", "1000"],
    [`^${"a".repeat(600)}$`, "longer than"],
  ])("%s", (pattern, why) => expect(patternFault(pattern)).toContain(why))
})

const letters = fc.constantFrom("a", "b", "[ab]", "[^a]", ".", "\\d")
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4 },
    letters,
    fc.tuple(tie("expression"), tie("expression")).map(([one, other]) => one + other),
    fc.tuple(tie("expression"), tie("expression")).map(([one, other]) => `(?:${one}|${other})`),
    fc
      .tuple(tie("expression"), fc.constantFrom("*", "+", "?", "{2,3}", "{2,}"))
      .map(([one, quantifier]) => `(?:${one})${quantifier}`),
  ),
}))

// A pattern that could keep the engine busy would not come to an end here: 30 letters are enough for 2^30 ways.
test("what is let in is matched at once, on texts that nearly fit", () => {
  let letIn = 0
  fc.assert(
    fc.property(expression, fc.constantFrom("a", "b", "ab", "aab", "1"), (inner, part) => {
      const pattern = `^${inner}$`
      if (patternFault(pattern) !== undefined) return
      letIn++
      const expression = new RegExp(pattern, "u")
      for (const end of ["", "!", "\n"]) expression.test(part.repeat(2_000) + end)
    }),
    { numRuns: 2_000, seed: 7 },
  )
  expect(letIn).toBeGreaterThan(200)
})
