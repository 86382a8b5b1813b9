import { describe, expect, test } from "vitest"
import { fullManifest, sampleManifest } from "../../test/support/sample-manifest.ts"
import { compareSchemas, type Direction } from "./compare-schemas.ts"
import { diffManifests } from "./diff-manifests.ts"
import type { JsonSchema, PackageManifest } from "./manifest.ts"

const full = fullManifest()

test("nothing differs from itself, whatever the order of its keys", () => {
  const turned = Object.fromEntries(Object.entries(full).toReversed()) as unknown as PackageManifest
  expect(diffManifests(full, turned)).toMatchObject({
    about: [],
    parts: [],
    signals: [],
    config: [],
    isBreaking: false,
  })
})

test("what is created, changed and removed is named, with the fields that differ", () => {
  const [handler] = full.handlers ?? []
  const to = fullManifest({
    version: "1.1.0",
    description: "Other words.",
    handlers: handler
      ? [
          { ...handler, on: "lead.*", with: {} },
          { name: "more", uses: "x", on: "a.b" },
        ]
      : [],
    agents: [],
    dependencies: { "slack-notify": "^2.0.0" },
    directives: ["package.enable"],
  })
  const { parts, about, isBreaking } = diffManifests(full, to)
  expect(about).toEqual(["description"])
  expect(parts.map(({ part, name, change, fields }) => [part, name, change, ...fields])).toEqual([
    ["agents", "qualifier", "removed"],
    ["handlers", "more", "created"],
    ["handlers", "tell", "changed", "on", "with"],
    ["dependencies", "slack-notify", "changed"],
    ["directives", "package.disable", "removed"],
    ["directives", "package.enable", "created"],
  ])
  expect(isBreaking).toBe(false)
})

describe("what an upgrade asks for", () => {
  const credential = { name: "mail", provider: "smtp", kind: "basic", why: "To write mails." } as const

  test("a credential that is needed, not one that may be missing", () => {
    const needed = diffManifests(full, { ...full, credentials: [...(full.credentials ?? []), credential] })
    expect(needed.parts).toMatchObject([{ change: "created", asks: "give it a credential for smtp: To write mails." }])
    expect(needed.isBreaking).toBe(true)
    const optional = { ...full, credentials: [...(full.credentials ?? []), { ...credential, optional: true }] }
    expect(diffManifests(full, optional)).toMatchObject({ parts: [{ asks: null }], isBreaking: false })
    expect(
      diffManifests(optional, { ...full, credentials: [...(full.credentials ?? []), credential] }).isBreaking,
    ).toBe(true)
  })

  test("a key of the configuration without a default, not one with", () => {
    const config = (more: JsonSchema): PackageManifest =>
      sampleManifest({ config: { type: "object", required: ["a"], properties: { a: more } } })
    expect(diffManifests(sampleManifest(), config({ type: "string" })).isBreaking).toBe(true)
    const filled = diffManifests(sampleManifest(), config({ type: "string", default: "x" }))
    expect(filled).toMatchObject({ parts: [{ part: "config", name: "a", change: "created" }], isBreaking: false })
    expect(diffManifests(config({ type: "string" }), config({ type: "integer" })).isBreaking).toBe(true)
  })
})

describe("signals", () => {
  const emitting = (type: string, schema: JsonSchema, version = 1): PackageManifest =>
    sampleManifest({ signals: { emitted: [{ type, version, schema }] } })
  const base: JsonSchema = { type: "object", properties: { id: { type: "string" } } }

  test("one that is emitted no more breaks who waits for it, a new one nobody", () => {
    const { signals, isBreaking } = diffManifests(emitting("a.b", base), emitting("a.c", base))
    expect(signals).toMatchObject([
      { type: "a.b", change: "removed", kind: "breaking", versions: [1, null] },
      { type: "a.c", change: "created", kind: "compatible", versions: [null, 1] },
    ])
    expect(isBreaking).toBe(true)
  })

  test("the same change is judged by where the data goes", () => {
    const both = (schema: JsonSchema): PackageManifest =>
      sampleManifest({
        signals: { emitted: [{ type: "a", version: 1, schema }], consumed: [{ type: "a", version: 1, schema }] },
      })
    const { signals } = diffManifests(both(base), both({ ...base, required: ["id"] }))
    expect(signals.map(({ direction, kind }) => [direction, kind])).toEqual([
      ["emitted", "compatible"],
      ["consumed", "breaking"],
    ])
  })
})

