import type { ActingOptions } from "../access/acting.ts"
import type { ManifestProblem, PackageManifest } from "./manifest.ts"
import type { CatalogueDeps } from "./catalogue-deps.ts"
import { listPackages, type PackageFilter, type PackagePage } from "./list-packages.ts"
import { checkManifest } from "./check-manifest.ts"
import { countInstall } from "./count-install.ts"
import { getManifest, getPackage, listVersions, type PackageDetail } from "./package-detail.ts"
import { publishPackage, type Published } from "./publish.ts"
import { resolvePackage } from "./resolve-package.ts"
import type { InstalledPackage, Resolution } from "./resolution.ts"
import {
  listReviews,
  ownReview,
  removeReview,
  type Review,
  type ReviewListOptions,
  type ReviewPage,
  reviewPackage,
} from "./reviews.ts"
import { changeVersion, type VersionChangeOptions } from "./version-status.ts"
import type { PackageReviewRecord } from "../store/package-reviews.ts"
import type { PackageVersionRecord } from "../store/package-versions.ts"

/** Which version of which package. */
export interface PackageRequest {
  readonly slug: string
  /** A version, a range, or `latest`. Default `latest`. */
  readonly range?: string
}

/** The catalogue: what may be installed, in all its versions; and what tenants say of it. */
export interface Packages {
  /** Everything that is wrong with a manifest; nothing when it may be published. Needs no database. */
  readonly validate: (manifest: unknown) => readonly ManifestProblem[]
  /**
   * Puts a version into the catalogue, for good. The same version again, with the same contents, is what is there
   * already: `inserted: false`.
   *
   * @throws FleetPromptError `package_invalid`; `package_conflict` when the version has other contents, the package is
   * another publisher's, or has as many versions as it may; `forbidden`
   * @example
   * const { version, inserted } = await fleet.packages.publish(manifest)
   */
  readonly publish: (manifest: unknown, options?: ActingOptions) => Promise<Published>
  /** Lets a version be chosen only when nothing else fits. @throws FleetPromptError `package_unknown`, `forbidden` */
  readonly deprecate: (slug: string, version: string, options?: VersionChangeOptions) => Promise<PackageVersionRecord>
  /** Takes a deprecation back. @throws FleetPromptError `package_unknown`, `forbidden` */
  readonly undeprecate: (slug: string, version: string, options?: VersionChangeOptions) => Promise<PackageVersionRecord>
  /**
   * Lets a version be chosen no more. Those who have installed it keep it.
   *
   * @throws FleetPromptError `package_unknown`, `forbidden`
   */
  readonly yank: (slug: string, version: string, options?: VersionChangeOptions) => Promise<PackageVersionRecord>
  /** Takes that back. @throws FleetPromptError `package_unknown`, `forbidden` */
  readonly unyank: (slug: string, version: string, options?: VersionChangeOptions) => Promise<PackageVersionRecord>
  /**
   * Packages by pages; with `search` those that have all its words, in name, keywords, category, publisher or
   * description. Packages whose every version was yanked are left out.
   *
   * @throws FleetPromptError `query_invalid`
   * @example
   * const { packages, next } = await fleet.packages.list({ search: "github issues", minRating: 4, sort: "installs" })
   */
  readonly list: (filter?: PackageFilter) => Promise<PackagePage>
  /** One with its versions, what it needs, who needs it, and what tenants say; undefined when there is none. */
  readonly get: (slug: string) => Promise<PackageDetail | undefined>
  /** All versions, the highest first. Empty when there is no such package. */
  readonly versions: (slug: string) => Promise<readonly PackageVersionRecord[]>
  /** The manifest of a version, whatever its status; undefined when there is none. */
  readonly manifest: (slug: string, version: string) => Promise<PackageManifest | undefined>
  /**
   * Which versions would be installed, in which order, or why none can be.
   *
   * @param installed what the tenant has already.
   * @example
   * const resolution = await fleet.packages.resolve({ slug: "github-triage" }, installed)
   */
  readonly resolve: (request: PackageRequest, installed?: readonly InstalledPackage[]) => Promise<Resolution>
  /**
   * Counts an installation. A tenant counts once for each version, however often it is told.
   *
   * @throws FleetPromptError `package_unknown`, `tenant_unknown`
   */
  readonly countInstall: (tenant: string, slug: string, version: string) => Promise<void>
  /**
   * Says what a tenant thinks of a package, in the place of what it said before.
   *
   * @throws FleetPromptError `review_invalid`, `package_unknown`, `tenant_unknown`, `forbidden`
   * @example
   * await fleet.packages.review("acme", "github-triage", { rating: 5, text: "It just works." })
   */
  readonly review: (
    tenant: string,
    slug: string,
    review: Review,
    options?: ActingOptions,
  ) => Promise<PackageReviewRecord>
  /** What a tenant said itself, or undefined. @throws FleetPromptError `tenant_unknown` */
  readonly ownReview: (tenant: string, slug: string) => Promise<PackageReviewRecord | undefined>
  /** Takes a tenant's review back. @returns whether there was one. @throws FleetPromptError `tenant_unknown`, `forbidden` */
  readonly removeReview: (tenant: string, slug: string, options?: ActingOptions) => Promise<boolean>
  /** What all tenants say, the latest first; whose a review is, it does not tell. @throws FleetPromptError `query_invalid` */
  readonly reviews: (slug: string, options?: ReviewListOptions) => Promise<ReviewPage>
}

/** The catalogue of a fleet. */
export function openPackages(deps: () => CatalogueDeps): Packages {
  const change =
    (action: Parameters<typeof changeVersion>[0]) =>
    async (slug: string, version: string, options: VersionChangeOptions = {}) =>
      changeVersion(action, slug, version, options, deps())
  return Object.freeze({
    validate: checkManifest,
    publish: async (manifest: unknown, options: ActingOptions = {}) => publishPackage(manifest, options, deps()),
    deprecate: change("deprecate"),
    undeprecate: change("undeprecate"),
    yank: change("yank"),
    unyank: change("unyank"),
    list: async (filter: PackageFilter = {}) => listPackages(filter, deps()),
    get: async (slug: string) => getPackage(slug, deps()),
    versions: async (slug: string) => listVersions(slug, deps()),
    manifest: async (slug: string, version: string) => getManifest(slug, version, deps()),
    resolve: async ({ slug, range = "latest" }: PackageRequest, installed: readonly InstalledPackage[] = []) =>
      resolvePackage({ slug, range }, installed, deps()),
    countInstall: async (tenant: string, slug: string, version: string) => countInstall(tenant, slug, version, deps()),
    review: async (tenant: string, slug: string, review: Review, options: ActingOptions = {}) =>
      reviewPackage(tenant, slug, review, options, deps()),
    ownReview: async (tenant: string, slug: string) => ownReview(tenant, slug, deps()),
    removeReview: async (tenant: string, slug: string, options: ActingOptions = {}) =>
      removeReview(tenant, slug, options, deps()),
    reviews: async (slug: string, options: ReviewListOptions = {}) => listReviews(slug, options, deps()),
  })
}
