import semver from "semver"
import { type ActingOptions, system } from "../access/acting.ts"
import { appendPlatformAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import type { Transaction } from "../store/database.ts"
import { insertPackage, lockPackage, type PackageListing, updatePackageListing } from "../store/packages.ts"
import {
  insertPackageVersion,
  type PackageVersionRecord,
  selectManifest,
  selectPackageVersion,
  selectPackageVersions,
} from "../store/package-versions.ts"
import type { CatalogueDeps } from "./catalogue-deps.ts"
import { readManifest } from "./define-package.ts"
import type { PackageManifest } from "./manifest.ts"
import { manifestChecksum } from "./manifest-checksum.ts"

/** What came of publishing. */
export interface Published {
  readonly version: PackageVersionRecord
  /** False when the catalogue had this version with these contents already. */
  readonly inserted: boolean
}

/** Versions of a package, at most. */
const MAX_VERSIONS = 1_000

/** @throws FleetPromptError `package_invalid`, `package_conflict`, `forbidden` */
export async function publishPackage(
  value: unknown,
  { by = system }: ActingOptions,
  { database }: CatalogueDeps,
): Promise<Published> {
  by.authorise("packages:publish", {})
  const manifest = readManifest(value)
  const checksum = manifestChecksum(manifest)
  const { slug, version } = manifest
  return database.transaction(async (tx) => {
    await takeSlug(tx, manifest)
    await checkCount(tx, slug, version)
    const { kind, id } = by.actor
    const made = await insertPackageVersion(tx, {
      slug,
      version,
      manifest: storedForm(manifest),
      checksum,
      publishedBy: `${kind}:${id}`,
    })
    if (!made) return { version: await sameVersion(tx, manifest, checksum), inserted: false }
    await relist(tx, slug)
    await appendPlatformAudit(tx, [
      { action: "package.publish", resource: `package:${slug}`, actor: by.actor, details: { version, checksum } },
    ])
    return { version: made, inserted: true }
  })
}

/** The package is there and locked, and its publisher's. */
async function takeSlug(tx: Transaction, manifest: PackageManifest): Promise<void> {
  await insertPackage(tx, listingOf(manifest))
  const there = await lockPackage(tx, manifest.slug)
  if (there?.publisher === manifest.publisher) return
  throw new FleetPromptError(
    "package_conflict",
    `expected the publisher "${there?.publisher}" of package ${manifest.slug}, got "${manifest.publisher}"; choose another slug`,
    { path: "/publisher" },
  )
}

async function checkCount(tx: Transaction, slug: string, version: string): Promise<void> {
  const versions = await selectPackageVersions(tx, [slug])
  if (versions.length < MAX_VERSIONS || versions.some((each) => each.version === version)) return
  throw new FleetPromptError(
    "package_conflict",
    `expected at most ${MAX_VERSIONS} versions of package ${slug}, it has as many; go on under another slug`,
  )
}

async function sameVersion(
  tx: Transaction,
  { slug, version }: PackageManifest,
  checksum: string,
): Promise<PackageVersionRecord> {
  // Versions are never removed.
  const there = (await selectPackageVersion(tx, slug, version)) as PackageVersionRecord
  if (there.checksum === checksum) return there
  throw new FleetPromptError(
    "package_conflict",
    `expected what ${slug} ${version} was published with (${there.checksum}), got other contents (${checksum}); raise the version`,
    { path: "/version" },
  )
}

/** Lists a package as its latest version says. The package is locked. */
export async function relist(tx: Transaction, slug: string): Promise<void> {
  const latest = latestOf(await selectPackageVersions(tx, [slug]))
  const manifest = latest && (await selectManifest(tx, slug, latest.version))
  // What is stored was a manifest when it came in.
  if (manifest) await updatePackageListing(tx, listingOf(manifest as unknown as PackageManifest))
}

/** The highest that is no prerelease and was not yanked; where there is none, the highest that was not yanked, else of all. */
function latestOf(versions: readonly PackageVersionRecord[]): PackageVersionRecord | undefined {
  const byVersion = versions.toSorted((a, b) => semver.rcompare(a.version, b.version))
  const kept = byVersion.filter(({ status }) => status !== "yanked")
  return kept.find(({ version }) => semver.prerelease(version) === null) ?? kept[0] ?? byVersion[0]
}

function listingOf({
  slug,
  name,
  description,
  category,
  publisher,
  keywords = [],
  version,
}: PackageManifest): PackageListing {
  return { slug, name, description, category, publisher, keywords, latestVersion: version }
}

/** Without what says nothing of the package itself, as the checksum has it. */
function storedForm({ $schema: _, checksum: __, ...manifest }: PackageManifest): JsonObject {
  // A manifest is plain JSON; that keys may be left out is all that the compiler minds.
  return manifest as unknown as JsonObject
}
