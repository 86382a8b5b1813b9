import type { z } from "zod"
import { type ErrorCode, errorTable } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import { release } from "../store/sql.ts"
import { type JsonSchemas, jsonSchemas } from "./json-schemas.ts"
import { type Answers, type OtherMedia, type Route, TAGS } from "./route.ts"
import { problem } from "./schemas/problem-schema.ts"

/** What may come of each route: who calls, where their tenant is, and whether the database answers. */
const COMMON: readonly ErrorCode[] = [
  "unauthenticated",
  "forbidden",
  "not_found",
  "rate_limited",
  "tenant_unknown",
  "tenant_suspended",
  "tenant_behind",
  "tenant_ahead",
  "tenant_moving",
  "database_busy",
  "database_connection_lost",
  "database_full",
  "database_unreachable",
  "fleet_stopped",
]

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly openapi: "3.1.0"
  readonly info: JsonObject
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonObject>>; readonly securitySchemes: JsonObject }
  readonly tags: readonly { readonly name: string }[]
}

/** What the document says of a route. */
export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  /** What the table of policies is asked. */
  readonly "x-permission"?: string
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>
}

/** A parameter of an operation. */
export interface Parameter {
  readonly name: string
  readonly in: "path" | "query" | "header"
  readonly required: boolean
  readonly description?: string
  readonly schema: JsonObject
}

type Content = Readonly<Record<string, { readonly schema?: JsonObject }>>

/** The document of some routes. */
export function openApiDocument(routes: readonly Route[]): OpenApiDocument {
  const schemas = jsonSchemas("#/components/schemas/")
  const paths: Record<string, Record<string, Operation>> = {}
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}")
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, schemas) }
  }
  return {
    openapi: "3.1.0",
    info: { title: "FleetPrompt", version: release, license: { name: "MIT", identifier: "MIT" } },
    paths,
    components: {
      schemas: schemas.named(),
      securitySchemes: { apiKey: { type: "http", scheme: "bearer", description: "An API key, `fp_…`." } },
    },
    tags: TAGS.filter((tag) => routes.some((route) => route.tag === tag)).map((name) => ({ name })),
  }
}

function operationOf(route: Route, schemas: JsonSchemas): Operation & JsonObject {
  const { name, tag, summary, access } = route
  const requestBody = bodyOf(route, schemas)
  const described = {
    operationId: name,
    tags: [tag],
    summary,
    ...(access.kind === "permission" && { "x-permission": access.permission }),
    security: [{ apiKey: [] }],
    parameters: parametersOf(route, schemas),
    ...(requestBody && { requestBody }),
    responses: { ...answersOf(route.answers, schemas), ...problemsOf(route, schemas) },
  }
  // All of it is JSON; that interfaces are, a type cannot say.
  return described as unknown as Operation & JsonObject
}

function parametersOf({ params, query, headers = {} }: Route, schemas: JsonSchemas): readonly Parameter[] {
  const texts = Object.entries(headers).map(([name, description]) => ({
    name,
    in: "header" as const,
    required: false,
    description,
    schema: { type: "string" },
  }))
  return [...fieldsOf("path", params, schemas), ...fieldsOf("query", query, schemas), ...texts]
}

function fieldsOf(
  place: "path" | "query",
  schema: z.ZodObject | undefined,
  schemas: JsonSchemas,
): readonly Parameter[] {
  const { properties = {}, required = [] } = (schema ? schemas.of(schema) : {}) as {
    readonly properties?: Readonly<Record<string, JsonObject>>
    readonly required?: readonly string[]
    // The schema of an object.
  }
  return Object.entries(properties).map(([name, { description, ...field }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(typeof description === "string" && { description }),
    schema: field,
  }))
}

function bodyOf({ body, otherBody = [] }: Route, schemas: JsonSchemas): Operation["requestBody"] {
  if (!body) return otherBody.length > 0 ? { required: true, content: contentOf(otherBody) } : undefined
  const content = { "application/json": { schema: schemas.of(body) } }
  return { required: !body.safeParse({}).success, content }
}

function contentOf(media: readonly OtherMedia[]): Content {
  return Object.fromEntries(media.map(({ mediaType, description }) => [mediaType, { schema: { description } }]))
}

function answersOf(answers: Answers, schemas: JsonSchemas): Operation["responses"] {
  return Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => {
      if (answer === null) return [status, { description: "Done." }]
      if ("mediaType" in answer) return [status, { description: answer.description, content: contentOf([answer]) }]
      return [
        status,
        { description: MEANINGS[status] ?? "", content: { "application/json": { schema: schemas.of(answer) } } },
      ]
    }),
  )
}

const MEANINGS: Readonly<Record<string, string>> = {
  "200": "What was asked for.",
  "201": "What was made.",
  "202": "What was begun; `Location` tells where to look.",
}

/** Codes by the status that they are answered with. */
function problemsOf(route: Route, schemas: JsonSchemas): Operation["responses"] {
  const content = { "application/problem+json": { schema: schemas.of(problem) } }
  const codes = codesOf(route)
  const statuses = new Set(codes.map((code) => errorTable[code].status))
  return Object.fromEntries(
    [...statuses].toSorted().map((status) => [
      status,
      {
        description: codes
          .filter((code) => errorTable[code].status === status)
          .map(meaningOf)
          .join("\n\n"),
        content,
      },
    ]),
  )
}

function meaningOf(code: ErrorCode): string {
  return `\`${code}\`: ${errorTable[code].meaning}`
}

function codesOf({ body, query, otherBody, refusedAs = "request_invalid", fieldsRefusedAs = {}, errors = [] }: Route) {
  const ofBody = [...(body ? [refusedAs] : []), ...Object.values(fieldsRefusedAs)]
  const ofReading: readonly ErrorCode[] = body || otherBody ? ["body_malformed", "body_too_large"] : []
  const ofQuery: readonly ErrorCode[] = query ? ["query_invalid"] : []
  return [...new Set<ErrorCode>([...ofBody, ...ofReading, ...ofQuery, ...errors, ...COMMON])]
}

/** The document as text. */
export function openApiText(routes: readonly Route[]): string {
  return `${JSON.stringify(openApiDocument(routes), null, 2)}\n`
}
