import { z } from "zod"
import type { JsonObject } from "../signal/json.ts"
import { schemaNotes } from "./schemas/fields.ts"

/** Schemas as JSON Schema (2020-12, as OpenAPI 3.1 has it), with those that have names gathered. */
export interface JsonSchemas {
  /** A schema; what has a name is a reference to it. */
  readonly of: (schema: z.ZodType) => JsonObject
  /** Those with names that were met so far, by name. */
  readonly named: () => Readonly<Record<string, JsonObject>>
}

/** @param base where the named ones will stand: `#/components/schemas/` */
export function jsonSchemas(base: string): JsonSchemas {
  const found = new Map<string, JsonObject>()
  return Object.freeze({
    of: (schema: z.ZodType) => {
      const { properties, $defs = {} } = convert(schema, base)
      for (const [name, definition] of Object.entries($defs)) found.set(name, definition)
      return properties.it
    },
    named: () => Object.fromEntries([...found].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  })
}

interface Converted {
  readonly properties: { readonly it: JsonObject }
  readonly $defs?: Readonly<Record<string, JsonObject>>
}

/** Within an object, so that a schema that has a name itself becomes a reference too. */
function convert(schema: z.ZodType, base: string): Converted {
  const made = z.toJSONSchema(z.object({ it: schema }), { io: "input", metadata: schemaNotes, unrepresentable: "any" })
  // zod answers with JSON, of an object with the one property.
  return JSON.parse(JSON.stringify(made).replaceAll('"#/$defs/', `"${base}`)) as Converted
}
