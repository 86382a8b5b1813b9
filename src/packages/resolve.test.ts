import fc from "fast-check"
import semver from "semver"
import { describe, expect, test } from "vitest"
import type { CatalogueVersion, InstalledPackage, ResolveRequest } from "./resolution.ts"
import { resolve } from "./resolve.ts"

type Row = readonly [version: string, dependencies?: Record<string, string>, more?: Partial<CatalogueVersion>]

function catalogueOf(rows: Readonly<Record<string, readonly Row[]>>): ResolveRequest["catalogue"] {
  return new Map(
    Object.entries(rows).map(([slug, versions]) => [
      slug,
      versions.map(([version, dependencies = {}, more = {}]) => ({
        version,
        dependencies,
        status: "published" as const,
        platform: null,
        ...more,
      })),
    ]),
  )
}

function run(
  rows: Readonly<Record<string, readonly Row[]>>,
  wanted: string,
  installed: readonly InstalledPackage[] = [],
): readonly string[] {
  const [slug = "", range = "latest"] = wanted.split("@")
  const resolution = resolve({ wanted: { slug, range }, installed, catalogue: catalogueOf(rows), platform: "0.1.0" })
  if (resolution.kind === "conflict") return resolution.reasons
  return resolution.steps.map(({ slug, version, action }) => `${action} ${slug} ${version}`)
}

const there = (slug: string, version: string, dependencies: Record<string, string> = {}): InstalledPackage => ({
  slug,
  version,
  dependencies,
})

describe("what is chosen", () => {
  test("the highest version, and what it needs before it", () => {
    const rows = {
      a: [["1.0.0"], ["1.2.0", { b: "^1.0.0" }]],
      b: [["1.0.0"], ["1.1.0", { c: "*" }], ["2.0.0"]],
      c: [["0.1.0"]],
    } as const
    expect(run(rows, "a")).toEqual(["install c 0.1.0", "install b 1.1.0", "install a 1.2.0"])
    expect(run(rows, "a@~1.0")).toEqual(["install a 1.0.0"])
  })

  test("no prerelease unless the range names one", () => {
    const rows = { a: [["1.0.0"], ["1.1.0-rc.1"]] } as const
    expect(run(rows, "a")).toEqual(["install a 1.0.0"])
    expect(run(rows, "a@1.1.0-rc.1")).toEqual(["install a 1.1.0-rc.1"])
  })

  test("never a yanked one, unless it is there", () => {
    const rows = { a: [["1.0.0", { b: "*" }]], b: [["1.0.0"], ["2.0.0", {}, { status: "yanked" }]] } as const
    expect(run(rows, "a")).toEqual(["install b 1.0.0", "install a 1.0.0"])
    expect(run(rows, "a", [there("b", "2.0.0")])).toEqual(["keep b 2.0.0", "install a 1.0.0"])
  })

  test("a deprecated one only when nothing else fits", () => {
    const rows = { a: [["1.0.0"], ["1.1.0", {}, { status: "deprecated" }]] } as const
    expect(run(rows, "a")).toEqual(["install a 1.0.0"])
    expect(run(rows, "a@>1.0.0")).toEqual(["install a 1.1.0"])
  })

  test("no more deprecated ones than there must be", () => {
    const rows = {
      a: [["1.0.0", { b: "*", c: "*" }]],
      b: [["2.0.0", {}, { status: "deprecated" }]],
      c: [["1.0.0"], ["1.1.0", {}, { status: "deprecated" }]],
    } as const
    expect(run(rows, "a")).toEqual(["install b 2.0.0", "install c 1.0.0", "install a 1.0.0"])
  })

  test("one that works with this platform", () => {
    const rows = {
      a: [
        ["1.0.0", {}, { platform: "^0.1.0" }],
        ["2.0.0", {}, { platform: ">=3" }],
      ],
    } as const
    expect(run(rows, "a")).toEqual(["install a 1.0.0"])
  })

  test("an older one when the highest does not go together with the rest", () => {
    const rows = {
      a: [
        ["1.0.0", { b: "^1" }],
        ["2.0.0", { b: "^2", c: "*" }],
      ],
      b: [["1.0.0"], ["2.0.0"]],
      c: [["1.0.0", { b: "^1" }]],
    } as const
    expect(run(rows, "a")).toEqual(["install b 1.0.0", "install a 1.0.0"])
  })

  test("what is installed stays where it fits, and is upgraded where it does not", () => {
    const rows = {
      a: [
        ["1.0.0", { b: "*" }],
        ["2.0.0", { b: "^2" }],
      ],
      b: [["1.0.0"], ["1.5.0"], ["2.0.0"]],
    } as const
    expect(run(rows, "a@1", [there("b", "1.0.0")])).toEqual(["keep b 1.0.0", "install a 1.0.0"])
    expect(run(rows, "a@2", [there("b", "1.0.0")])).toEqual(["upgrade b 2.0.0", "install a 2.0.0"])
    expect(run(rows, "b@1.0.0", [there("b", "2.0.0")])).toEqual(["downgrade b 1.0.0"])
  })
})

