import { Validator } from "@cfworker/json-schema"
import type { JsonObject, JsonValue } from "../../src/signal/json.ts"
import type { OpenApiDocument } from "../../src/server/openapi.ts"

/** An answer to be held against the document. */
export interface DocumentedAnswer {
  readonly method: string
  /** As the document names it. */
  readonly route: string
  readonly status: number
  readonly contentType: string | undefined
  readonly body: string
}

/** Says what is wrong with an answer; undefined when the document has it so. */
export type AnswerCheck = (answer: DocumentedAnswer) => string | undefined

/** Holds answers against a document: the status, the media type, every field. */
export function answerCheck(document: OpenApiDocument): AnswerCheck {
  const validators = new Map<string, Validator>()
  const validatorOf = (key: string, schema: JsonObject): Validator => {
    const known = validators.get(key)
    if (known) return known
    // The document is JSON; that interfaces are, a type cannot say.
    const components = document.components as unknown as JsonObject
    const made = new Validator(closed({ ...schema, components }) as object, "2020-12")
    validators.set(key, made)
    return made
  }
  return ({ method, route, status, contentType, body }) => {
    const described = document.paths[route]?.[method.toLowerCase()]?.responses[String(status)]
    if (!described) return `status ${status} is not documented`
    if (!described.content) return body === "" ? undefined : "a body where none is documented"
    const [type, media] = Object.entries(described.content).find(([type]) => contentType?.startsWith(type)) ?? []
    if (type === undefined) return `media type ${contentType} is not documented`
    if (!type.endsWith("json") || !media?.schema) return undefined
    const { valid, errors } = validatorOf(`${method} ${route} ${status}`, media.schema).validate(JSON.parse(body))
    return valid ? undefined : errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`).join("; ")
  }
}

/** The schema with no fields but those that it names, so that a field that nobody documented is found. */
function closed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== "object" || value === null) return value
  // What is no array is an object.
  const object = value as JsonObject
  const inner = Object.fromEntries(Object.entries(object).map(([key, each]) => [key, closed(each)]))
  const isOpen = typeof object["properties"] !== "object" || "additionalProperties" in object
  return isOpen ? inner : { ...inner, additionalProperties: false }
}
