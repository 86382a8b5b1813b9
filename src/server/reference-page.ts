import type { OpenApiDocument, Operation } from "./openapi.ts"

/** The API's reference as a page that needs no script. */
export function referencePage({ paths, tags, info, components }: OpenApiDocument): string {
  const sections = tags.map(({ name }) => section(name, operationsOf(paths, name)))
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${escape(name)}"><summary>${escape(name)}</summary>${code(schema)}</details>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>FleetPrompt API</title>
<link rel="stylesheet" href="/reference.css">
</head>
<body>
<header>
<h1>FleetPrompt API ${escape(String(info["version"]))}</h1>
<p>The same as a document for programs: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1). Send an API key as <code>authorization: Bearer fp_…</code>.</p>
<nav aria-label="Groups"><ul>${tags.map(({ name }) => `<li><a href="#${idOf(name)}">${escape(name)}</a></li>`).join("")}</ul></nav>
</header>
<main>
${sections.join("\n")}
<section id="schemas"><h2>Schemas</h2>${schemas.join("\n")}</section>
</main>
</body>
</html>
`
}

/** How the page looks. */
export const REFERENCE_STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; list-style: none; padding: 0; }
details { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 0.4rem; margin: 0.4rem 0; padding: 0.4rem 0.8rem; }
summary { cursor: pointer; }
pre { overflow-x: auto; font-size: 0.85rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 0.8rem 0.2rem 0; }
td { overflow-wrap: anywhere; white-space: pre-line; }
`

interface Placed {
  readonly method: string
  readonly path: string
  readonly operation: Operation
}

function operationsOf(paths: OpenApiDocument["paths"], tag: string): readonly Placed[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { tags }]) => tags.includes(tag))
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
}

function section(tag: string, operations: readonly Placed[]): string {
  return `<section id="${idOf(tag)}"><h2>${escape(tag)}</h2>\n${operations.map(described).join("\n")}</section>`
}

function described({ method, path, operation }: Placed): string {
  const { operationId, summary, parameters, requestBody, responses } = operation
  const rows = parameters.map(({ name, in: place, description = "" }) => [name, place, description])
  const answers = Object.entries(responses).map(([status, { description }]) => [status, description])
  const permission = operation["x-permission"]
  return `<details id="${escape(operationId)}"><summary><code>${method} ${escape(path)}</code> ${escape(summary)}</summary>
${permission === undefined ? "" : `<p>Needs <code>${escape(permission)}</code>.</p>`}
${rows.length === 0 ? "" : table(["Parameter", "In", "Meaning"], rows)}
${
  requestBody
    ? `<h3>Body</h3>${Object.entries(requestBody.content)
        .map(([type, { schema }]) => `<p>${escape(type)}</p>${code(schema)}`)
        .join("")}`
    : ""
}
${table(["Status", "Meaning"], answers)}
${Object.values(responses)
  .slice(0, 1)
  .map(({ content = {} }) =>
    Object.values(content)
      .map(({ schema }) => code(schema))
      .join(""),
  )
  .join("")}</details>`
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((text) => `<th scope="col">${text}</th>`).join("")
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${escape(cell)}</td>`).join("")}</tr>`).join("")
  return `<table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`
}

/** JSON, with links to the schemas that it refers to. */
function code(value: unknown): string {
  const text = escape(JSON.stringify(value, null, 2))
  const linked = text.replaceAll(/#\/components\/schemas\/(\w+)/g, '<a href="#schema-$1">$1</a>')
  return `<pre><code>${linked}</code></pre>`
}

function idOf(tag: string): string {
  return tag.toLowerCase().replaceAll(" ", "-")
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
}