describe("a conflict says who asks for what, and what became of each version", () => {
  test("two ranges that exclude each other", () => {
    const rows = {
      a: [["1.0.0", { b: "^1", c: "*" }]],
      b: [["1.0.0"], ["2.0.0"]],
      c: [["1.0.0", { b: "^2" }]],
    } as const
    expect(run(rows, "a")).toEqual([
      "No version of b fits: a 1.0.0 asks for ^1 and c 1.0.0 asks for ^2. There are 2.0.0, not what a 1.0.0 asked for; 1.0.0, not what c 1.0.0 asked for.",
    ])
  })

  test("nothing in the catalogue, yanked, for another platform", () => {
    expect(run({}, "a")).toEqual(["No version of a fits: you ask for *, and the catalogue has no version of it."])
    const rows = {
      a: [
        ["1.0.0", {}, { status: "yanked" }],
        ["2.0.0", {}, { platform: ">=9" }],
      ],
    } as const
    expect(run(rows, "a")).toEqual([
      "No version of a fits: you ask for *. There are 2.0.0, which needs FleetPrompt >=9 (this is 0.1.0); 1.0.0, which was yanked.",
    ])
    expect(run({}, "a@new")).toEqual([`"new" is no range of versions; ask for "latest", "1.2.0" or "^1.2.0".`])
  })

  test("something installed that would break", () => {
    const rows = { a: [["1.0.0", { b: "^2" }]], b: [["1.0.0"], ["2.0.0"]] } as const
    const installed = [there("b", "1.0.0"), there("old", "3.0.0", { b: "^1" })]
    expect(run(rows, "a", installed).join()).toContain("old 3.0.0 (installed) asks for ^1")
  })

  test("a circle", () => {
    const rows = { a: [["1.0.0", { b: "*" }]], b: [["1.0.0", { a: "*" }]] } as const
    expect(run(rows, "a")).toEqual([
      "These need each other in a circle, so that none can be installed first: a 1.0.0 > b 1.0.0 > a 1.0.0.",
    ])
  })

  test("a search that takes too long is given up", () => {
    const slugs = Array.from({ length: 8 }, (_, at) => `p${at}`)
    const versions = Array.from({ length: 8 }, (_, at) => `1.${at}.0`)
    const rows = Object.fromEntries(
      slugs.map((slug) => [slug, versions.map((version): Row => [version, slug === "p7" ? { gone: "*" } : {}])]),
    )
    const a: Row = ["1.0.0", Object.fromEntries(slugs.map((slug) => [slug, "*"]))]
    expect(run({ ...rows, a: [a] }, "a").at(-1)).toMatch(/given up after 10000 versions/)
  })
})

// Small catalogues, all whose assignments can be gone through.
const SLUGS = ["a", "b", "c", "d"]
const VERSIONS = ["1.0.0", "1.1.0", "2.0.0"]
const range = fc.constantFrom("*", "^1.0.0", "^2.0.0", "1.1.0", ">=1.1.0")
const dependencies = (slug: string) =>
  fc.dictionary(fc.constantFrom(...SLUGS.filter((each) => each !== slug)), range, { maxKeys: 2 })
const versionsOf = (slug: string) =>
  fc.subarray(VERSIONS).chain((versions) =>
    fc.tuple(
      ...versions.map((version) =>
        fc.record({
          version: fc.constant(version),
          dependencies: dependencies(slug),
          status: fc.constantFrom("published", "published", "published", "deprecated", "yanked"),
          platform: fc.constantFrom(null, null, null, ">=9"),
        }),
      ),
    ),
  )
const request = fc
  .record({
    versions: fc.tuple(...SLUGS.map(versionsOf)),
    range,
    installed: fc.uniqueArray(
      fc.constantFrom("b", "c", "d").chain((slug) =>
        fc.record({
          slug: fc.constant(slug),
          version: fc.constantFrom(...VERSIONS),
          dependencies: dependencies(slug),
        }),
      ),
      { selector: ({ slug }) => slug, maxLength: 2 },
    ),
  })
  .map(({ versions, range, installed }): ResolveRequest => ({
    wanted: { slug: "a", range },
    installed,
    catalogue: new Map(SLUGS.map((slug, at) => [slug, versions[at] ?? []])),
    platform: "0.1.0",
  }))

