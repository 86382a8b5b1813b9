import { createHash } from "node:crypto"
import fc from "fast-check"
import { expect, test } from "vitest"
import type { JsonValue } from "../signal/json.ts"
import { contentHash, sameContent } from "./content-hash.ts"

const signal = { type: "lead.received", source: "app", subject: "lead:1", data: { b: 1, a: [true, null] } }

/** The same value with the keys of every object in another order, as jsonb may give it back. */
function reordered(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reordered)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, each]) => [key, reordered(each)]),
  )
}

// Whole text only: half a surrogate pair is refused before anything is hashed.
const json = fc.jsonValue({ stringUnit: "grapheme" }).map((value) => JSON.parse(JSON.stringify(value)) as JsonValue)

test("the hash is SHA-256 of RFC 8785, so that it can be checked elsewhere", () => {
  const canonical = `{"data":{"a":[true,null],"b":1},"source":"app","subject":"lead:1","type":"lead.received"}`
  expect(contentHash(signal)).toEqual(createHash("sha256").update(canonical).digest())
})

test("the order of keys makes no difference", () => {
  fc.assert(
    fc.property(json, (data) => {
      const [one, other] = [
        { ...signal, data },
        { ...signal, data: reordered(data) },
      ]
      expect(sameContent(one, other)).toBe(true)
      expect(contentHash(one).equals(contentHash(other))).toBe(true)
    }),
  )
})

test("the same content and the same hash are one", () => {
  fc.assert(
    fc.property(json, json, (data, others) => {
      const [one, other] = [
        { ...signal, data },
        { ...signal, data: others },
      ]
      expect(contentHash(one).equals(contentHash(other))).toBe(sameContent(one, other))
    }),
  )
})

test.each([
  { type: "lead.lost" },
  { source: "web" },
  { subject: "lead:2" },
  { subject: undefined },
  { dataschema: "https://example.com/schema" },
  { data: { b: 1, a: [true] } },
  { data: null },
])("another %j is other content", (change) => {
  const other = { ...signal, ...change }
  expect(sameContent(signal, other)).toBe(false)
  expect(contentHash(other).equals(contentHash(signal))).toBe(false)
})

test("what is not content makes no difference", () => {
  const other = { ...signal, id: "another", time: "2026-01-01T00:00:00Z" }
  expect(sameContent(signal, other)).toBe(true)
  expect(contentHash(other)).toEqual(contentHash(signal))
})
