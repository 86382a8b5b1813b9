import { describe, expect, test } from "vitest"
import { duration, localTime } from "../../dashboard/time.ts"

describe("localTime", () => {
  const now = new Date(2026, 5, 15, 12, 0, 0)
  const iso = (...parts: [number, number, number, number, number, number, number]): string =>
    new Date(...parts).toISOString()

  test("of today is the clock", () => {
    expect(localTime(iso(2026, 5, 15, 0, 5, 9, 7), now)).toMatch(/^00.05.09.007$/)
  })

  test("of another day has the day", () => {
    expect(localTime(iso(2026, 5, 14, 23, 5, 9, 7), now)).toMatch(/14.*23.05.09.007/)
    expect(localTime(iso(2026, 5, 14, 23, 5, 9, 7), now)).not.toContain("2026")
  })

  test("of another year has the year", () => {
    expect(localTime(iso(2025, 5, 15, 0, 5, 9, 7), now)).toContain("2025")
  })

  test("that is none is shown as it came", () => {
    expect(localTime("yesterday", now)).toBe("yesterday")
  })
})

test.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [1_000, "1.0 s"],
  [59_999, "59.9 s"],
  [60_000, "1 min 0 s"],
  [3_723_000, "62 min 3 s"],
  [-5, "0 ms"],
])("a duration of %d ms is told as %s", (ms, text) => {
  expect(duration(new Date(100_000).toISOString(), new Date(100_000 + ms).toISOString())).toBe(text)
})
