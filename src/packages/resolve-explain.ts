import semver from "semver"
import type { CatalogueVersion, InstalledPackage, Requirement } from "./resolution.ts"

/** Why one way of the search ended. */
export type Failure =
  /** No version is in all the ranges that are asked for. */
  | { readonly kind: "no_version"; readonly slug: string; readonly requirements: readonly Requirement[] }
  /** What is installed would be left without what it needs. */
  | { readonly kind: "breaks_installed"; readonly requirement: Requirement; readonly version: string }
  /** A package would need itself, by others. */
  | { readonly kind: "circle"; readonly circle: readonly string[] }

/** What a search knows at its end. */
interface Ended {
  readonly failures: readonly Failure[]
  readonly catalogue: ReadonlyMap<string, readonly CatalogueVersion[]>
  readonly installed: readonly InstalledPackage[]
  readonly wanted: { readonly slug: string }
  readonly platform: string
  readonly maxTries: number
}

/** Sentences that are told at most; the first ones are of the way that was tried first. */
const MAX_REASONS = 8
/** Versions of a package that are gone through, the newest. */
const MAX_VERSIONS = 6

/** Why nothing fits, in sentences for people. */
export function explainFailures(ended: Ended, gaveUp: boolean): readonly string[] {
  const all = [...new Set(ended.failures.map((failure) => explain(failure, ended)))]
  const told = all.slice(0, MAX_REASONS)
  const more = all.length > told.length ? [`And ${all.length - told.length} more reasons of this kind.`] : []
  const limit = gaveUp ? [`The search was given up after ${ended.maxTries} versions; ask for a narrower range.`] : []
  return [...told, ...more, ...limit]
}

function explain(failure: Failure, ended: Ended): string {
  switch (failure.kind) {
    case "no_version":
      return explainNoVersion(failure, ended)
    case "breaks_installed": {
      const { requirement, version } = failure
      return `${requirement.by} needs ${requirement.slug} ${requirement.range}, which ${version} is not in; it would stop working.`
    }
    case "circle":
      return `These need each other in a circle, so that none can be installed first: ${failure.circle.join(" > ")}.`
  }
}

function explainNoVersion(
  { slug, requirements }: Extract<Failure, { readonly kind: "no_version" }>,
  ended: Ended,
): string {
  const asked = requirements.map(({ by, range }) => `${by} ${by === "you" ? "ask" : "asks"} for ${range}`)
  const versions = [...(ended.catalogue.get(slug) ?? [])].toSorted((a, b) => semver.rcompare(a.version, b.version))
  const wish = `No version of ${slug} fits: ${[...new Set(asked)].join(" and ")}`
  if (versions.length === 0) return `${wish}, and the catalogue has no version of it.`
  const each = versions.slice(0, MAX_VERSIONS).map((version) => whyNot(slug, version, requirements, ended))
  const older = versions.length > MAX_VERSIONS ? `; ${versions.length - MAX_VERSIONS} older ones fit no better` : ""
  return `${wish}. There ${versions.length === 1 ? "is" : "are"} ${each.join("; ")}${older}.`
}

function whyNot(
  slug: string,
  { version, status, platform }: CatalogueVersion,
  requirements: readonly Requirement[],
  ended: Ended,
): string {
  const outside = requirements.filter(({ range }) => !semver.satisfies(version, range))
  const there = ended.installed.find((each) => each.slug === slug)?.version
  if (outside.length > 0) return `${version}, not what ${outside.map(({ by }) => by).join(" and ")} asked for`
  if (status === "yanked") return `${version}, which was yanked`
  if (platform !== null && !semver.satisfies(ended.platform, platform, { includePrerelease: true }))
    return `${version}, which needs FleetPrompt ${platform} (this is ${ended.platform})`
  if (there !== undefined && slug !== ended.wanted.slug && semver.lt(version, there))
    return `${version}, older than ${there}, which is installed`
  return `${version}, which goes together with nothing else`
}
