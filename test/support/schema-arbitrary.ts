import fc from "fast-check"

/** A JSON Schema as an OpenAPI document has it. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** What made-up values are taken from besides chance. */
export interface Known {
  /** Ids that something has. */
  readonly ids: readonly string[]
  /** Names that something has: handlers, slugs, types. */
  readonly names: readonly string[]
  /** Schemas by name. */
  readonly schemas: Readonly<Record<string, JsonSchema>>
}

/** Values that fit a schema, mostly. */
export function fitting(schema: JsonSchema, known: Known, depth = 0): fc.Arbitrary<unknown> {
  const { $ref, anyOf, enum: choices, const: only, type } = schema
  if (typeof $ref === "string") return fitting(known.schemas[nameOf($ref)] ?? {}, known, depth)
  if (Array.isArray(anyOf)) return fc.oneof(...anyOf.map((each: JsonSchema) => fitting(each, known, depth)))
  if (only !== undefined) return fc.constant(only)
  if (Array.isArray(choices)) return fc.constantFrom(...(choices as unknown[]))
  if (Array.isArray(type))
    return fc.oneof(...type.map((each: unknown) => fitting({ ...schema, type: each }, known, depth)))
  switch (type) {
    case "string":
      return someText(schema, known)
    case "integer":
      return fc.integer({ min: bound(schema, "minimum", 0), max: bound(schema, "maximum", 1_000) })
    case "number":
      return fc.double({ min: bound(schema, "minimum", 0), max: bound(schema, "maximum", 1e6), noNaN: true })
    case "boolean":
      return fc.boolean()
    case "null":
      return fc.constant(null)
    case "array":
      return fc.array(fitting((schema["items"] as JsonSchema | undefined) ?? {}, known, depth + 1), { maxLength: 3 })
    case "object":
      return someObject(schema, known, depth)
    default:
      return depth > 2 ? fc.constant(null) : fc.jsonValue({ maxDepth: 2 })
  }
}

function someText({ format, maxLength = 60 }: JsonSchema, { ids, names }: Known): fc.Arbitrary<string> {
  const anything = fc.string({ unit: "binary", maxLength: Math.min(Number(maxLength), 60) })
  if (format === "uuid") return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...ids) }, fc.uuid(), anything)
  if (format === "date-time")
    return fc.oneof(
      { weight: 4, arbitrary: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()) },
      anything,
    )
  return fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...names) }, fc.constantFrom(...ids), anything)
}

function someObject(schema: JsonSchema, known: Known, depth: number): fc.Arbitrary<object> {
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, JsonSchema>>
  const required = (schema["required"] ?? []) as readonly string[]
  const extra = schema["additionalProperties"]
  if (Object.keys(properties).length === 0 && typeof extra === "object" && extra !== null)
    return fc.dictionary(fc.string({ maxLength: 10 }), fitting(extra as JsonSchema, known, depth + 1), { maxKeys: 3 })
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, each]) => [name, fitting(each, known, depth + 1)]),
  )
  return fc.record(fields, { requiredKeys: [...required] })
}

function bound(schema: JsonSchema, name: string, otherwise: number): number {
  const value = schema[name]
  return typeof value === "number" && Math.abs(value) < 1e9 ? value : otherwise
}

/** `#/components/schemas/Signal` */
function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1)
}

/** Values that fit nothing in particular. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(null, "", 0, -1, 1e308, [], {}, [[]], { __proto__: null }, "\u0000", "\uD800"),
)
