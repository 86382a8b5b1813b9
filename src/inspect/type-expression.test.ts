import fc from "fast-check"
import { expect, test } from "vitest"
import { matches } from "../signal/pattern.ts"
import { typeExpression } from "./type-expression.ts"

test("the expression fits exactly the types that the pattern fits", () => {
  const pattern = fc
    .array(fc.constantFrom("a", "b-c", "*", "**"), { minLength: 1, maxLength: 5 })
    .filter((all) => !all.some((each, at) => each === "**" && all[at - 1] === "**"))
    .map((segments) => segments.join("."))
  const type = fc
    .array(fc.constantFrom("a", "b-c", "bxc"), { minLength: 1, maxLength: 5 })
    .map((names) => names.join("."))
  fc.assert(
    fc.property(pattern, type, (p, t) => {
      expect(new RegExp(typeExpression(p)).test(`${t}.`)).toBe(matches(p, t))
    }),
    { numRuns: 3_000 },
  )
})

test("a wrong pattern is refused", () => {
  expect(() => typeExpression("a.(b|c)*")).toThrow(expect.objectContaining({ code: "pattern_invalid" }))
})
