/**
 * A package brings JSON Schemas of strangers, and the platform checks values by them. So they are bounded before they
 * are used: known keywords alone, no reference out of the schema and none in a circle, patterns that cannot keep the
 * engine busy (safe-pattern.ts), and so many schemas at most once references are written out. With bounded values (see
 * config.ts) the time of a check is bounded too.
 */
import type { JsonSchema, ManifestProblem } from "./manifest.ts"
import { pointerTo } from "./pointer.ts"
import { patternFault } from "./safe-pattern.ts"
import { DIALECT, FORMATS, type KeywordValue, KEYWORDS, TYPES } from "./schema-keywords.ts"
import { describe, isObject } from "./shape-check.ts"
import { closest } from "./suggest.ts"

/** Schemas in a schema once its references are written out, at most. */
const MAX_SCHEMAS = 500
/** How deep schemas may stand in one another. */
const MAX_DEPTH = 32
const REFERENCE = /^#\/\$defs\/([A-Za-z0-9_.-]+)$/
const EXTENSION = /^x-[a-z0-9-]+$/

interface Walk {
  readonly problems: ManifestProblem[]
  readonly defs: Readonly<Record<string, unknown>>
  /** Schemas seen so far, each as often as it is referred to. */
  seen: number
}

/** Everything for which a schema is not let in. */
export function checkSchema(schema: JsonSchema, pointer: string): readonly ManifestProblem[] {
  const defs = isObject(schema) && isObject(schema["$defs"]) ? schema["$defs"] : {}
  const walk: Walk = { problems: [], defs, seen: 0 }
  checkOne(schema, pointer, [], walk)
  if (walk.problems.length === 0) countSchemas(schema, [], pointer, walk)
  return walk.problems
}

function checkOne(schema: unknown, pointer: string, above: readonly string[], walk: Walk): void {
  if (typeof schema === "boolean") return
  if (!isObject(schema)) return refuse(walk, pointer, "a JSON Schema: an object, true or false", describe(schema))
  if (above.length > MAX_DEPTH) return refuse(walk, pointer, `at most ${MAX_DEPTH} schemas in one another`, "more")
  for (const [keyword, value] of Object.entries(schema)) {
    const at = pointerTo(pointer, keyword)
    const kind = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined
    if (keyword === "$defs" && above.length > 0) refuse(walk, at, "$defs at the top of the schema alone", "one within")
    else if (kind !== undefined) checkValue(kind, value, at, [...above, keyword], walk)
    else if (!EXTENSION.test(keyword)) refuseKeyword(walk, at, keyword)
    else if (typeof value === "object") refuse(walk, at, "a text, a number, true or false", describe(value))
  }
}

function refuseKeyword({ problems }: Walk, pointer: string, keyword: string): void {
  const near = closest(keyword, Object.keys(KEYWORDS))
  const remedy = near === undefined ? "remove it, or begin it with x-" : `did you mean "${near}"?`
  problems.push({ pointer, message: `expected a keyword that a package may use, got "${keyword}"; ${remedy}` })
}

function refuse({ problems }: Walk, pointer: string, wanted: string, came: string): void {
  problems.push({ pointer, message: `expected ${wanted}, got ${came}` })
}

function checkValue(kind: KeywordValue, value: unknown, pointer: string, above: readonly string[], walk: Walk): void {
  if (isPlainKind(kind)) {
    const { wanted, fits } = PLAIN[kind]
    return fits(value) ? undefined : refuse(walk, pointer, wanted, describe(value))
  }
  switch (kind) {
    case "schema":
      return checkOne(value, pointer, above, walk)
    case "schemas":
      if (!Array.isArray(value) || value.length === 0)
        return refuse(walk, pointer, "a list of schemas", describe(value))
      return value.forEach((each, at) => checkOne(each, pointerTo(pointer, at), above, walk))
    case "schema map":
    case "pattern map":
      return checkMap(kind, value, pointer, above, walk)
    case "pattern":
      return checkPattern(value, pointer, walk)
    case "ref":
      return checkReference(value, pointer, walk)
  }
}

