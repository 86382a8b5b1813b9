import type { ManifestProblem } from "./manifest.ts"
import { pointerTo } from "./pointer.ts"
import type { RecordShape, Shape, TextShape, VariantsShape } from "./shape.ts"
import { closest } from "./suggest.ts"

/** What makes a package more than data. None of these is a field of anything in a manifest. */
const EXECUTABLE = new Set([
  "bin",
  "browser",
  "code",
  "eval",
  "exec",
  "exports",
  "function",
  "install",
  "main",
  "module",
  "postinstall",
  "preinstall",
  "run",
  "script",
  "scripts",
  "source",
  "types",
])

/** Everything in which a JSON value differs from a shape. */
export function checkShape(shape: Shape, value: unknown, pointer: string): readonly ManifestProblem[] {
  const expected = (what: string): readonly ManifestProblem[] => [
    { pointer, message: `expected ${what}, got ${describe(value)}` },
  ]
  switch (shape.kind) {
    case "text":
      return textFits(shape, value) ? [] : expected(textWanted(shape))
    case "choice":
      return typeof value === "string" && shape.of.includes(value) ? [] : expected(`one of ${quoted(shape.of)}`)
    case "integer":
      return Number.isInteger(value) && Number(value) >= shape.min && Number(value) <= shape.max
        ? []
        : expected(`a whole number from ${shape.min} to ${shape.max}`)
    case "flag":
      return typeof value === "boolean" ? [] : expected("true or false")
    case "list":
      if (!Array.isArray(value)) return expected("a list in [ ]")
      return [
        ...(value.length > shape.max ? expected(`at most ${shape.max} entries`) : []),
        ...value.flatMap((item: unknown, at) => checkShape(shape.of, item, pointerTo(pointer, at))),
      ]
    case "record":
      return isObject(value) ? checkFields(shape, value, pointer) : expected("an object in { }")
    case "map":
      return isObject(value) ? checkMap(shape, value, pointer) : expected("an object in { }")
    case "data":
      return isObject(value) ? [] : expected("an object in { }")
    case "schema":
      return isObject(value) || typeof value === "boolean" ? [] : expected("a JSON Schema: an object, true or false")
    case "any":
      return []
    case "variants":
      return isObject(value) ? checkVariants(shape, value, pointer) : expected(shape.what)
    case "named":
      return checkShape(shape.shape(), value, pointer)
  }
}

function checkFields(
  { fields }: RecordShape,
  value: Readonly<Record<string, unknown>>,
  pointer: string,
): readonly ManifestProblem[] {
  const missing = Object.entries(fields)
    .filter(([name, { required }]) => required && !Object.hasOwn(value, name))
    .map(([name, { description }]) => ({
      pointer: pointerTo(pointer, name),
      message: `expected the field "${name}", it is missing: ${description}`,
    }))
  const present = Object.entries(value).flatMap(([name, item]) => {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    const at = pointerTo(pointer, name)
    return field ? checkShape(field.shape, item, at) : [unknownField(name, Object.keys(fields), at)]
  })
  return [...missing, ...present]
}

function unknownField(name: string, known: readonly string[], pointer: string): ManifestProblem {
  if (EXECUTABLE.has(name))
    return {
      pointer,
      message: `expected no code, got the field "${name}": a package is data alone; name a template of the platform in "uses" instead`,
    }
  const near = closest(name, known)
  const remedy = near === undefined ? `remove it; there are ${known.join(", ")}` : `did you mean "${near}"?`
  return { pointer, message: `expected a field that there is, got "${name}"; ${remedy}` }
}

function checkMap(
  { keys, values, max }: Extract<Shape, { kind: "map" }>,
  value: Readonly<Record<string, unknown>>,
  pointer: string,
): readonly ManifestProblem[] {
  const entries = Object.entries(value)
  const count =
    entries.length > max ? [{ pointer, message: `expected at most ${max} entries, got ${entries.length}` }] : []
  const each = entries.flatMap(([key, item]) => {
    const at = pointerTo(pointer, key)
    const wrongKey = textFits(keys, key)
      ? []
      : [{ pointer: at, message: `expected ${textWanted(keys)} as the key, got ${describe(key)}` }]
    return [...wrongKey, ...checkShape(values, item, at)]
  })
  return [...count, ...each]
}

function checkVariants(
  { what, of }: VariantsShape,
  value: Readonly<Record<string, unknown>>,
  pointer: string,
): readonly ManifestProblem[] {
  const variant = of.find(({ fits }) => fits(value))
  if (variant) return checkFields(variant.shape, value, pointer)
  return [{ pointer, message: `expected ${what}, got an object with ${quoted(Object.keys(value)) || "nothing in it"}` }]
}

function textFits({ min, max, pattern }: TextShape, value: unknown): value is string {
  if (typeof value !== "string") return false
  // A character takes one or two units, so most texts need not be counted.
  if (value.length > max * 2) return false
  const length = value.length <= max && value.length >= min * 2 ? value.length : Array.from(value).length
  return length >= min && length <= max && (pattern === undefined || new RegExp(pattern, "u").test(value))
}

function textWanted({ what, min, max }: TextShape): string {
  return `${what} of ${min} to ${max} characters`
}

/** A JSON object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** What came, short enough for a message. */
export function describe(value: unknown): string {
  if (value === null) return "null"
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === "object") return "an object"
  const shown = JSON.stringify(value) ?? typeof value
  return shown.length <= 60 ? shown : `${shown.slice(0, 57)}…`
}

function quoted(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(", ")
}
