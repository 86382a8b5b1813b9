import fc from "fast-check"
import { expect, test } from "vitest"
import { pausedBy } from "./pauses.ts"

const tenant = fc.constantFrom("acme", "globex", "initech")
const handler = fc.constantFrom("a", "b.c", "d")
const pause = fc.record({
  tenant: fc.oneof(tenant, fc.constant("*")),
  handler: fc.oneof(handler, fc.constant("*")),
})

test("a delivery is held back when one of the four ways to cover it stands", () => {
  fc.assert(
    fc.property(fc.array(pause, { maxLength: 6 }), tenant, handler, (pauses, tenant, handler) => {
      const standing = new Set(pauses.map((each) => `${each.tenant} ${each.handler}`))
      const covering = [`${tenant} ${handler}`, `${tenant} *`, `* ${handler}`, "* *"]
      expect(pausedBy(pauses)(tenant, handler)).toBe(covering.some((each) => standing.has(each)))
    }),
  )
})

test("nothing is held back without a pause, and another's pause does not count", () => {
  expect(pausedBy([])("acme", "a")).toBe(false)
  expect(pausedBy([{ tenant: "globex", handler: "*" }])("acme", "a")).toBe(false)
  expect(pausedBy([{ tenant: "*", handler: "b.c" }])("acme", "a")).toBe(false)
})
