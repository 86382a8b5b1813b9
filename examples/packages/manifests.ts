import { readFile } from "node:fs/promises"
import { type PackageManifest, parseManifest } from "fleetprompt"

/** The example packages, those that others need before them. */
export const EXAMPLE_PACKAGES = [
  "github-triage",
  "lead-qualification",
  "mls-enrichment",
  "property-research",
  "notification",
] as const

/** One of them. */
export type ExamplePackage = (typeof EXAMPLE_PACKAGES)[number]

/** The manifest of an example package. @throws FleetPromptError `package_invalid` */
export async function readManifest(slug: ExamplePackage): Promise<PackageManifest> {
  return parseManifest(await readFile(new URL(`./${slug}/fleetprompt.package.json`, import.meta.url), "utf8"))
}

/** All of them, in that order. */
export async function readManifests(): Promise<readonly PackageManifest[]> {
  return Promise.all(EXAMPLE_PACKAGES.map(readManifest))
}
