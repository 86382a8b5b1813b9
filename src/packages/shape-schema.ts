import type { JsonObject, JsonValue } from "../signal/json.ts"
import type { RecordShape, Shape } from "./shape.ts"

/**
 * A shape as a JSON Schema, draft 2020-12.
 *
 * @param defs is filled with the shapes that have a name.
 */
export function schemaOf(shape: Shape, defs: Map<string, JsonObject>): JsonObject {
  switch (shape.kind) {
    case "text":
      return {
        type: "string",
        minLength: shape.min,
        maxLength: shape.max,
        ...(shape.pattern !== undefined && { pattern: shape.pattern }),
      }
    case "choice":
      return { type: "string", enum: shape.of }
    case "integer":
      return { type: "integer", minimum: shape.min, maximum: shape.max }
    case "flag":
      return { type: "boolean" }
    case "list":
      return { type: "array", maxItems: shape.max, items: schemaOf(shape.of, defs) }
    case "record":
      return recordSchema(shape, defs)
    case "map":
      return {
        type: "object",
        maxProperties: shape.max,
        propertyNames: schemaOf(shape.keys, defs),
        additionalProperties: schemaOf(shape.values, defs),
      }
    case "data":
      return { type: "object" }
    case "schema":
      return { type: ["object", "boolean"] }
    case "any":
      return {}
    case "variants":
      return { anyOf: shape.of.map((variant) => recordSchema(variant.shape, defs)) }
    case "named":
      return named(shape, defs)
  }
}

function named({ name, shape }: Extract<Shape, { kind: "named" }>, defs: Map<string, JsonObject>): JsonObject {
  if (!defs.has(name)) {
    // Taken first, since the shape may hold itself.
    defs.set(name, {})
    defs.set(name, schemaOf(shape(), defs))
  }
  return { $ref: `#/$defs/${name}` }
}

function recordSchema({ fields }: RecordShape, defs: Map<string, JsonObject>): JsonObject {
  const entries = Object.entries(fields)
  const properties: Record<string, JsonValue> = {}
  for (const [name, { shape, description }] of entries) properties[name] = { ...schemaOf(shape, defs), description }
  return {
    type: "object",
    additionalProperties: false,
    required: entries.filter(([, { required }]) => required).map(([name]) => name),
    properties,
  }
}
