import { expect, test } from "vitest"
import { FleetPromptError } from "../errors.ts"
import { problemOf } from "./problem.ts"

test.each([
  ["emit_queue_full", 429, "1"],
  ["rate_limited", 429, "1"],
  ["data_not_json", 422, null],
  ["not_ready", 503, null],
] as const)("%s answers %i, to be tried again after %s s", (code, status, retryAfter) => {
  const response = problemOf(new FleetPromptError(code, "too much"))
  expect([response.status, response.headers.get("retry-after")]).toEqual([status, retryAfter])
})
