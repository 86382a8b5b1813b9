import { z } from "zod"
import { defineActionTemplate, defineHandlerTemplate } from "../../src/delivery/define-template.ts"
import type { Template } from "../../src/delivery/template.ts"
import type { Fleet } from "../../src/fleet.ts"
import type { JsonObject } from "../../src/signal/json.ts"
import type { PackageManifest } from "../../src/packages/manifest.ts"
import type { Database } from "../../src/store/database.ts"
import { tenantScope } from "../../src/store/tenant-scope.ts"
import { withinTenant } from "../../src/store/within-tenant.ts"

/** What the templates' code saw: one text for each run. */
export interface Seen {
  readonly templates: readonly Template[]
  readonly notes: string[]
}

/** Templates that note what they are run with. */
export function notingTemplates(): Seen {
  const notes: string[] = []
  const note = defineHandlerTemplate({
    name: "test.note",
    params: z.object({ text: z.string() }),
    run: ({ tenant, signal, params, package: { slug, version } }) => {
      notes.push(`${tenant} ${slug} ${version} ${signal.type}: ${params.text}`)
    },
  })
  const add = defineActionTemplate({
    name: "test.add",
    run: ({ input, config }) => {
      const { a, b } = input as { readonly a: number; readonly b: number }
      return { sum: a + b, by: config["label"] ?? null }
    },
  })
  return { templates: [note, add], notes }
}

const ABOUT = { description: "For tests.", category: "tests", publisher: "tests", license: "MIT" }

/** A package that others need. */
export const labels: PackageManifest = {
  ...ABOUT,
  slug: "labels",
  name: "Labels",
  version: "1.0.0",
  skills: [{ name: "name-labels", description: "Finds names for labels." }],
}

/** A package with one of everything, which needs labels. */
export const triage: PackageManifest = {
  ...ABOUT,
  slug: "triage",
  name: "Triage",
  version: "1.0.0",
  config: {
    type: "object",
    properties: { label: { type: "string", default: "bug" }, team: { type: "string" } },
    additionalProperties: false,
  },
  dependencies: { labels: "^1.0.0" },
  agents: [{ name: "triager", with: { prompt: "Label it ${config.label}." } }],
  workflows: [{ name: "weekly", description: "Tells what was labelled." }],
  schedules: [{ name: "monday", cron: "0 7 * * MON", emit: { type: "triage.week" } }],
  handlers: [{ name: "label", uses: "test.note", on: "issue.*", with: { text: "label ${config.label}" } }],
  actions: [
    {
      name: "add",
      uses: "test.add",
      params: { type: "object", properties: { a: { type: "number" }, b: { type: "number" } }, required: ["a", "b"] },
      result: { type: "object", properties: { sum: { type: "number" } }, required: ["sum"] },
    },
  ],
  signals: {
    emitted: [
      { type: "issue.labelled", version: 1, schema: { type: "object", properties: { label: { type: "string" } } } },
    ],
  },
}

/** The same a while later: the agent is another, the workflow has gone, a sensor and a handler came. */
export const triageNext: PackageManifest = {
  ...triage,
  version: "1.1.0",
  agents: [{ name: "triager", with: { prompt: "Label it ${config.label}, politely." } }],
  workflows: [],
  sensors: [{ name: "inbox", description: "Looks for issues." }],
  handlers: [
    { name: "label", uses: "test.note", on: "issue.*", with: { text: "politely label ${config.label}" } },
    { name: "close", uses: "test.note", on: "issue.closed", with: { text: "close" } },
  ],
  signals: {},
}

/** A package that needs a credential. */
export const reporter: PackageManifest = {
  ...ABOUT,
  slug: "reporter",
  name: "Reporter",
  version: "1.0.0",
  config: {
    type: "object",
    properties: { channel: { type: "string", minLength: 2 } },
    required: ["channel"],
    additionalProperties: false,
  },
  credentials: [{ name: "chat", provider: "slack", kind: "api_key", why: "to post reports" }],
  handlers: [
    {
      name: "post",
      uses: "test.note",
      on: "report.ready",
      with: { text: "to ${config.channel}" },
      credentials: ["chat"],
    },
  ],
}

/** Publishes them. */
export async function publishAll(fleet: Fleet, manifests: readonly PackageManifest[]): Promise<void> {
  for (const manifest of manifests) await fleet.packages.publish(manifest)
}

/** Tables that tell what happened rather than what is. */
const HISTORY = new Set([
  "signals",
  "effects",
  "attempts",
  "directives",
  "directive_steps",
  "audit_log",
  "audit_heads",
  "expired_keys",
])

/** All that a tenant has but its history, as text: tables of its schema and its rows of what runs. */
export async function dumpOf(database: Database, slug: string): Promise<string> {
  const scope = tenantScope(slug)
  return withinTenant(database, scope, async (tx) => {
    const tables = await tx.query<{ name: string }>(
      `select c.relname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       where n.nspname = $1 and c.relkind = 'r' order by 1`,
      [`org_${slug}`],
    )
    const names = tables.map(({ name }) => name).filter((name) => !HISTORY.has(name))
    const dumped: [string, JsonObject][] = []
    for (const [name, table] of [
      ...names.map((each) => [each, `${scope.schema}.${each}`] as const),
      ["bindings", "fleetprompt.bindings"] as const,
      ["pauses", "fleetprompt.pauses"] as const,
    ]) {
      const where = name === "installations" ? `and status <> 'failed'` : ""
      const [row] = await tx.query<{ rows: JsonObject }>(
        `select coalesce(jsonb_agg(to_jsonb(t) order by to_jsonb(t)::text), '[]') as rows from ${table} as t where tenant = $1 ${where}`,
        [slug],
      )
      dumped.push([name, row?.rows ?? {}])
    }
    return JSON.stringify(dumped, null, 1)
  })
}
