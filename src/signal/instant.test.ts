import fc from "fast-check"
import { expect, test } from "vitest"
import { instantOf, isEarlier } from "./instant.ts"

test.each([
  ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.001Z"],
  ["2026-01-01T00:00:00.0001Z", "2026-01-01T00:00:00.00011Z"],
  ["2026-01-01T00:00:00.1239Z", "2026-01-01T00:00:00.124Z"],
  ["1969-12-31T23:59:59.9991Z", "1969-12-31T23:59:59.9992Z"],
  ["2026-01-01t00:30:00+01:00", "2026-01-01T00:00:00z"],
])("%s is earlier than %s", (a, b) => {
  expect([isEarlier(instantOf(a), instantOf(b)), isEarlier(instantOf(b), instantOf(a))]).toEqual([true, false])
})

test("zeros at the end say nothing", () => {
  const [a, b] = [instantOf("2026-01-01T00:00:00Z"), instantOf("2026-01-01T00:00:00.000000Z")]
  expect([isEarlier(a, b), isEarlier(b, a)]).toEqual([false, false])
})

test("nanoseconds are ordered as numbers are", () => {
  const nanoseconds = fc.integer({ min: 0, max: 999_999_999 })
  const text = (value: number): string => `2026-01-01T00:00:00.${String(value).padStart(9, "0")}Z`
  fc.assert(
    fc.property(nanoseconds, nanoseconds, (a, b) => isEarlier(instantOf(text(a)), instantOf(text(b))) === a < b),
  )
})
