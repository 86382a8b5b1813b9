import semver from "semver"
import { freezeJson } from "../signal/json.ts"
import { type PackageRecord, selectPackage } from "../store/packages.ts"
import {
  type DependentRecord,
  type PackageVersionRecord,
  selectDependents,
  selectManifest,
  selectPackageVersions,
} from "../store/package-versions.ts"
import { selectRatings } from "../store/package-reviews.ts"
import type { CatalogueDeps } from "./catalogue-deps.ts"
import type { PackageManifest } from "./manifest.ts"

/** A package with all that belongs to it. */
export interface PackageDetail extends PackageRecord {
  /** Of its latest version. */
  readonly manifest: PackageManifest
  /** The highest first. */
  readonly versions: readonly PackageVersionRecord[]
  /** What its latest version needs: ranges by slug. */
  readonly dependencies: Readonly<Record<string, string>>
  /** Packages whose latest version needs it, at most 100. */
  readonly dependents: readonly DependentRecord[]
  /** How many reviews gave 1, 2, 3, 4 and 5. */
  readonly ratings: readonly number[]
}

const MAX_DEPENDENTS = 100

/** One package, or undefined. */
export async function getPackage(slug: string, deps: CatalogueDeps): Promise<PackageDetail | undefined> {
  const { database } = deps
  const listed = await selectPackage(database, slug)
  const manifest = listed && (await getManifest(slug, listed.latestVersion, deps))
  if (!listed || !manifest) return undefined
  return {
    ...listed,
    manifest,
    versions: await listVersions(slug, deps),
    dependencies: manifest.dependencies ?? {},
    dependents: await selectDependents(database, slug, MAX_DEPENDENTS),
    ratings: await selectRatings(database, slug),
  }
}

/** All versions of a package, the highest first. */
export async function listVersions(
  slug: string,
  { database }: CatalogueDeps,
): Promise<readonly PackageVersionRecord[]> {
  const versions = await selectPackageVersions(database, [slug])
  return versions.toSorted((a, b) => semver.rcompare(a.version, b.version))
}

/** The manifest of a version, or undefined. */
export async function getManifest(
  slug: string,
  version: string,
  { database }: CatalogueDeps,
): Promise<PackageManifest | undefined> {
  const manifest = await selectManifest(database, slug, version)
  // What is stored was a manifest when it came in.
  return manifest && (freezeJson(manifest) as unknown as PackageManifest)
}
