import { expect, test } from "vitest"
import { retryAfterMs } from "./retry-after.ts"

const NOW = Date.UTC(1994, 10, 6, 8, 49, 0)

test.each([
  ["0", 0],
  ["7", 7_000],
  [" 120 ", 120_000],
  ["1000000000", 1e12],
  ["9".repeat(400), Number.POSITIVE_INFINITY],
  ["Sun, 06 Nov 1994 08:49:37 GMT", 37_000],
  ["Sun, 06 Nov 1994 08:48:37 GMT", 0],
])("%j is a wait of %d ms", (header, ms) => {
  expect(retryAfterMs(header, NOW)).toBe(ms)
})

test.each(
  [null, "", "-1", "1.5", "1e3", "soon", "2026", "Sun, 06 Nov", "Sun, 99 Nov 1994 08:49:37 GMT"].map((h) => [h]),
)("%j says nothing", (header) => {
  expect(retryAfterMs(header, NOW)).toBe(header === "2026" ? 2_026_000 : undefined)
})
