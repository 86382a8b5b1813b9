import { expect, test } from "vitest"
import { afterFailure, retryDelay } from "../../dashboard/connection.ts"

test("a feed that breaks is reconnecting, and offline after three tries", () => {
  expect([1, 2, 3, 4].map((failures) => afterFailure(failures, true))).toEqual([
    "reconnecting",
    "reconnecting",
    "offline",
    "offline",
  ])
})

test("a feed that never opened is connecting until it is offline", () => {
  expect([1, 2, 3].map((failures) => afterFailure(failures, false))).toEqual(["connecting", "connecting", "offline"])
})

test("tries are doubled apart, up to half a minute", () => {
  expect([1, 2, 3, 5, 6, 100].map(retryDelay)).toEqual([1_000, 2_000, 4_000, 16_000, 30_000, 30_000])
})
