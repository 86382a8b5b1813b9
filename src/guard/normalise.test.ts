import { describe, expect, test } from "vitest"
import { normalise } from "./normalise.ts"

const token = ["ghp", "_", "a1B2".repeat(9)].join("")

test("what is missing gets its default", () => {
  const candidate = normalise("acme", "lead.received", { a: 1 }, {})
  expect(candidate).toMatchObject({
    tenant: "acme",
    signal: { type: "lead.received", source: "app", data: { a: 1 } },
    visibility: "internal",
    dedupeKey: null,
    sourceEventId: null,
    onSecret: "refuse",
  })
  expect(candidate.metadata).toEqual({ schema_version: 1, correlation_id: candidate.signal.id, causation_id: null })
})

test("an id of a cause is taken in any case and kept in lower", () => {
  const causation_id = "0192F0C1-0000-7000-8000-00000000000A"
  expect(normalise("acme", "a.b", {}, { metadata: { causation_id } }).metadata.causation_id).toBe(
    causation_id.toLowerCase(),
  )
})

describe("no error of this step tells a secret", () => {
  test.each([
    ["a key beside a value that is no JSON", { [token]: Number.NaN }, {}],
    ["a key above nesting that is too deep", { [token]: JSON.parse("[".repeat(70) + "]".repeat(70)) }, {}],
    ["an extension's name", {}, { extensions: { [token]: "x" } }],
    ["a wrong time", {}, { time: `Bearer ${token}` }],
  ])("%s", (_, data, attributes) => {
    let told = ""
    try {
      normalise("acme", "a.b", data, attributes)
    } catch (error) {
      told = JSON.stringify([error, String(error), (error as Error).stack, (error as { path?: string }).path])
    }
    expect(told).toMatch(/FleetPromptError/)
    expect(told).not.toContain(token)
  })
})

test("places of unstorable text are listed up to a hundred, then counted", () => {
  const data = Array.from({ length: 500 }, () => "a\u0000")
  const { redactions } = normalise("acme", "a.b", data, { onSecret: "redact" }).metadata
  expect(redactions).toHaveLength(100)
  expect(redactions?.[0]).toEqual({ path: "data[0]", rule: "unstorable-text" })
  expect(redactions?.at(-1)?.path).toBe("and 401 more")
})
