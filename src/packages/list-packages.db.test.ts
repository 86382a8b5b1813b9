import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { sampleManifest } from "../../test/support/sample-manifest.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { PackageFilter } from "./list-packages.ts"
import type { Packages } from "./packages-door.ts"

let db: TestDatabase
let packages: Packages
const tenants: string[] = []

/** What stands in the catalogue of this file, in the order of publishing. */
const ALL = [
  {
    slug: "github-triage",
    name: "GitHub triage",
    description: "Labels issues as they come in.",
    category: "engineering",
    publisher: "octo",
    keywords: ["github", "issues"],
  },
  {
    slug: "hot-leads",
    name: "Hot leads",
    description: "Finds leads that came by GitHub.",
    category: "sales",
    publisher: "acme",
    keywords: ["leads"],
  },
  {
    slug: "lead-scoring",
    name: "Lead scoring",
    description: "Scores whoever asks.",
    category: "sales",
    publisher: "octo",
    keywords: ["leads", "scores"],
  },
  {
    slug: "gone",
    name: "Gone",
    description: "Every version was yanked: github leads.",
    category: "sales",
    publisher: "octo",
    keywords: ["leads"],
  },
]

beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** Each test has a fleet of its own; what stands in the catalogue is there after the first. */
async function opened(): Promise<Packages> {
  const { fleet } = await testFleet(db.database, { worker: false })
  packages = fleet.packages
  if (tenants.length > 0) return packages
  for (const name of ["a", "b", "c"]) tenants.push(testSlug(name))
  for (const slug of tenants) await fleet.tenants.provision(slug)
  for (const each of ALL) await packages.publish(sampleManifest(each))
  await packages.yank("gone", "1.0.0")
  const [a = "", b = "", c = ""] = tenants
  for (const tenant of [a, b, c]) await packages.countInstall(tenant, "lead-scoring", "1.0.0")
  await packages.countInstall(a, "hot-leads", "1.0.0")
  await packages.review(a, "hot-leads", { rating: 5 })
  for (const tenant of [a, b, c]) await packages.review(tenant, "github-triage", { rating: 5 })
  await packages.review(a, "lead-scoring", { rating: 2 })
  return packages
}

const found = async (filter: PackageFilter): Promise<readonly string[]> => {
  const { packages: listed } = await (await opened()).list(filter)
  return listed.map(({ slug }) => slug)
}

describe("a search", () => {
  test.each<[string, readonly string[]]>([
    ["github", ["github-triage", "hot-leads"]],
    ["git", ["github-triage", "hot-leads"]],
    ["lead", ["lead-scoring", "hot-leads"]],
    ["leads github", ["hot-leads"]],
    ["label issue", ["github-triage"]],
    ["nothing of the kind", []],
    ["' & | ! ( ) :* \\", ["lead-scoring", "hot-leads", "github-triage"]],
    ["the", ["github-triage", "hot-leads", "lead-scoring"]],
  ])("for %j", async (search, expected) => {
    const all = await found({ search })
    expect(all.toSorted()).toEqual(expected.toSorted())
  })

  test("puts what says it in its name before what says it in its description", async () => {
    expect(await found({ search: "github" })).toEqual(["github-triage", "hot-leads"])
  })
})

describe("a list", () => {
  test("goes by installations unless it is told otherwise, without what was yanked altogether", async () => {
    expect(await found({})).toEqual(["lead-scoring", "hot-leads", "github-triage"])
    expect(await found({ sort: "newest" })).toEqual(["lead-scoring", "hot-leads", "github-triage"])
    // One vote of 5 stands behind three of them.
    expect(await found({ sort: "rating" })).toEqual(["github-triage", "hot-leads", "lead-scoring"])
  })

  test("takes conditions together", async () => {
    expect(await found({ category: "sales" })).toEqual(["lead-scoring", "hot-leads"])
    expect(await found({ category: "sales", publisher: "octo" })).toEqual(["lead-scoring"])
    expect(await found({ keyword: "leads", minRating: 3 })).toEqual(["hot-leads"])
    expect(await found({ keyword: "lead" })).toEqual([])
  })

  test.each(["installs", "rating", "newest", "relevance"] as const)(
    "by pages, ordered by %s, is the whole list",
    async (sort) => {
      const door = await opened()
      const search = sort === "relevance" ? { search: "lead" } : {}
      const whole = await door.list({ sort, ...search })
      const slugs: string[] = []
      let after: string | undefined
      do {
        const page = await door.list({ sort, ...search, limit: 1, ...(after !== undefined && { after }) })
        slugs.push(...page.packages.map(({ slug }) => slug))
        after = page.next ?? undefined
      } while (after !== undefined)
      expect(slugs).toEqual(whole.packages.map(({ slug }) => slug))
      expect(slugs.length).toBeGreaterThan(1)
    },
  )

  test.each<[string, PackageFilter]>([
    ["an order that is none", { sort: "best" as "rating" }],
    ["a place of another order", { sort: "newest", after: Buffer.from("installs 1 a").toString("base64url") }],
    ["a place that is none", { after: "x" }],
    ["a rating above 5", { minRating: 6 }],
    ["too many", { limit: 501 }],
    ["a text that is too long", { search: "x".repeat(300) }],
  ])("refuses %s", async (_name, filter) => {
    await expect((await opened()).list(filter)).rejects.toMatchObject({ code: "query_invalid" })
  })
})
