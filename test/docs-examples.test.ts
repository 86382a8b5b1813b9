import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { format } from "node:util"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"

/**
 * Runs every block of the documentation that is marked "ts run", and compares what it prints with the
 * comments `// => …` behind its `console.log` calls, in order.
 */
const ROOT = join(import.meta.dirname, "..")
const FOLDER = join(import.meta.dirname, ".docs-examples")

interface Example {
  readonly name: string
  readonly file: string
  readonly code: string
}

const pages = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" }).map((name) => join("docs", name)),
].filter((name) => name.endsWith(".md"))
const examples = pages.flatMap(examplesOf)

function examplesOf(page: string): readonly Example[] {
  const text = readFileSync(join(ROOT, page), "utf8")
  return [...text.matchAll(/^```ts run\n([\s\S]*?)^```$/gm)].map(({ 1: code = "", index }) => {
    const line = text.slice(0, index).split("\n").length
    return { name: `${page}:${line}`, file: join(FOLDER, `${page.replaceAll(/\W/g, "-")}-${line}.ts`), code }
  })
}

beforeAll(() => {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER)
  // An import or export makes each file a module, so that top-level await and names of its own work.
  for (const { file, code } of examples) writeFileSync(file, `${code}\nexport {}\n`)
})
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }))

describe("the documentation's examples run and print what they say", () => {
  test.each(examples)("$name", async ({ file, code }) => {
    const printed: string[] = []
    const log = vi.spyOn(console, "log").mockImplementation((...args: unknown[]) => void printed.push(format(...args)))
    try {
      await import(/* @vite-ignore */ file)
    } finally {
      log.mockRestore()
    }
    const expected = [...code.matchAll(/\/\/ => (.*)$/gm)].map(([, text]) => text)
    expect(printed).toEqual(expected)
  })
})

test("there are examples", () => {
  expect(examples.length).toBeGreaterThan(0)
})
