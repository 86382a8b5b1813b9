import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, test } from "vitest"

/**
 * docs/guarantees.md says what is promised, and docs/reference/installation-checklist.md what must hold of packages. They
 * link each sentence to what proves it: a test by its title, a scenario of the fault harness by its id. Here a link that
 * leads nowhere is found, a promise without a proof, and a scenario that proves nothing.
 */
const ROOT = join(import.meta.dirname, "..")
const PAGE = "docs/guarantees.md"
const PAGES = [PAGE, "docs/reference/installation-checklist.md"]
const NOT_PROMISED = "## What we do not promise"

interface Link {
  readonly text: string
  /** From the root of the package, without the anchor. */
  readonly file: string
}

/** Links of a text of a page. */
function linksIn(text: string, page = PAGE): readonly Link[] {
  return [...text.matchAll(/\[([^\]]+)\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, text = "", target = ""]) => ({
    text,
    file: join(dirname(page), target),
  }))
}

/** Files of scenarios by their ids, as the harness registers them. */
function scenarioFiles(): ReadonlyMap<string, string> {
  const source = readFileSync(join(ROOT, "test/faults/scenarios.ts"), "utf8")
  const lines = source.matchAll(/^ {2}(\w+): \(\) => import\("\.\/([^"]+)"\),$/gm)
  return new Map([...lines].map(([, id = "", file = ""]) => [id, join("test/faults", file)]))
}

const scenarios = scenarioFiles()
const isScenario = ({ file }: Link): boolean => /^test\/faults\/(scenarios|soak)\//.test(file)
const isTest = ({ file }: Link): boolean => file.endsWith(".test.ts")

/** Why a link leads nowhere; undefined when it does not. */
function deadness(link: Link): string | undefined {
  const { text, file } = link
  if (!existsSync(join(ROOT, file))) return `${text}: there is no ${file}`
  if (isScenario(link) && scenarios.get(text) !== file)
    return `${text}: no scenario of this id is registered in ${file}`
  if (isTest(link) && !titlesIn(file).includes(`("${text}"`)) return `${text}: no test of this title is in ${file}`
  return undefined
}

/** The text of a test's file, where a title on a line of its own stands as any other. */
function titlesIn(file: string): string {
  return readFileSync(join(ROOT, file), "utf8").replaceAll(/\(\s+"/g, '("')
}

/** The promises of a text: its list items up to the section on what is not promised. */
function promisesIn(text: string): readonly string[] {
  return (text.split(NOT_PROMISED)[0] ?? "").match(/^- .*$/gm) ?? []
}

const texts = new Map(PAGES.map((page) => [page, readFileSync(join(ROOT, page), "utf8")]))
const guarantees = texts.get(PAGE) ?? ""

test("every link leads somewhere", () => {
  const links = [...texts].flatMap(([page, text]) => linksIn(text, page))
  expect(links.flatMap((link) => deadness(link) ?? [])).toEqual([])
})

test("every promise has a proof", () => {
  expect(guarantees).toContain(NOT_PROMISED)
  for (const [page, text] of texts) {
    const promises = promisesIn(text)
    expect(promises.length, page).toBeGreaterThan(20)
    const isProven = (item: string) => linksIn(item, page).some((link) => isTest(link) || isScenario(link))
    expect(promises.filter((item) => !isProven(item))).toEqual([])
  }
})

test("every scenario proves something", () => {
  const linked = new Set(linksIn(guarantees).flatMap((link) => (isScenario(link) ? link.text : [])))
  expect(scenarios.size).toBeGreaterThan(20)
  expect([...scenarios.keys()].filter((id) => !linked.has(id))).toEqual([])
})

describe("what is dead is found", () => {
  test.each([
    ["a file that is missing", "[P1](../test/faults/scenarios/p0-nothing.ts)"],
    ["a scenario under another id", "[P2](../test/faults/scenarios/p1-kill-in-handler.ts)"],
    ["a title that no test has", "[nobody tests this](../test/architecture.test.ts)"],
    ["a page that is missing", "[Handlers](guides/nothing.md#in-order)"],
  ])("%s", (_, text) => {
    expect(linksIn(text).map(deadness)).toEqual([expect.stringContaining(": ")])
  })

  test("and what is alive is not", () => {
    const text = `[P1](../test/faults/scenarios/p1-kill-in-handler.ts) [every link leads somewhere](../test/guarantees.test.ts)
      [Handlers](guides/handlers.md#in-order)`
    expect(linksIn(text).map(deadness)).toEqual([undefined, undefined, undefined])
  })
})
