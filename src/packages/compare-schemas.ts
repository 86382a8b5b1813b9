/**
 * Whether data that fitted one schema still fits another, by rules that look at one place at a time. What the rules
 * do not know counts as breaking: better a question too many than a signal that nobody can read.
 *
 * | change                                                   | data that comes in | data that goes out |
 * | -------------------------------------------------------- | ------------------ | ------------------ |
 * | a field more, not required                               | compatible         | compatible         |
 * | a field more, required                                   | breaking           | compatible         |
 * | a field less                                             | breaking           | breaking           |
 * | a field is required that was not                         | breaking           | compatible         |
 * | a field is not required any more                         | compatible         | breaking           |
 * | a type or a value more                                   | compatible         | breaking           |
 * | a type or a value less                                   | breaking           | compatible         |
 * | a limit is wider                                         | compatible         | breaking           |
 * | a limit is narrower                                      | breaking           | compatible         |
 * | titles, descriptions, examples, defaults                 | compatible         | compatible         |
 * | anything else: pattern, format, allOf, anyOf, if, $ref … | breaking           | breaking           |
 */
import type { JsonObject, JsonValue } from "../signal/json.ts"
import { canonicalText } from "./canonical.ts"
import type { JsonSchema } from "./manifest.ts"
import { pointerTo } from "./pointer.ts"
import { ANNOTATIONS } from "./schema-keywords.ts"
import { isObject, withoutReferences } from "./schema-layers.ts"

/** Which way data goes: in, what others send; out, what others read. */
export type Direction = "in" | "out"

/** One difference between two schemas. */
export interface SchemaChange {
  readonly kind: "compatible" | "breaking"
  /** Where in the data: `/lead/score`. */
  readonly pointer: string
  /** For people. */
  readonly message: string
}

/** Which way a place of a schema became: takes more than before, takes less, or what the rules do not know. */
type Effect = "wider" | "narrower" | "same" | "unknown"

/** The differences between two schemas of the same data. */
export function compareSchemas(
  from: JsonSchema | undefined,
  to: JsonSchema | undefined,
  direction: Direction,
): readonly SchemaChange[] {
  const [before, after] = [from, to].map((schema) => normal(schema && withoutReferences(schema)))
  return compareAt(before ?? {}, after ?? {}, "", direction)
}

/** No schema and `true` take everything; `false` takes nothing. */
function normal(schema: JsonValue | undefined): JsonObject {
  if (isObject(schema)) return schema
  return schema === false ? { not: {} } : {}
}

function compareAt(from: JsonObject, to: JsonObject, pointer: string, direction: Direction): readonly SchemaChange[] {
  if (canonicalText(from) === canonicalText(to)) return []
  const keywords = new Set([...Object.keys(from), ...Object.keys(to)])
  const plain = [...keywords].flatMap((keyword) => compareKeyword(keyword, from, to, pointer, direction))
  return [...plain, ...compareProperties(from, to, pointer, direction), ...compareItems(from, to, pointer, direction)]
}

/** Keywords that are compared together with others. */
const STRUCTURE = new Set(["properties", "required", "items"])

function compareKeyword(
  keyword: string,
  from: JsonObject,
  to: JsonObject,
  pointer: string,
  direction: Direction,
): readonly SchemaChange[] {
  const [before, after] = [from[keyword], to[keyword]]
  if (STRUCTURE.has(keyword) || ANNOTATIONS.has(keyword) || keyword.startsWith("x-"))
    return annotated(keyword, before, after, pointer)
  if (before !== undefined && after !== undefined && canonicalText(before) === canonicalText(after)) return []
  const effect = effectOf(keyword, before, after)
  if (effect === "same") return []
  const message = `${keyword} was ${shown(before)} and is ${shown(after)}${effect === "unknown" ? ", which the rules do not judge" : ""}`
  return [{ kind: kindOf(effect, direction), pointer, message }]
}

function annotated(
  keyword: string,
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  pointer: string,
): readonly SchemaChange[] {
  if (STRUCTURE.has(keyword) || keyword === "$schema") return []
  if (canonicalText(before ?? null) === canonicalText(after ?? null)) return []
  return [{ kind: "compatible", pointer, message: `${keyword} was changed, which no data notices` }]
}

function kindOf(effect: Effect, direction: Direction): SchemaChange["kind"] {
  return effect === (direction === "in" ? "wider" : "narrower") ? "compatible" : "breaking"
}

