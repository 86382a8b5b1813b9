import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { JsonSchema } from "./manifest.ts"
import { ANNOTATIONS } from "./schema-keywords.ts"

/**
 * certain: what holds of every value that fits, by `$ref` and `allOf`; possible: also what holds of some, by `anyOf`,
 * `oneOf`, `then` and `else`.
 */
type Reach = "certain" | "possible"

const CERTAIN = ["allOf"]
const POSSIBLE = ["allOf", "anyOf", "oneOf", "then", "else"]

/** The schemas that say something of one value: the schema itself and those that it takes in. */
export function layersOf(schema: JsonValue | undefined, root: JsonSchema, reach: Reach): readonly JsonObject[] {
  if (!isObject(schema)) return []
  const taken = (reach === "certain" ? CERTAIN : POSSIBLE).flatMap((keyword) => listOf(schema[keyword]))
  return [schema, ...[referenced(schema["$ref"], root), ...taken].flatMap((each) => layersOf(each, root, reach))]
}

/** What layers of an object say of one of its keys. */
export function layersOfKey(
  layers: readonly JsonObject[],
  key: string,
  root: JsonSchema,
  reach: Reach,
): readonly JsonObject[] {
  return layers.flatMap(({ properties, patternProperties, additionalProperties }) => {
    const named = isObject(properties) && Object.hasOwn(properties, key) ? [properties[key]] : []
    const matched = Object.entries(isObject(patternProperties) ? patternProperties : {})
      .filter(([pattern]) => new RegExp(pattern, "u").test(key))
      .map(([, each]) => each)
    const stated = [...named, ...matched]
    return (stated.length > 0 ? stated : [additionalProperties]).flatMap((each) => layersOf(each, root, reach))
  })
}

/** What layers of an array say of the item at a place. */
export function layersOfItem(
  layers: readonly JsonObject[],
  at: number,
  root: JsonSchema,
  reach: Reach,
): readonly JsonObject[] {
  return layers.flatMap(({ prefixItems, items }) => {
    const first: readonly JsonValue[] = Array.isArray(prefixItems) ? prefixItems : []
    return layersOf(first[at] ?? items, root, reach)
  })
}

/** Names of the properties that layers declare. */
export function declaredKeys(layers: readonly JsonObject[]): readonly string[] {
  const keys = layers.flatMap(({ properties }) => (isObject(properties) ? Object.keys(properties) : []))
  return [...new Set(keys)]
}

/** A JSON object. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/**
 * A schema with its references written out, so that it says by itself what it says. What is referred to stands in an
 * `allOf` where there is more beside the reference than words for people. Only for schemas that were let in, whose references end.
 */
export function withoutReferences(schema: JsonSchema): JsonSchema {
  // What comes of an object is one.
  return writtenOut(schema, schema) as JsonSchema
}

/** What holds values and not schemas. */
const VALUES = new Set(["enum", "const", "default", "examples", "required", "dependentRequired", "type"])
/** What holds schemas by names, which may be any. */
const MAPS = new Set(["properties", "patternProperties", "dependentSchemas"])

function writtenOut(schema: JsonValue, root: JsonSchema): JsonValue {
  if (Array.isArray(schema)) return schema.map((each: JsonValue) => writtenOut(each, root))
  if (!isObject(schema)) return schema
  const rest = Object.entries(schema)
    .filter(([keyword]) => keyword !== "$ref" && keyword !== "$defs")
    .map(([keyword, value]) => [keyword, keywordWrittenOut(keyword, value, root)] as const)
  const target = referenced(schema["$ref"], root)
  if (target === undefined) return Object.fromEntries(rest)
  const whole = writtenOut(target, root)
  const beside = Object.fromEntries(rest)
  if (isObject(whole) && rest.every(([keyword]) => ANNOTATIONS.has(keyword))) return { ...whole, ...beside }
  return { ...beside, allOf: [whole, ...listOf(beside["allOf"])] }
}

function keywordWrittenOut(keyword: string, value: JsonValue, root: JsonSchema): JsonValue {
  if (VALUES.has(keyword)) return value
  if (!MAPS.has(keyword) || !isObject(value)) return writtenOut(value, root)
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, writtenOut(each, root)]))
}

/** `#/$defs/name`: others were not let in. */
function referenced(reference: JsonValue | undefined, root: JsonSchema): JsonValue | undefined {
  const defs = typeof root === "object" ? root["$defs"] : undefined
  return typeof reference === "string" && isObject(defs) ? defs[reference.slice("#/$defs/".length)] : undefined
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  if (Array.isArray(value)) return value
  return value === undefined ? [] : [value]
}
