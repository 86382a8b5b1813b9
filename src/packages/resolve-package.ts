import type { Queryable } from "../store/database.ts"
import { type PackageVersionRecord, selectPackageVersions } from "../store/package-versions.ts"
import type { CatalogueDeps } from "./catalogue-deps.ts"
import type { InstalledPackage, Resolution, ResolveRequest } from "./resolution.ts"
import { resolve } from "./resolve.ts"

/** Packages that are looked at for one request, at most. */
const MAX_PACKAGES = 500

/** Resolves a request by what the catalogue has. */
export async function resolvePackage(
  wanted: ResolveRequest["wanted"],
  installed: readonly InstalledPackage[],
  { database, platform }: CatalogueDeps,
): Promise<Resolution> {
  const catalogue = await catalogueOf(wanted.slug, installed, database)
  if (catalogue.size <= MAX_PACKAGES) return resolve({ wanted, installed, catalogue, platform })
  const reason = `${wanted.slug} leads to more than ${MAX_PACKAGES} packages, by all their versions; ask for a narrower range.`
  return { kind: "conflict", reasons: [reason] }
}

/** The versions of a package, of what they need, of what that needs, and so on: a query for each level. */
async function catalogueOf(
  slug: string,
  installed: readonly InstalledPackage[],
  database: Queryable,
): Promise<ReadonlyMap<string, readonly PackageVersionRecord[]>> {
  const catalogue = new Map<string, PackageVersionRecord[]>()
  let next = [slug, ...installed.map((each) => each.slug)]
  while (next.length > 0 && catalogue.size <= MAX_PACKAGES) {
    const versions = await selectPackageVersions(database, next)
    for (const each of next) catalogue.set(each, [])
    for (const version of versions) catalogue.get(version.slug)?.push(version)
    const needed = versions.flatMap(({ dependencies }) => Object.keys(dependencies))
    next = [...new Set(needed)].filter((each) => !catalogue.has(each))
  }
  return catalogue
}