type Assignment = ReadonlyMap<string, CatalogueVersion>

/** Every version of a package that might be in a solution. */
function options(
  { catalogue, installed, wanted, platform }: ResolveRequest,
  slug: string,
): readonly CatalogueVersion[] {
  const own = installed.find((each) => each.slug === slug)
  const status = catalogue.get(slug)?.find(({ version }) => version === own?.version)?.status ?? "published"
  const kept = own ? [{ version: own.version, dependencies: own.dependencies, status, platform: null }] : []
  const others = (catalogue.get(slug) ?? []).filter(
    (each) =>
      each.version !== own?.version &&
      each.status !== "yanked" &&
      (each.platform === null || semver.satisfies(platform, each.platform)) &&
      (slug === wanted.slug || !own || semver.gt(each.version, own.version)),
  )
  return [...kept, ...others]
}

function allAssignments(request: ResolveRequest): readonly Assignment[] {
  return SLUGS.reduce<readonly Assignment[]>(
    (all, slug) =>
      all.flatMap((some) => [some, ...options(request, slug).map((version) => new Map([...some, [slug, version]]))]),
    [new Map()],
  )
}

/** Everything that a solution has to be, said without a search. */
function isSolution({ wanted, installed }: ResolveRequest, chosen: Assignment): boolean {
  const root = chosen.get(wanted.slug)
  if (!root || !semver.satisfies(root.version, wanted.range)) return false
  const needs = (version: Pick<CatalogueVersion, "dependencies">) =>
    Object.entries(version.dependencies).every(([slug, range]) => {
      const there = chosen.get(slug)
      return there !== undefined && semver.satisfies(there.version, range)
    })
  if (![...chosen.values()].every(needs)) return false
  const others = installed.filter(({ slug }) => !chosen.has(slug))
  const broken = others.some(({ dependencies }) =>
    Object.entries(dependencies).some(([slug, range]) => {
      const there = chosen.get(slug)
      return there !== undefined && !semver.satisfies(there.version, range)
    }),
  )
  const order = orderOf(chosen)
  return !broken && order.size === chosen.size && reached(chosen, wanted.slug).size === chosen.size
}

/** What can be put in order, each after what it needs: all, where there is no circle. */
function orderOf(chosen: Assignment): ReadonlySet<string> {
  const done = new Set<string>()
  for (let round = 0; round < chosen.size; round++)
    for (const [slug, { dependencies }] of chosen)
      if (Object.keys(dependencies).every((each) => done.has(each))) done.add(slug)
  return done
}

function reached(chosen: Assignment, from: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(from)) return seen
  seen.add(from)
  for (const slug of Object.keys(chosen.get(from)?.dependencies ?? {})) reached(chosen, slug, seen)
  return seen
}

test("it finds a solution where there is one, and of those one with the highest version that was asked for", () => {
  const counts = { resolved: 0, conflict: 0 }
  fc.assert(
    fc.property(request, (each) => {
      const resolution = resolve(each)
      counts[resolution.kind]++
      const solutions = allAssignments(each).filter((chosen) => isSolution(each, chosen))
      if (resolution.kind === "conflict") {
        expect(solutions).toEqual([])
        expect(resolution.reasons.length).toBeGreaterThan(0)
        return
      }
      const chosen: Assignment = new Map(
        resolution.steps.map(({ slug, version }) => [
          slug,
          options(each, slug).find((option) => option.version === version) as CatalogueVersion,
        ]),
      )
      expect(isSolution(each, chosen)).toBe(true)
      // In order: each after what it needs.
      const slugs = resolution.steps.map(({ slug }) => slug)
      for (const [slug, { dependencies }] of chosen)
        for (const needed of Object.keys(dependencies)) expect(slugs.indexOf(needed)).toBeLessThan(slugs.indexOf(slug))
      const isNew = (slug: string, { version, status }: CatalogueVersion): boolean =>
        status === "deprecated" && !each.installed.some((there) => there.slug === slug && there.version === version)
      const usesDeprecated = (some: Assignment): boolean => [...some].some(([slug, version]) => isNew(slug, version))
      const best = solutions.filter((some) => !usesDeprecated(some))
      if (usesDeprecated(chosen)) {
        expect(best).toEqual([])
        return
      }
      const highest = best.map((some) => some.get("a")?.version ?? "").toSorted(semver.rcompare)[0]
      expect(chosen.get("a")?.version).toBe(highest)
    }),
    { numRuns: 600 },
  )
  expect(Math.min(counts.resolved, counts.conflict)).toBeGreaterThan(50)
})
