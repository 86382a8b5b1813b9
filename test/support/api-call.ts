import fc from "fast-check"
import type { OpenApiDocument, Operation } from "../../src/server/openapi.ts"
import { anything, fitting, type JsonSchema, type Known } from "./schema-arbitrary.ts"

/** Texts by name; one that may be left out is not there. */
type Texts = Readonly<Record<string, string | undefined>>

/** A request that was made up from the document. */
export interface ApiCall {
  readonly method: string
  /** As the document names it: `/v1/signals/{id}`. */
  readonly route: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** Requests to any operation of a document: most fit it, some do not. */
export function anApiCall(
  { paths, components: { schemas } }: OpenApiDocument,
  known: Omit<Known, "schemas">,
): fc.Arbitrary<ApiCall> {
  const operations = Object.entries(paths).flatMap(([route, methods]) =>
    Object.entries(methods).map(([method, operation]) => toOperation(route, method, operation, { ...known, schemas })),
  )
  return fc.oneof(...operations)
}

function toOperation(route: string, method: string, operation: Operation, known: Known): fc.Arbitrary<ApiCall> {
  const placed = (place: string) => operation.parameters.filter((each) => each.in === place)
  const named = (place: string, isRequired: boolean) =>
    fc.record(
      Object.fromEntries(placed(place).map(({ name, schema }) => [name, textOf(schema, known)])),
      isRequired ? {} : { requiredKeys: [] },
    )
  return fc
    .record({
      path: named("path", true),
      query: named("query", false),
      headers: named("header", false),
      body: someBody(operation, known),
    })
    .map(({ path, query, headers, body }) => ({
      method: method.toUpperCase(),
      route,
      target: targetOf(route, path, query),
      headers: { ...headersOf(headers), ...(body && { "content-type": body.type }) },
      body: body?.text,
    }))
}

function textOf(schema: JsonSchema, known: Known): fc.Arbitrary<string> {
  return fc.oneof({ weight: 5, arbitrary: fitting(schema, known).map(String) }, fc.string({ maxLength: 20 }))
}

interface Body {
  readonly type: string
  readonly text: string
}

function someBody({ requestBody }: Operation, known: Known): fc.Arbitrary<Body | undefined> {
  if (!requestBody) return fc.constant(undefined)
  const media = Object.entries(requestBody.content).map(([type, { schema = {} }]) =>
    fc
      .oneof({ weight: 6, arbitrary: fitting(schema, known) }, anything)
      .map((value): Body => ({ type, text: JSON.stringify(value) })),
  )
  const broken = fc.constantFrom<Body | undefined>(undefined, { type: "application/json", text: "{" })
  return fc.oneof({ weight: 12, arbitrary: fc.oneof(...media) }, broken)
}

function targetOf(route: string, path: Texts, query: Texts): string {
  const filled = route.replaceAll(/\{(\w+)\}/g, (_, name: string) => encoded(path[name] ?? "") || "-")
  const asked = Object.entries(query).map(([name, value = ""]) => `${name}=${encoded(value)}`)
  return asked.length === 0 ? filled : `${filled}?${asked.join("&")}`
}

/** A path of dots alone would lead elsewhere. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(/^\.+$/g, "-")
}

/** What no header can carry is left out. */
function headersOf(headers: Texts): Readonly<Record<string, string>> {
  const found = Object.entries(headers).flatMap(([name, value]) =>
    value !== undefined && /^[\u0020-\u007E]*$/.test(value) ? [[name, value] as const] : [],
  )
  return Object.fromEntries(found)
}
