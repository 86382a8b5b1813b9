import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { apiRoutes } from "./api-routes.ts"
import { type OpenApiDocument, openApiDocument, openApiText } from "./openapi.ts"
import { referencePage } from "./reference-page.ts"

const document = openApiDocument(apiRoutes)

function operationsOf({ paths }: OpenApiDocument) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
}

test("the document in docs/ is that of the routes", () => {
  const written = readFileSync(new URL("../../docs/reference/openapi.json", import.meta.url), "utf8")
  // Write it anew with `npm run openapi`.
  expect(JSON.parse(written)).toEqual(JSON.parse(openApiText(apiRoutes)))
})

test("each operation has a name of its own, and every parameter of a path is described", () => {
  const operations = operationsOf(document)
  const names = operations.map(({ operation }) => operation.operationId)
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBe(apiRoutes.length)
  for (const { path, operation } of operations) {
    const placed = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const described = operation.parameters.filter((each) => each.in === "path")
    expect({ path, names: described.map(({ name }) => name) }).toEqual({ path, names: placed })
    expect(described.every(({ required }) => required)).toBe(true)
    expect(operation.parameters.filter(({ description }) => !description)).toEqual([])
  }
})

test("every reference leads to a schema, and every route says how it is refused", () => {
  const names = Object.keys(document.components.schemas)
  const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name)
  expect(references.filter((name) => !names.includes(name ?? ""))).toEqual([])
  expect(names).toContain("Problem")
  for (const { path, operation } of operationsOf(document))
    expect({ path, statuses: Object.keys(operation.responses) }).toEqual({
      path,
      statuses: expect.arrayContaining(["401", "403", "404", "429", "503"]),
    })
})

test("numbers of a query keep their bounds", () => {
  const { parameters = [] } = document.paths["/v1/signals"]?.["get"] ?? {}
  expect(parameters.find(({ name }) => name === "limit")).toEqual({
    name: "limit",
    in: "query",
    required: false,
    description: "How many, 1 to 500. Default 100.",
    schema: { type: "integer", minimum: 1, maximum: 500 },
  })
})

test("the page shows every operation and every schema, and links them", () => {
  const page = referencePage(document)
  for (const { operation } of operationsOf(document)) expect(page).toContain(`id="${operation.operationId}"`)
  expect(page).toContain('<a href="#schema-SignalPage">')
  expect(page).not.toMatch(/<script|style="/)
})
