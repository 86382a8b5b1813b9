import { Validator } from "@cfworker/json-schema"
import fc from "fast-check"
import { expect, test } from "vitest"
import { fullManifest, sampleManifest } from "../../test/support/sample-manifest.ts"
import { checkManifest } from "./check-manifest.ts"
import type { Condition } from "./manifest.ts"
import { manifestSchema, manifestShape } from "./manifest-shape.ts"
import { pointerTo } from "./pointer.ts"
import { checkShape, isObject } from "./shape-check.ts"

const validator = new Validator(structuredClone(manifestSchema()), "2020-12")
const fitsSchema = (value: unknown): boolean => validator.validate(value).valid

test("schemas/fleetprompt.package.schema.json is the manifest's schema", async () => {
  const text = `${JSON.stringify(manifestSchema(), null, 2)}\n`
  await expect(text).toMatchFileSnapshot("../../schemas/fleetprompt.package.schema.json")
})

const word = fc.stringMatching(/^[a-z]{1,6}(-[a-z0-9]{1,4}){0,2}$/)
const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}(\.[a-z]{1,4}){0,2}$/)
const someData = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.oneof(fc.integer(), fc.boolean(), word), {
  maxKeys: 3,
})
const version = fc
  .tuple(fc.nat(20), fc.nat(20), fc.nat(20), fc.constantFrom("", "-rc.1", "-beta"))
  .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre}`)
const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3 },
    fc.record({
      path: fc.constantFrom("type", "data", "data.a.0"),
      op: fc.constantFrom("eq", "ne", "lt", "gte"),
      value: fc.integer(),
    }),
    fc.record({ path: fc.constant("subject"), op: fc.constant("exists" as const) }),
    fc.array(tie("condition"), { maxLength: 3 }).map((all) => ({ all })),
    fc.array(tie("condition"), { maxLength: 3 }).map((any) => ({ any })),
    tie("condition").map((not) => ({ not })),
  ),
}))
const record = fc.record({ name, description: word, uses: name, with: someData }, { requiredKeys: ["name"] })
const records = fc.uniqueArray(record, { maxLength: 3, selector: (each) => each.name })
const handlers = fc.uniqueArray(
  fc.record(
    { name, uses: name, on: fc.constantFrom("a.b", "a.**", "*.b"), where: condition, with: someData },
    { requiredKeys: ["name", "uses", "on"] },
  ),
  { maxLength: 3, selector: (each) => each.name },
)
const manifest = fc
  .record(
    {
      slug: fc.stringMatching(/^[a-z]{2,6}(-[a-z0-9]{1,4}){0,2}$/),
      version,
      category: word,
      publisher: word,
      license: fc.constantFrom("MIT", "Apache-2.0 OR MIT"),
      keywords: fc.uniqueArray(word, { maxLength: 4 }),
      homepage: fc
        .webUrl({ validSchemes: ["https"] })
        .filter((url) => /^https:\/\/[A-Za-z0-9.-]+(\/[!-~]*)?$/.test(url)),
      agents: records,
      sensors: records,
      handlers,
      platform: fc.constantFrom("*", ">=0.1.0", "^1"),
      dependencies: fc.dictionary(fc.constantFrom("one", "two-three"), fc.constantFrom("*", "^1.2.0")),
    },
    { requiredKeys: ["slug", "version", "category", "publisher", "license"] },
  )
  .map((parts) => sampleManifest(parts))

test("what is generated as good passes both, the schema and the code", () => {
  expect(fitsSchema(fullManifest())).toBe(true)
  fc.assert(
    fc.property(manifest, (each) => {
      expect(checkManifest(each)).toEqual([])
      expect(fitsSchema(each)).toBe(true)
    }),
    { numRuns: 150 },
  )
})

/** Places below which anything may stand. */
const FREE = /\/(?:with|config|params|result|schema|data|value)(?:\/|$)/

/** Every place of a value, each with how to put something else there. */
function places(
  value: unknown,
  pointer = "",
): readonly { readonly pointer: string; readonly put: (other: unknown) => unknown }[] {
  const entries = Array.isArray(value) ? [...value.entries()] : isObject(value) ? Object.entries(value) : []
  return entries.flatMap(([key, item]) => {
    const put = (other: unknown): unknown =>
      Array.isArray(value) ? value.with(Number(key), other) : { ...(value as object), [key]: other }
    const below = places(item, pointerTo(pointer, key)).map((place) => ({
      ...place,
      put: (other: unknown) => put(place.put(other)),
    }))
    return [{ pointer: pointerTo(pointer, key), put }, ...below]
  })
}

const wrong = fc.constantFrom<unknown>(
  null,
  true,
  -1,
  1.5,
  "",
  "A b!",
  "x".repeat(3_000),
  [],
  [7],
  {},
  { zzz: 1 },
  { path: "data", op: "eq" },
)

test("whatever is put in whatever place, the schema and the shape say the same of it, and the code is never milder", () => {
  const counts = { good: 0, bad: 0 }
  fc.assert(
    fc.property(fc.oneof(manifest, fc.constant(fullManifest())), fc.nat(), wrong, (good, at, other) => {
      const all = places(good).filter(({ pointer }) => !FREE.test(pointer))
      const changed = all[at % all.length]?.put(other)
      const isGood = fitsSchema(changed)
      counts[isGood ? "good" : "bad"]++
      expect(checkShape(manifestShape, changed, "").length === 0).toBe(isGood)
      if (!isGood) expect(checkManifest(changed)).not.toEqual([])
    }),
    { numRuns: 500 },
  )
  expect(counts.bad).toBeGreaterThan(150)
})

test("a field that there is not, or one that is missing, fails both", () => {
  const full = fullManifest()
  const objects = places(full).filter(({ pointer }) => !FREE.test(pointer) && !pointer.startsWith("/dependencies"))
  for (const key of Object.keys(sampleManifest())) {
    const { [key]: _, ...rest } = full as unknown as Record<string, unknown>
    expect([fitsSchema(rest), checkManifest(rest).length > 0]).toEqual([false, true])
  }
  for (const { pointer, put } of objects) {
    const changed = put({ zzz: 1 })
    expect([pointer, fitsSchema(changed), checkManifest(changed).length > 0]).toEqual([pointer, false, true])
  }
})