function checkMap(
  kind: "schema map" | "pattern map",
  value: unknown,
  pointer: string,
  above: readonly string[],
  walk: Walk,
): void {
  if (!isObject(value)) return refuse(walk, pointer, "schemas by name in { }", describe(value))
  for (const [key, each] of Object.entries(value)) {
    const at = pointerTo(pointer, key)
    if (kind === "pattern map") checkPattern(key, at, walk)
    checkOne(each, at, above, walk)
  }
}

function checkPattern(value: unknown, pointer: string, walk: Walk): void {
  if (typeof value !== "string") return refuse(walk, pointer, "a regular expression", describe(value))
  const fault = patternFault(value)
  if (fault === undefined) return
  walk.problems.push({
    pointer,
    message: `expected a regular expression that no text can keep busy, got one that is not let in: ${fault}`,
  })
}

function checkReference(value: unknown, pointer: string, walk: Walk): void {
  const name = typeof value === "string" ? REFERENCE.exec(value)?.[1] : undefined
  if (name === undefined)
    return refuse(walk, pointer, `a reference such as "#/$defs/address" within the schema`, describe(value))
  if (!Object.hasOwn(walk.defs, name)) refuse(walk, pointer, "a name that $defs has", describe(name))
}

/** Follows references, so that a schema counts as often as it is used. Each keyword was checked before. */
function countSchemas(schema: unknown, open: readonly string[], pointer: string, walk: Walk): void {
  if (!isObject(schema) || walk.seen > MAX_SCHEMAS) return
  walk.seen++
  if (walk.seen > MAX_SCHEMAS)
    return refuse(walk, pointer, `at most ${MAX_SCHEMAS} schemas in a schema, references written out`, "more")
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === "$defs") continue
    if (keyword === "$ref") followReference(value, open, pointer, walk)
    else for (const each of schemasBehind(keyword, value)) countSchemas(each, open, pointer, walk)
  }
}

function followReference(value: unknown, open: readonly string[], pointer: string, walk: Walk): void {
  const name = REFERENCE.exec(String(value))?.[1] ?? ""
  if (open.includes(name)) {
    if (walk.problems.length === 0)
      refuse(walk, pointer, "references that end", `a circle: ${[...open, name].join(" > ")}; write the levels out`)
    return
  }
  countSchemas(walk.defs[name], [...open, name], pointer, walk)
}

function schemasBehind(keyword: string, value: unknown): readonly unknown[] {
  const kind = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined
  if (kind === "schema") return [value]
  if (kind === "schemas") return Array.isArray(value) ? value : []
  return (kind === "schema map" || kind === "pattern map") && isObject(value) ? Object.values(value) : []
}

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((each) => typeof each === "string")
const isType = (value: unknown): boolean => typeof value === "string" && TYPES.includes(value)

/** Keywords that hold no schema. */
type PlainKind = Exclude<KeywordValue, "schema" | "schemas" | "schema map" | "pattern map" | "pattern" | "ref">

function isPlainKind(kind: KeywordValue): kind is PlainKind {
  return Object.hasOwn(PLAIN, kind)
}

const PLAIN: Readonly<Record<PlainKind, { readonly wanted: string; readonly fits: (value: unknown) => boolean }>> = {
  number: { wanted: "a number", fits: (value) => typeof value === "number" },
  positive: { wanted: "a number above 0", fits: (value) => typeof value === "number" && value > 0 },
  count: { wanted: "a whole number from 0 on", fits: (value) => Number.isInteger(value) && Number(value) >= 0 },
  flag: { wanted: "true or false", fits: (value) => typeof value === "boolean" },
  text: { wanted: "a text", fits: (value) => typeof value === "string" },
  texts: { wanted: "a list of texts", fits: isTexts },
  "text lists": {
    wanted: "lists of texts by name",
    fits: (value) => isObject(value) && Object.values(value).every(isTexts),
  },
  values: { wanted: "a list with something in it", fits: (value) => Array.isArray(value) && value.length > 0 },
  any: { wanted: "anything", fits: () => true },
  type: {
    wanted: `one or several of ${TYPES.join(", ")}`,
    fits: (value) => isType(value) || (Array.isArray(value) && value.length > 0 && value.every(isType)),
  },
  format: {
    wanted: `one of the formats ${FORMATS.join(", ")}`,
    fits: (value) => typeof value === "string" && FORMATS.includes(value),
  },
  dialect: { wanted: `"${DIALECT}"`, fits: (value) => value === DIALECT },
}
