import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, describe, expect, test } from "vitest"
import { testDirectory } from "../../test/support/dev-process.ts"
import { fullManifest, sampleManifest } from "../../test/support/sample-manifest.ts"
import type { PackageManifest } from "../packages/manifest.ts"
import type { CommandContext } from "./command-context.ts"
import { diffPackages, listAll, publishFile, showPackage, validatePackage } from "./packages.ts"

afterEach(() => {
  process.exitCode = undefined
})

function printing(): { readonly context: CommandContext; readonly text: () => string } {
  const lines: string[] = []
  const context: CommandContext = {
    environment: { databaseUrl: undefined, listenUrl: undefined, metricsToken: undefined, githubSecret: undefined },
    terminal: { line: (text) => void lines.push(text), progress: () => {} },
    output: (text) => void lines.push(text),
    stop: new AbortController().signal,
  }
  return { context, text: () => lines.splice(0).join("\n") }
}

async function files(
  manifests: Readonly<Record<string, unknown>>,
): Promise<{ readonly directory: string; readonly at: (name: string) => string }> {
  const directory = await testDirectory()
  const at = (name: string): string => join(directory, name)
  for (const [name, manifest] of Object.entries(manifests))
    await writeFile(at(name), typeof manifest === "string" ? manifest : JSON.stringify(manifest))
  return { directory, at }
}

const plain = { json: false } as const
const json = { json: true } as const

describe("validate", () => {
  test("says ok and the checksum", async () => {
    const { at } = await files({ "a.json": fullManifest() })
    const { context, text } = printing()
    await validatePackage(at("a.json"), plain, context)
    expect(text()).toMatch(/^ok {2}hot-leads 1\.0\.0 {2}sha256:[0-9a-f]{64}$/)
    expect(process.exitCode).toBeUndefined()
  })

  test("says each problem with its place, and ends with 1", async () => {
    const { at } = await files({ "a.json": { ...sampleManifest(), scripts: {}, version: "1" } })
    const { context, text } = printing()
    await validatePackage(at("a.json"), plain, context)
    expect(text()).toMatch(
      /a\.json has 2 problems:\n {2}\/version\n {4}expected .*\n {2}\/scripts\n {4}expected no code/,
    )
    expect(process.exitCode).toBe(1)
    await validatePackage(at("a.json"), json, context)
    expect(JSON.parse(text())).toMatchObject({
      ok: false,
      problems: [{ pointer: "/version" }, { pointer: "/scripts" }],
    })
  })

  test("reads a module's default export, and tells what is no manifest at all", async () => {
    const { at } = await files({ "a.mjs": `export default ${JSON.stringify(sampleManifest())}`, "b.json": "{" })
    const { context, text } = printing()
    await validatePackage(at("a.mjs"), plain, context)
    expect(text()).toContain("ok  hot-leads 1.0.0")
    await expect(validatePackage(at("b.json"), plain, context)).rejects.toMatchObject({ code: "package_invalid" })
    await expect(validatePackage(at("none.json"), plain, context)).rejects.toMatchObject({ code: "config_invalid" })
  })
})

test("publish, list, show and diff work on one catalogue", async () => {
  const next: PackageManifest = sampleManifest({
    version: "2.0.0",
    signals: { consumed: [{ type: "lead.scored", version: 1 }] },
  })
  const { directory, at } = await files({
    "one.json": sampleManifest({ signals: { consumed: [{ type: "lead.qualified", version: 1 }] } }),
    "two.json": next,
  })
  const options = { ...plain, dataDirectory: join(directory, "data") }
  const { context, text } = printing()
  await publishFile(at("one.json"), { ...options, by: "ada" }, context)
  expect(text()).toMatch(/^published {2}hot-leads 1\.0\.0 {2}sha256:/m)
  await publishFile(at("one.json"), options, context)
  expect(text()).toMatch(/^unchanged {2}hot-leads 1\.0\.0/m)
  await listAll({ ...options, search: "lead" }, context)
  expect(text()).toMatch(/hot-leads +1\.0\.0 +sales +acme +0 +none yet/)
  await showPackage("hot-leads", options, context)
  expect(text()).toContain("Hot leads (hot-leads 1.0.0) by acme, MIT")
  await diffPackages("hot-leads@1.0.0", at("two.json"), options, context)
  expect(
    text()
      .split("\n")
      .filter((line) => line !== ""),
  ).toEqual([
    "hot-leads 1.0.0 > 2.0.0: BREAKING",
    "signals",
    "  - consumed lead.qualified: BREAKING",
    "  + consumed lead.scored",
  ])
  expect(process.exitCode).toBe(1)
  process.exitCode = undefined
  await diffPackages("hot-leads@latest", at("one.json"), { ...options, json: true }, context)
  expect(JSON.parse(text())).toMatchObject({ isBreaking: false, parts: [] })
  expect(process.exitCode).toBeUndefined()
  await expect(showPackage("nothing", options, context)).rejects.toMatchObject({ code: "package_unknown" })
})