const LOWER = new Set(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"])
const UPPER = new Set(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"])

function effectOf(keyword: string, before: JsonValue | undefined, after: JsonValue | undefined): Effect {
  if (keyword === "type") return effectOnSet(typesOf(before), typesOf(after))
  if (keyword === "enum") return effectOnSet(valuesOf(before), valuesOf(after))
  if (LOWER.has(keyword)) return effectOnLimit(limit(before, -Infinity), limit(after, -Infinity), 1)
  if (UPPER.has(keyword)) return effectOnLimit(limit(before, Infinity), limit(after, Infinity), -1)
  if (keyword === "additionalProperties") return effectOnFlag(before ?? true, after ?? true)
  if (keyword === "uniqueItems") return effectOnFlag(before !== true, after !== true)
  return "unknown"
}

function effectOnSet(before: readonly string[] | undefined, after: readonly string[] | undefined): Effect {
  if (before === undefined) return "narrower"
  if (after === undefined) return "wider"
  const isMore = after.some((each) => !before.includes(each))
  const isLess = before.some((each) => !after.includes(each))
  if (isMore && isLess) return "unknown"
  if (!isMore && !isLess) return "same"
  return isMore ? "wider" : "narrower"
}

/** Integers are numbers, so a schema of numbers takes them too. */
function typesOf(value: JsonValue | undefined): readonly string[] | undefined {
  const types = typeof value === "string" ? [value] : valuesOf(value)?.map((each) => each.replaceAll('"', ""))
  return types?.includes("number") ? [...new Set([...types, "integer"])] : types
}

function valuesOf(value: JsonValue | undefined): readonly string[] | undefined {
  return Array.isArray(value) ? value.map((each: JsonValue) => canonicalText(each)) : undefined
}

function limit(value: JsonValue | undefined, none: number): number {
  return typeof value === "number" ? value : none
}

/** @param narrowing 1 where more is narrower. */
function effectOnLimit(before: number, after: number, narrowing: 1 | -1): Effect {
  if (before === after) return "same"
  return after > before === (narrowing === 1) ? "narrower" : "wider"
}

function effectOnFlag(before: JsonValue, after: JsonValue): Effect {
  if (typeof before !== "boolean" || typeof after !== "boolean") return "unknown"
  if (before === after) return "same"
  return after ? "wider" : "narrower"
}

function compareProperties(
  from: JsonObject,
  to: JsonObject,
  pointer: string,
  direction: Direction,
): readonly SchemaChange[] {
  const [before, after] = [propertiesOf(from), propertiesOf(to)]
  const [needed, needs] = [requiredOf(from), requiredOf(to)]
  const names = new Set([...Object.keys(before), ...Object.keys(after), ...needed, ...needs])
  return [...names].flatMap((name): readonly SchemaChange[] => {
    const at = pointerTo(pointer, name)
    const [was, is] = [before[name], after[name]]
    if (was !== undefined && is === undefined)
      return [{ kind: "breaking", pointer: at, message: `the field ${name} is not there any more` }]
    const need = requiredChange(name, needed.includes(name), needs.includes(name), direction, at)
    if (was === undefined && is !== undefined)
      return need.length > 0 ? need : [{ kind: "compatible", pointer: at, message: `the field ${name} was added` }]
    return [...need, ...compareAt(normal(was), normal(is), at, direction)]
  })
}

function requiredChange(
  name: string,
  was: boolean,
  is: boolean,
  direction: Direction,
  pointer: string,
): readonly SchemaChange[] {
  if (was === is) return []
  const kind = kindOf(is ? "narrower" : "wider", direction)
  return [{ kind, pointer, message: is ? `the field ${name} is required now` : `the field ${name} may be missing now` }]
}

function compareItems(
  from: JsonObject,
  to: JsonObject,
  pointer: string,
  direction: Direction,
): readonly SchemaChange[] {
  if (from["items"] === undefined && to["items"] === undefined) return []
  return compareAt(normal(from["items"]), normal(to["items"]), `${pointer}/*`, direction)
}

function propertiesOf({ properties }: JsonObject): JsonObject {
  return isObject(properties) ? properties : {}
}

function requiredOf({ required }: JsonObject): readonly string[] {
  return Array.isArray(required) ? required.filter((each: JsonValue): each is string => typeof each === "string") : []
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "not stated"
  const text = JSON.stringify(value)
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`
}
