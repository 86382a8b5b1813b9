import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { applyConfig } from "fleetprompt"
import { expect, test } from "vitest"
import { systemsAt } from "./fakes/systems.ts"
import { EXAMPLE_PACKAGES, readManifest, readManifests } from "./manifests.ts"
import { exampleTemplates } from "./templates.ts"

const nowhere = "http://127.0.0.1:9"
const templates = exampleTemplates(systemsAt({ github: nowhere, mls: nowhere, property: nowhere, slack: nowhere }))
const manifests = await readManifests()

test.each(EXAMPLE_PACKAGES)("%s is a good manifest under its own name, and runs with its defaults", async (slug) => {
  const manifest = await readManifest(slug)
  expect(manifest.slug).toBe(slug)
  expect(applyConfig(manifest, {})).toMatchObject({ kind: "fits" })
})

test("packages name templates that there are, and every template is named", () => {
  const named = manifests.flatMap(({ handlers = [], actions = [] }) => [
    ...handlers.map(({ uses }) => `handler ${uses}`),
    ...actions.map(({ uses }) => `action ${uses}`),
  ])
  expect([...new Set(named)].toSorted()).toEqual(templates.map(({ kind, name }) => `${kind} ${name}`).toSorted())
})

test("what one package consumes of another, that one says it emits", () => {
  const emitted = new Set(manifests.flatMap(({ signals }) => signals?.emitted ?? []).map(({ type }) => type))
  const outside = /^(github\.|lead\.received$|property\.research\.requested$)/
  const consumed = manifests.flatMap(({ signals }) => signals?.consumed ?? []).map(({ type }) => type)
  expect(consumed.filter((type) => !emitted.has(type) && !outside.test(type))).toEqual([])
})

test("the examples use the platform as anybody does: through its doors", () => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })
  const code = files.filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
  expect(code.length).toBeGreaterThan(20)
  const inner = code.filter((name) => /from "[^"]*\/src\//.test(readFileSync(join(import.meta.dirname, name), "utf8")))
  expect(inner).toEqual([])
})
