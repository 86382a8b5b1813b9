import { type OutputUnit, Validator } from "@cfworker/json-schema"
import type { JsonSchema, ManifestProblem } from "./manifest.ts"
import { pointerTo } from "./pointer.ts"
import { closest } from "./suggest.ts"

/** Says of a value everything in which it does not fit. Values are not repeated: they may be secret. */
export type SchemaCheck = (value: unknown, pointer: string) => readonly ManifestProblem[]

/** Reasons that are told of one value, at most. */
const MAX_PROBLEMS = 50
/** Keywords whose own message only says that something within does not fit; what that is follows. */
const WRAPPERS = new Set([
  "properties",
  "patternProperties",
  "additionalProperties",
  "unevaluatedProperties",
  "propertyNames",
  "items",
  "prefixItems",
  "unevaluatedItems",
  "$ref",
  "allOf",
  "if",
  "dependentSchemas",
])

/**
 * Makes a check of a schema that `checkSchema` let in. No code is generated.
 *
 * @example
 * compileSchema({ type: "object", required: ["repo"] })({}, "") // [{ pointer: "", message: "…" }]
 */
export function compileSchema(schema: JsonSchema): SchemaCheck {
  // The validator writes marks into the schema, so it gets one of its own.
  const own = structuredClone(schema)
  const quick = new Validator(own, "2020-12", true)
  const full = new Validator(own, "2020-12", false)
  const known = knownProperties(schema)
  return (value, pointer) => {
    if (quick.validate(value).valid) return []
    return problemsOf(errorsOf(quick, full, value), pointer, known)
  }
}

/** All errors, or where they are too many for the validator's own lists, the first. */
function errorsOf(quick: Validator, full: Validator, value: unknown): readonly OutputUnit[] {
  try {
    return full.validate(value).errors
  } catch (error) {
    if (error instanceof RangeError) return quick.validate(value).errors
    throw error
  }
}

function problemsOf(
  errors: readonly OutputUnit[],
  pointer: string,
  known: readonly string[],
): readonly ManifestProblem[] {
  const leaves = errors.filter(({ keyword }) => !WRAPPERS.has(keyword))
  const problems = (leaves.length > 0 ? leaves : errors).map((error) => problemOf(error, pointer, known))
  const distinct = new Map(problems.map((problem) => [`${problem.pointer} ${problem.message}`, problem]))
  return [...distinct.values()].slice(0, MAX_PROBLEMS)
}

function problemOf(
  { keyword, instanceLocation, error }: OutputUnit,
  pointer: string,
  known: readonly string[],
): ManifestProblem {
  const at = `${pointer}${decodeURIComponent(instanceLocation.slice(1))}`
  if (keyword === "required") {
    const name = /"(.*)"/s.exec(error)?.[1] ?? ""
    return { pointer: pointerTo(at, name), message: `expected the field "${name}", it is missing` }
  }
  if (keyword === "false") return { pointer: at, message: unknownKey(at, known) }
  const type = /^Instance type "(\w+)" is invalid\. Expected "(.*)"\.$/.exec(error)
  if (type) return { pointer: at, message: `expected ${type[2]?.replaceAll(`", "`, " or ")}, got ${type[1]}` }
  return {
    pointer: at,
    message: `expected what fits the schema, got what does not ("${keyword}"): ${plain(keyword, error)}`,
  }
}

function unknownKey(pointer: string, known: readonly string[]): string {
  const name = pointer
    .slice(pointer.lastIndexOf("/") + 1)
    .replaceAll("~1", "/")
    .replaceAll("~0", "~")
  const near = closest(name, known)
  return `expected no field "${name}" here; ${near === undefined ? "remove it" : `did you mean "${near}"?`}`
}

/** The validator's sentences, but for those that repeat a number that came. */
function plain(keyword: string, error: string): string {
  const bound = /(?:less|greater) than (?:or equal to )?\s*(\S+)\.$|multiple of (\S+)\.$/.exec(error)
  return bound ? `${keyword} is ${bound[1] ?? bound[2]}` : error
}

function knownProperties(schema: JsonSchema): readonly string[] {
  if (typeof schema === "boolean") return []
  const properties = schema["properties"]
  return typeof properties === "object" && properties !== null ? Object.keys(properties) : []
}