/** What changed, and what it is for data that comes in and goes out. */
const RULES: readonly (readonly [string, JsonSchema, JsonSchema, string, string])[] = [
  ["a field more", { properties: {} }, { properties: { a: {} } }, "compatible", "compatible"],
  [
    "a field more that is required",
    { properties: {} },
    { properties: { a: {} }, required: ["a"] },
    "breaking",
    "compatible",
  ],
  ["a field less", { properties: { a: {} } }, { properties: {} }, "breaking", "breaking"],
  ["a field required", { properties: { a: {} } }, { properties: { a: {} }, required: ["a"] }, "breaking", "compatible"],
  [
    "a field not required any more",
    { properties: { a: {} }, required: ["a"] },
    { properties: { a: {} } },
    "compatible",
    "breaking",
  ],
  ["a type more", { type: "string" }, { type: ["string", "null"] }, "compatible", "breaking"],
  ["a type less", { type: ["string", "null"] }, { type: "string" }, "breaking", "compatible"],
  ["another type", { type: "string" }, { type: "integer" }, "breaking", "breaking"],
  ["numbers for integers", { type: "integer" }, { type: "number" }, "compatible", "breaking"],
  ["a value more", { enum: ["a"] }, { enum: ["a", "b"] }, "compatible", "breaking"],
  ["a value less", { enum: ["a", "b"] }, { enum: ["a"] }, "breaking", "compatible"],
  ["a wider limit", { minimum: 3 }, { minimum: 1 }, "compatible", "breaking"],
  ["a new limit", {}, { maxLength: 10 }, "breaking", "compatible"],
  ["a limit gone", { maxItems: 3 }, {}, "compatible", "breaking"],
  ["no other fields any more", {}, { additionalProperties: false }, "breaking", "compatible"],
  ["another pattern", { pattern: "^a" }, { pattern: "^b" }, "breaking", "breaking"],
  ["other words", { title: "a" }, { title: "b", description: "c" }, "compatible", "compatible"],
  [
    "deep down",
    { properties: { a: { items: { type: "string" } } } },
    { properties: { a: { items: { type: ["string", "null"] } } } },
    "compatible",
    "breaking",
  ],
  [
    "behind a reference",
    { $ref: "#/$defs/a", $defs: { a: { type: "string" } } },
    { $ref: "#/$defs/a", $defs: { a: { type: "integer" } } },
    "breaking",
    "breaking",
  ],
  [
    "beside a reference",
    { $ref: "#/$defs/a", allOf: [{ minLength: 1 }], $defs: { a: { type: "string" } } },
    { $ref: "#/$defs/a", allOf: [{ minLength: 2 }], $defs: { a: { type: "string" } } },
    "breaking",
    "breaking",
  ],
  [
    "words beside a reference",
    { $ref: "#/$defs/a", $defs: { a: { type: "string" } } },
    { $ref: "#/$defs/a", title: "a", $defs: { a: { type: "string" } } },
    "compatible",
    "compatible",
  ],
  ["nothing fits any more", true, false, "breaking", "breaking"],
]

describe("the rules", () => {
  test.each(RULES)("%s", (_name, from, to, incoming, outgoing) => {
    const kindOf = (direction: Direction): string => {
      const changes = compareSchemas(from, to, direction)
      expect(changes.length).toBeGreaterThan(0)
      return changes.some(({ kind }) => kind === "breaking") ? "breaking" : "compatible"
    }
    expect([kindOf("in"), kindOf("out")]).toEqual([incoming, outgoing])
  })
})
