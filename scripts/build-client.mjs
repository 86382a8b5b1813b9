// Turns docs/reference/openapi.json into src/client/operations.ts: the operations of the API and the types of what they
// take and answer. `node scripts/build-client.mjs` writes it; `--check` fails when it is out of date.
import { readFile, writeFile } from "node:fs/promises"

const source = new URL("../docs/reference/openapi.json", import.meta.url)
const target = new URL("../src/client/operations.ts", import.meta.url)

/** A JSON Schema as a type of TypeScript. */
function typeOf(schema, indent) {
  if (schema.$ref) return schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1)
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ")
  const choices =
    schema.anyOf ?? (Array.isArray(schema.type) ? schema.type.map((type) => ({ ...schema, type })) : undefined)
  if (choices) return choices.map((each) => typeOf(each, indent)).join(" | ")
  if (schema.type === "array") {
    const item = typeOf(schema.items ?? {}, indent)
    return /^\w+$/.test(item) ? `readonly ${item}[]` : `readonly (${item})[]`
  }
  if (schema.type === "object") return objectType(schema, indent)
  return (
    { string: "string", integer: "number", number: "number", boolean: "boolean", null: "null" }[schema.type] ??
    "unknown"
  )
}

function objectType({ properties, required = [], additionalProperties }, indent) {
  if (!properties) return `Readonly<Record<string, ${typeOf(additionalProperties ?? {}, indent)}>>`
  const inner = `${indent}  `
  const fields = Object.entries(properties).map(([name, each]) => {
    const description = each.description ?? each.anyOf?.[0]?.description
    const note = description ? `${inner}/** ${description} */\n` : ""
    return `${note}${inner}readonly ${name}${required.includes(name) ? "" : "?"}: ${typeOf(each, inner)}\n`
  })
  return fields.length === 0 ? "Readonly<Record<string, never>>" : `{\n${fields.join("")}${indent}}`
}

function schemaText([name, schema]) {
  const type = typeOf(schema, "")
  const note = `/** ${schema.description ?? `\`${name}\` of the API.`} */\n`
  return type.startsWith("{") ? `${note}export interface ${name} ${type}\n` : `${note}export type ${name} = ${type}\n`
}

function fieldsOf(operation, place) {
  const found = operation.parameters.filter((each) => each.in === place)
  const properties = Object.fromEntries(
    found.map(({ name, schema, description }) => [
      name,
      place === "query" ? { ...asSaid(schema), description } : { ...schema, description },
    ]),
  )
  return { type: "object", properties, required: found.filter(({ required }) => required).map(({ name }) => name) }
}

/** True and false are texts in a query; who calls says them as they are. */
function asSaid(schema) {
  return schema.enum?.join() === "true,false" ? { type: "boolean" } : schema
}

function answerOf({ responses }) {
  const [, { content } = {}] = Object.entries(responses).find(([status]) => status.startsWith("2")) ?? []
  if (!content) return "void"
  const json = content["application/json"]
  return json ? typeOf(json.schema, "    ") : "Response"
}

function operationText({ operation }) {
  const parts = [`    readonly answer: ${answerOf(operation)}`]
  const path = fieldsOf(operation, "path")
  const query = fieldsOf(operation, "query")
  if (Object.keys(path.properties).length > 0) parts.unshift(`    readonly params: ${objectType(path, "    ")}`)
  if (Object.keys(query.properties).length > 0) parts.unshift(`    readonly query?: ${objectType(query, "    ")}`)
  const body = operation.requestBody
  const json = body?.content["application/json"]
  if (json?.schema.type || json?.schema.$ref)
    parts.unshift(`    readonly body${body.required ? "" : "?"}: ${typeOf(json.schema, "    ")}`)
  else if (body) parts.unshift("    readonly body: string\n    readonly contentType: string")
  return `  /** ${operation.summary} */\n  readonly ${operation.operationId}: {\n${parts.join("\n")}\n  }\n`
}

function rowText({ path, method, operation }) {
  const cursor = operation.parameters.find(
    ({ in: place, name }) => place === "query" && ["after", "before"].includes(name),
  )
  const hasKey = operation.parameters.some(({ name }) => name === "Idempotency-Key")
  const row = [method.toUpperCase(), path, cursor && operationPages(operation) ? cursor.name : null, hasKey]
  return `  ${operation.operationId}: ${JSON.stringify(row)},\n`
}

function operationPages({ responses }) {
  return JSON.stringify(responses["200"] ?? {}).includes("Page")
}

function moduleText({ paths, components: { schemas } }) {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  return `// Made from docs/reference/openapi.json by scripts/build-client.mjs. Edit the routes of src/server/.

${Object.entries(schemas).map(schemaText).join("\n")}
/** What each operation takes and answers, by its name. */
export interface ApiOperations {
${operations.map(operationText).join("")}}

/** Method, path, by which parameter its pages go on, and whether it takes an \`Idempotency-Key\`. */
export const operations: Readonly<
  Record<keyof ApiOperations, readonly [method: string, path: string, cursor: "after" | "before" | null, hasKey: boolean]>
> = {
${operations.map(rowText).join("")}}
`
}

const text = moduleText(JSON.parse(await readFile(source, "utf8")))
const current = await readFile(target, "utf8").catch(() => "")
if (process.argv.includes("--check") && text !== current) {
  console.error("src/client/operations.ts is out of date: run node scripts/build-client.mjs")
  process.exit(1)
}
if (text !== current) await writeFile(target, text)
