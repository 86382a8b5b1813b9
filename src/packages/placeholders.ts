import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { JsonSchema, ManifestProblem } from "./manifest.ts"
import { pointerTo } from "./pointer.ts"
import { closest } from "./suggest.ts"

const PATH = "[A-Za-z_][A-Za-z0-9_-]*(?:\\.[A-Za-z_][A-Za-z0-9_-]*)*"
const PLACEHOLDER = new RegExp(`\\$\\{config\\.(${PATH})\\}`, "g")
const WHOLE = new RegExp(`^\\$\\{config\\.(${PATH})\\}$`)
/** What other languages of templates look like. */
const OTHER_TEMPLATES = /\$\{|\{\{|<%/

/** Whether a text is one placeholder and nothing else, so that it stands for a value of any type. */
export function isPlaceholder(value: unknown): boolean {
  return typeof value === "string" && WHOLE.test(value)
}

/**
 * Everything that is wrong with the placeholders of plain data: other expressions than `${config.x}`, and ones that
 * name what the configuration does not have.
 *
 * @param config the package's schema; undefined when it has none.
 */
export function checkPlaceholders(
  value: JsonValue,
  config: JsonSchema | undefined,
  pointer: string,
): readonly ManifestProblem[] {
  if (typeof value === "string") return checkText(value, config, pointer)
  if (typeof value !== "object" || value === null) return []
  return Object.entries(value).flatMap(([key, item]) => checkPlaceholders(item, config, pointerTo(pointer, key)))
}

function checkText(text: string, config: JsonSchema | undefined, pointer: string): readonly ManifestProblem[] {
  const problems = [...text.matchAll(PLACEHOLDER)].flatMap(([all, path = ""]) => {
    const message = unknownPath(path.split("."), config)
    return message === undefined ? [] : [{ pointer, message: `expected a key of config in ${all}, ${message}` }]
  })
  if (!OTHER_TEMPLATES.test(text.replaceAll(PLACEHOLDER, ""))) return problems
  return [
    ...problems,
    {
      pointer,
      message: "expected no expression but ${config.x}, got another one (${, {{ or <%); write the text out",
    },
  ]
}

/** What is wrong with a path into the configuration, as far as its schema names its keys. */
function unknownPath(path: readonly string[], schema: JsonSchema | undefined): string | undefined {
  const [key = "", ...rest] = path
  const properties = propertiesOf(schema)
  if (!properties) return "it has none; declare it in config.properties"
  const next = Object.hasOwn(properties, key) ? properties[key] : undefined
  if (next === undefined) {
    const near = closest(key, Object.keys(properties))
    return `"${key}" is none; ${near === undefined ? "declare it in config.properties" : `did you mean "${near}"?`}`
  }
  // What a reference or a choice of schemas leads to is found out when it is filled in.
  return rest.length > 0 && isSchema(next) && propertiesOf(next) ? unknownPath(rest, next) : undefined
}

function propertiesOf(schema: JsonSchema | undefined): JsonObject | undefined {
  const properties = typeof schema === "object" ? schema["properties"] : undefined
  return typeof properties === "object" && properties !== null && !Array.isArray(properties)
    ? // Arrays were left out, which the compiler does not see for readonly ones.
      (properties as JsonObject)
    : undefined
}

function isSchema(value: JsonValue): value is JsonSchema & JsonValue {
  return typeof value === "boolean" || (typeof value === "object" && value !== null && !Array.isArray(value))
}

/**
 * Plain data with its placeholders filled from a configuration. A text that is one placeholder becomes the value, of
 * whatever type, and null when the configuration has none; within a longer text it becomes the value's text, and
 * nothing when there is none. What is filled in is not read again.
 *
 * @example
 * fillPlaceholders({ repo: "${config.repo}", note: "for ${config.team}" }, { repo: "a/b", team: "web" })
 */
export function fillPlaceholders(value: JsonValue, config: JsonObject): JsonValue {
  if (typeof value === "string") return fillText(value, config)
  if (typeof value !== "object" || value === null) return value
  // An array of readonly values is one, whatever the compiler says of it.
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((item) => fillPlaceholders(item, config))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillPlaceholders(item, config)]))
}

function fillText(text: string, config: JsonObject): JsonValue {
  const whole = WHOLE.exec(text)?.[1]
  if (whole !== undefined) return valueAt(config, whole) ?? null
  return text.replaceAll(PLACEHOLDER, (_, path: string) => textOf(valueAt(config, path)))
}

function textOf(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return ""
  return typeof value === "string" ? value : JSON.stringify(value)
}

/** What stands at a dotted path, own keys alone. */
export function valueAt(value: JsonValue | undefined, path: string): JsonValue | undefined {
  return path.split(".").reduce<JsonValue | undefined>((at, key) => {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined
    if (Array.isArray(at) && !/^\d+$/.test(key)) return undefined
    // It has the key, which of an array is an index.
    return (at as JsonObject)[key]
  }, value)
}
