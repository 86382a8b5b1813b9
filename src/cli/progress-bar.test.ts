import { expect, test } from "vitest"
import { formatDuration, progressBar } from "./progress-bar.ts"

test("shows how far, how fast and how long", () => {
  expect(progressBar({ done: 250, total: 1_000, elapsedMs: 10_000 })).toBe(
    "[=======                     ] 250 of 1,000, 25 %, 25.0/s, 30 s left",
  )
  expect(progressBar({ done: 0, total: 1_000, elapsedMs: 10_000 })).toBe(`[${" ".repeat(28)}] 0 of 1,000, 0 %`)
  expect(progressBar({ done: 3, total: 3, elapsedMs: 9 })).toBe(`[${"=".repeat(28)}] 3 of 3, 100 %`)
  expect(progressBar({ done: 0, total: 0, elapsedMs: 9 })).toContain("100 %")
  expect(progressBar({ done: 999, total: 1_000, elapsedMs: 0 })).toContain(" 99 %")
})

test("says durations as people do", () => {
  expect([40, 1_499, 119_000, 180_000].map(formatDuration)).toEqual(["40 ms", "1 s", "119 s", "3 min"])
})
