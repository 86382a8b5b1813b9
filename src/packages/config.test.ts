import { describe, expect, test } from "vitest"
import { fullManifest, sampleManifest } from "../../test/support/sample-manifest.ts"
import type { JsonObject } from "../signal/json.ts"
import { type AppliedConfig, applyConfig, configChecksum } from "./config.ts"
import type { JsonSchema } from "./manifest.ts"

const full = fullManifest()
const withConfig = (config: JsonSchema) => sampleManifest({ config })

function fitting(applied: AppliedConfig): JsonObject {
  if (applied.kind === "fits") return applied.config
  throw new Error(JSON.stringify(applied.problems))
}

function problemsOf(applied: AppliedConfig): readonly string[] {
  return applied.kind === "refused" ? applied.problems.map(({ pointer, message }) => `${pointer}: ${message}`) : []
}

describe("defaults", () => {
  test("fill what is left out, at any depth of what is there, and nothing else", () => {
    expect(fitting(applyConfig(full, { channel: "#sales" }))).toEqual({
      channel: "#sales",
      minScore: 90,
      greeting: { text: "hello" },
    })
    expect(fitting(applyConfig(full, { channel: "#sales", minScore: 0, greeting: { text: "" } }))).toEqual({
      channel: "#sales",
      minScore: 0,
      greeting: { text: "" },
    })
  })

  test("come by $ref and allOf and in items, not by anyOf", () => {
    const schema: JsonSchema = {
      type: "object",
      $defs: { repo: { type: "object", properties: { branch: { default: "main" } } } },
      properties: { repos: { type: "array", items: { $ref: "#/$defs/repo" } } },
      allOf: [{ properties: { limit: { default: 3 } } }],
      anyOf: [{ properties: { never: { default: 1 } } }],
    }
    expect(fitting(applyConfig(withConfig(schema), { repos: [{}, { branch: "next" }] }))).toEqual({
      repos: [{ branch: "main" }, { branch: "next" }],
      limit: 3,
    })
  })

  test("the result is frozen, and what was given stays as it was", () => {
    const given = { channel: "#sales" }
    expect(Object.isFrozen(fitting(applyConfig(full, given))["greeting"])).toBe(true)
    expect(given).toEqual({ channel: "#sales" })
  })
})

describe("refused", () => {
  test("with every reason where it stands, and no value that came", () => {
    const problems = problemsOf(applyConfig(full, { minScore: 4_711, chanel: "secret-1", greeting: { text: 7 } }))
    expect(problems.map((each) => each.split(":")[0]).toSorted()).toEqual([
      "/chanel",
      "/channel",
      "/greeting/text",
      "/minScore",
    ])
    expect(problems.join("\n")).toContain(`did you mean "channel"?`)
    expect(problems.join("\n")).not.toMatch(/4711|secret-1/)
  })

  test("a package without config takes {} alone", () => {
    expect(fitting(applyConfig(sampleManifest(), {}))).toEqual({})
    expect(problemsOf(applyConfig(sampleManifest(), { a: 1 }))).toHaveLength(1)
  })

  test("what is no JSON, too much, or reaches further", () => {
    const any = withConfig({ type: "object" })
    const circle: Record<string, unknown> = {}
    circle["self"] = circle
    const wrong = [
      null,
      [],
      "x",
      { f: () => 1 },
      circle,
      { a: "x".repeat(40_000) },
      { a: Array.from({ length: 3_000 }, () => 1) },
      JSON.parse(`{"__proto__":{"a":1}}`),
    ]
    for (const config of wrong) expect(problemsOf(applyConfig(any, config))).not.toEqual([])
  })

  test("more reasons than can be told end the look, not the process", () => {
    const items = { anyOf: Array.from({ length: 300 }, (_, at) => ({ const: at })) }
    const schema: JsonSchema = { type: "object", properties: { list: { type: "array", items } } }
    const list = Array.from({ length: 900 }, () => "no")
    expect(problemsOf(applyConfig(withConfig(schema), { list })).length).toBeGreaterThan(0)
  })
})

describe("the checksum of a configuration", () => {
  const base: JsonObject = { channel: "#sales", minScore: 1, greeting: { text: "hi" } }
  const sum = (config: JsonObject): string => configChecksum(full, config)

  test("is of its canonical JSON", () => {
    expect(sum(base)).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(sum({ greeting: { text: "hi" }, minScore: 1, channel: "#sales" })).toBe(sum(base))
    expect(sum({ ...base, minScore: 2 })).not.toBe(sum(base))
  })

  test("leaves secrets and timestamps out, wherever they stand", () => {
    expect(sum({ ...base, greeting: { text: "hi", token: "t-1" } })).toBe(sum(base))
    expect(sum({ ...base, syncedAt: "2026-01-01T00:00:00Z" })).toBe(sum(base))
    const schema: JsonSchema = {
      type: "object",
      patternProperties: { "^secret_": { writeOnly: true } },
      properties: {
        list: { type: "array", items: { properties: { key: { "x-secret": true } } } },
        other: { anyOf: [{ "x-secret": true }, {}] },
      },
    }
    const listed = configChecksum(withConfig(schema), { secret_a: "1", list: [{ key: "1", name: "a" }], other: "1" })
    expect(configChecksum(withConfig(schema), { secret_a: "2", list: [{ key: "2", name: "a" }], other: "2" })).toBe(
      listed,
    )
    expect(configChecksum(withConfig(schema), { list: [{ name: "b" }] })).not.toBe(listed)
  })
})
