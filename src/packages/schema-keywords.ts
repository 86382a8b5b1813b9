/** What stands behind a keyword of JSON Schema. */
export type KeywordValue =
  | "schema"
  | "schemas"
  | "schema map"
  | "pattern map"
  | "number"
  | "positive"
  | "count"
  | "flag"
  | "text"
  | "texts"
  | "text lists"
  | "values"
  | "any"
  | "type"
  | "pattern"
  | "format"
  | "ref"
  | "dialect"

/** The one dialect. */
export const DIALECT = "https://json-schema.org/draft/2020-12/schema"

export const TYPES: readonly string[] = ["string", "number", "integer", "boolean", "object", "array", "null"]

/** Formats that are checked in time proportional to the text. */
export const FORMATS: readonly string[] = [
  "date",
  "time",
  "date-time",
  "duration",
  "email",
  "hostname",
  "ipv4",
  "ipv6",
  "uri",
  "uri-reference",
  "uuid",
  "json-pointer",
]

/**
 * The keywords of draft 2020-12 that a package may use. Left out is what reaches beyond the schema itself or makes it
 * endless: `$id`, anchors, dynamic references. Besides these, keywords that begin with `x-` may hold a scalar.
 */
export const KEYWORDS: Readonly<Record<string, KeywordValue>> = {
  $schema: "dialect",
  $ref: "ref",
  $defs: "schema map",
  $comment: "text",
  title: "text",
  description: "text",
  default: "any",
  examples: "values",
  deprecated: "flag",
  readOnly: "flag",
  writeOnly: "flag",
  type: "type",
  enum: "values",
  const: "any",
  multipleOf: "positive",
  minimum: "number",
  maximum: "number",
  exclusiveMinimum: "number",
  exclusiveMaximum: "number",
  minLength: "count",
  maxLength: "count",
  pattern: "pattern",
  format: "format",
  items: "schema",
  prefixItems: "schemas",
  contains: "schema",
  minContains: "count",
  maxContains: "count",
  minItems: "count",
  maxItems: "count",
  uniqueItems: "flag",
  unevaluatedItems: "schema",
  properties: "schema map",
  patternProperties: "pattern map",
  additionalProperties: "schema",
  unevaluatedProperties: "schema",
  propertyNames: "schema",
  required: "texts",
  dependentRequired: "text lists",
  dependentSchemas: "schema map",
  minProperties: "count",
  maxProperties: "count",
  allOf: "schemas",
  anyOf: "schemas",
  oneOf: "schemas",
  not: "schema",
  // Not written as a key, since an object with a method of this name is taken for a promise.
  ...Object.fromEntries(["if", "then", "else"].map((keyword) => [keyword, "schema"] as const)),
}

/** Keywords that say nothing about which values fit. */
export const ANNOTATIONS: ReadonlySet<string> = new Set([
  "$schema",
  "$comment",
  "$defs",
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
])
