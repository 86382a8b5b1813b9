import { expect, test } from "vitest"
import type { JsonSchema } from "./manifest.ts"
import { checkSchema } from "./schema-bounds.ts"

const told = (schema: JsonSchema): readonly string[] =>
  checkSchema(schema, "").map(({ pointer, message }) => `${pointer} ${message}`)

test("schemas as people write them are let in", () => {
  const schema: JsonSchema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    title: "Config",
    required: ["a"],
    additionalProperties: false,
    $defs: { id: { type: "string", minLength: 1, format: "uuid" } },
    properties: {
      a: { $ref: "#/$defs/id", description: "first" },
      b: { type: ["string", "null"], enum: ["x", null], "x-order": 2 },
      // Not written as an object, since one with such a key is taken for a promise.
      if: JSON.parse(`{ "if": { "type": "string" }, "then": { "minLength": 1 }, "else": false }`),
    },
  }
  expect(told(schema)).toEqual([])
  expect(told(true)).toEqual([])
})

test.each<[string, JsonSchema, string]>([
  ["an unknown keyword", { propertys: {} }, "/propertys"],
  ["an id", { $id: "https://example.com" }, "/$id"],
  ["a dynamic reference", { $dynamicRef: "#a" }, "/$dynamicRef"],
  ["a reference out of it", { $ref: "other.json" }, "/$ref"],
  ["a reference to nothing", { $ref: "#/$defs/a" }, "/$ref"],
  ["a circle", { $defs: { a: { items: { $ref: "#/$defs/a" } } }, $ref: "#/$defs/a" }, "expected references that end"],
  ["a wrong type", { type: "text" }, "/type"],
  ["a wrong limit", { minLength: "1" }, "/minLength"],
  ["a list that is none", { required: "a" }, "/required"],
  ["a schema that is none", { items: [1] as unknown as JsonSchema }, "/items"],
  ["a format that may take long", { format: "url" }, "/format"],
  ["a pattern of keys that hangs", { patternProperties: { "^(a+)+$": {} } }, "/patternProperties"],
  ["another dialect", { $schema: "http://json-schema.org/draft-07/schema#" }, "/$schema"],
  ["data in an extension", { "x-data": { id: 1 } }, "/x-data"],
  ["$defs within", { properties: { a: { $defs: {} } } }, "/properties/a/$defs"],
])("%s is refused", (_name, schema, part) => {
  expect(told(schema).join("\n")).toContain(part)
})

test("a schema that doubles itself by references is refused before it is used", () => {
  const $defs = Object.fromEntries(
    Array.from({ length: 30 }, (_, at) => [
      `d${at}`,
      at === 29 ? {} : { allOf: [{ $ref: `#/$defs/d${at + 1}` }, { $ref: `#/$defs/d${at + 1}` }] },
    ]),
  )
  expect(told({ $defs, $ref: "#/$defs/d0" }).join()).toContain("at most 500 schemas")
})

test("schemas that stand deep in one another are refused", () => {
  const deep = Array.from({ length: 60 }).reduce<JsonSchema>((schema) => ({ items: schema }), {})
  expect(told(deep).join()).toContain("at most 32")
})
