import { expect, test } from "vitest"
import { isTime, timeNow } from "./time.ts"

test.each([
  "2026-01-31T12:00:00Z",
  "2026-12-31t23:59:59.123456789z",
  "2026-04-30T00:00:00+23:59",
  "2024-02-29T00:00:00Z",
  "2000-02-29T00:00:00Z",
  "0000-02-29T00:00:00-00:00",
])("%s is a time", (text) => {
  expect(isTime(text)).toBe(true)
})

test.each([
  "",
  "yesterday",
  "2026-01-31",
  "2026-01-31T12:00Z",
  "2026-01-31 12:00:00Z",
  "2026-01-31T12:00:00",
  "2026-01-31T12:00:00.Z",
  "2026-01-31T12:00:00Z\n",
  "2026-13-01T00:00:00Z",
  "2026-00-01T00:00:00Z",
  "2026-01-00T00:00:00Z",
  "2026-01-32T00:00:00Z",
  "2026-04-31T00:00:00Z",
  "2026-02-29T00:00:00Z",
  "2024-02-30T00:00:00Z",
  "1900-02-29T00:00:00Z",
  "2026-01-31T24:00:00Z",
  "2026-01-31T23:60:00Z",
  "2016-12-31T23:59:60Z",
  "2026-01-31T12:00:00+24:00",
])("%s is none", (text) => {
  expect(isTime(text)).toBe(false)
})

test("the time now is a time, and passes", () => {
  const before = Date.now()
  const text = timeNow()
  expect(isTime(text)).toBe(true)
  expect(Date.parse(text)).toBeGreaterThanOrEqual(before)
  expect(Date.parse(text)).toBeLessThanOrEqual(Date.now())
})
