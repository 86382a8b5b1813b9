import type { SchemaChange } from "../packages/compare-schemas.ts"
import type { ManifestDiff, PartChange, SignalChange } from "../packages/diff-manifests.ts"
import type { ManifestProblem } from "../packages/manifest.ts"
import type { PackageDetail } from "../packages/package-detail.ts"
import type { PackageReviewRecord } from "../store/package-reviews.ts"
import type { PackageRecord } from "../store/packages.ts"
import { columns } from "./migration-tables.ts"
import { formatCount } from "./progress-bar.ts"

/** Problems of a manifest, as people read them. */
export function problemsText(file: string, problems: readonly ManifestProblem[]): string {
  const count = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`
  return [
    `${file} has ${count}:`,
    ...problems.map(({ pointer, message }) => `  ${pointer || "/"}\n    ${message}`),
  ].join("\n")
}

/** Packages, as people read them. */
export function packageTable(packages: readonly PackageRecord[]): string {
  if (packages.length === 0) return "no package fits; publish one with fleetprompt packages publish <file>"
  const rows = packages.map((each) => [
    each.slug,
    each.latestVersion,
    each.category,
    each.publisher,
    formatCount(each.installs),
    ratingText(each),
    oneLine(each.description),
  ])
  return columns([["package", "latest", "category", "publisher", "installs", "rating", ""], ...rows])
}

/** A package with all that belongs to it, as people read it. */
export function detailText(detail: PackageDetail, reviews: readonly PackageReviewRecord[]): string {
  const { name, slug, latestVersion, description, publisher, manifest } = detail
  const versions = detail.versions.map(({ version, status, statusReason, publishedAt, installs }) => [
    version,
    status === "published" ? "" : `${status}${statusReason === null ? "" : `: ${statusReason}`}`,
    publishedAt.toISOString().slice(0, 10),
    formatCount(installs),
  ])
  const needs = Object.entries(detail.dependencies).map(([each, range]) => `  ${each} ${range}`)
  const credentials = (manifest.credentials ?? []).map(
    ({ provider, kind, why, optional }) => `  ${provider} (${kind}${optional ? ", optional" : ""}): ${why}`,
  )
  return [
    `${name} (${slug} ${latestVersion}) by ${publisher}, ${manifest.license}`,
    description,
    `installed ${formatCount(detail.installs)} times by ${formatCount(detail.tenants)} tenants; rating ${ratingText(detail)}`,
    section("versions", [columns([["version", "", "published", "installs"], ...versions])]),
    section("needs", needs),
    section("asks for credentials", credentials),
    section(
      "needed by",
      detail.dependents.map((each) => `  ${each.slug} ${each.version} (${each.range})`),
    ),
    section(
      "reviews",
      reviews.map(({ rating, text }) => `  ${rating} of 5  ${oneLine(text)}`),
    ),
  ]
    .filter((part) => part !== "")
    .join("\n\n")
}

/** What differs between two versions, as people read it. */
export function diffText(diff: ManifestDiff): string {
  const { slug, from, to, about, parts, signals, config, isBreaking } = diff
  const nothing = about.length + parts.length + signals.length + config.length === 0
  return [
    `${slug} ${from} > ${to}: ${nothing ? "nothing differs" : isBreaking ? "BREAKING" : "breaks nothing"}`,
    section("parts", parts.map(partLine)),
    section("configuration", config.map(changeLine)),
    section("signals", signals.flatMap(signalLines)),
    section("about", about.length > 0 ? [`  ${about.join(", ")}`] : []),
  ]
    .filter((part) => part !== "")
    .join("\n\n")
}

const SIGNS = { created: "+", changed: "~", removed: "-" } as const

function partLine({ part, name, change, fields, asks }: PartChange): string {
  const which = fields.length > 0 ? `: ${fields.join(", ")}` : ""
  return `  ${SIGNS[change]} ${part} ${name}${which}${asks === null ? "" : `\n      ! ${asks}`}`
}

function signalLines({ direction, type, change, kind, versions, details }: SignalChange): readonly string[] {
  const [from, to] = versions
  const version = from !== null && to !== null && from !== to ? ` (contract ${from} > ${to})` : ""
  const warning = kind === "breaking" && from === to ? "; the version of its contract stayed" : ""
  return [
    `  ${SIGNS[change]} ${direction} ${type}${version}${kind === "breaking" ? `: BREAKING${warning}` : ""}`,
    ...details.map((each) => `    ${changeLine(each)}`),
  ]
}

function changeLine({ kind, pointer, message }: SchemaChange): string {
  return `  ${kind === "breaking" ? "!" : " "} ${pointer || "/"}: ${message}`
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `${title}\n${lines.join("\n")}`
}

function ratingText({ rating, reviews }: Pick<PackageRecord, "rating" | "reviews">): string {
  return rating === null ? "none yet" : `${rating.toFixed(1)} of ${reviews}`
}

/** Longest text in a line of a table. */
const MAX_LINE = 70

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ")
  return line.length <= MAX_LINE ? line : `${line.slice(0, MAX_LINE - 1)}…`
}
