import { Hono } from "hono"
import { etag } from "hono/etag"
import { openApiDocument, openApiText } from "./openapi.ts"
import { open } from "./permit.ts"
import { REFERENCE_STYLE, referencePage } from "./reference-page.ts"
import type { Route } from "./route.ts"

/** `/openapi.json`, and the same as a page at `/reference`. Made at the first request. */
export function referenceRoutes(described: readonly Route[]): Hono {
  const app = new Hono()
  const anybody = open("tells how to ask, the same to everybody")
  const text = once(() => openApiText(described))
  const page = once(() => referencePage(openApiDocument(described)))
  // Who has it already is told so.
  const kept = etag()
  app.get("/openapi.json", anybody, kept, (context) => context.body(text(), 200, headersOf("application/json")))
  app.get("/reference", anybody, kept, (context) => context.body(page(), 200, headersOf("text/html; charset=utf-8")))
  app.get("/reference.css", anybody, kept, (context) => context.body(REFERENCE_STYLE, 200, headersOf("text/css")))
  return app
}

function headersOf(type: string): Record<string, string> {
  return { "content-type": type, "cache-control": "no-cache" }
}

function once<Result>(make: () => Result): () => Result {
  let made: { readonly value: Result } | undefined
  return () => (made ??= { value: make() }).value
}
