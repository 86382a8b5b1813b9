import { expect, test } from "vitest"
import { parseMediaType } from "./media-type.ts"

test.each([
  ["application/json", "application/json", undefined, "json"],
  ["TEXT/JSON; charset=UTF-8", "text/json", "UTF-8", "json"],
  ["application/vnd.github+json", "application/vnd.github+json", undefined, "json"],
  ["application/x-ndjson", "application/x-ndjson", undefined, "bytes"],
  ["text/plain", "text/plain", undefined, "text"],
  ['text/csv; header=present ; CharSet = "iso-8859-1"', "text/csv", "iso-8859-1", "text"],
  ["application/xml", "application/xml", undefined, "text"],
  ["image/svg+xml", "image/svg+xml", undefined, "text"],
  ["application/x-www-form-urlencoded; charset=utf-8", "application/x-www-form-urlencoded", "utf-8", "text"],
  ["image/png", "image/png", undefined, "bytes"],
  ["json", "json", undefined, "bytes"],
  ["", "", undefined, "bytes"],
])("%s", (value, essence, charset, kind) => {
  expect(parseMediaType(value)).toEqual({ essence, charset, kind })
})
