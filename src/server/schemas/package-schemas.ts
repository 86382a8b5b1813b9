import { z } from "zod"
import { count, jsonObject, named, next, noted, text, time, uuid } from "./fields.ts"

const listing = {
  slug: text("Names it."),
  name: text("For people."),
  description: text("For people."),
  category: text("What it is for."),
  publisher: text("Whose it is."),
  keywords: z.array(z.string()),
  latestVersion: text("Its highest version that is no prerelease and was not yanked."),
  installs: count("Installations so far; a tenant counts once for each version."),
  tenants: count("Tenants that ever installed it."),
  rating: noted(z.number().nullable(), "Mean of its ratings, 1 to 5; null while nobody rated it."),
  reviews: count("How many rated it."),
  createdAt: time("When its first version was published."),
  publishedAt: time("When the latest of its versions was published."),
}

/** A package as the catalogue lists it. */
export const listedPackage = named("ListedPackage", z.object(listing))

/** Some packages. */
export const packagePage = named("PackagePage", z.object({ packages: z.array(listedPackage), next }))

/** A manifest, see the reference of packages. */
export const manifest = named("PackageManifest", noted(z.looseObject({ slug: z.string(), version: z.string() }), "See the reference of the package manifest."))

/** A version, without its manifest. */
export const packageVersion = named(
  "PackageVersion",
  z.object({
    slug: text("Of the package."),
    version: text("Semantic version."),
    checksum: text("Of the manifest."),
    status: noted(
      z.enum(["published", "deprecated", "yanked"]),
      "deprecated: chosen only when nothing else fits; yanked: chosen no more, kept by those who have it.",
    ),
    statusReason: noted(z.string().nullable(), "Why, for people."),
    dependencies: noted(z.record(z.string(), z.string()), "Ranges by slug."),
    platform: noted(z.string().nullable(), "Range of the platform's versions; null: any."),
    installs: count("Tenants that ever installed this version."),
    publishedBy: text("`kind:id`"),
    publishedAt: time("When it was published."),
  }),
)

/** A package with all that belongs to it. */
export const packageDetail = named(
  "PackageDetail",
  z.object({
    ...listing,
    manifest,
    versions: noted(z.array(packageVersion), "The highest first."),
    dependencies: noted(z.record(z.string(), z.string()), "What its latest version needs: ranges by slug."),
    dependents: noted(z.array(z.looseObject({ slug: z.string() })), "Packages whose latest version needs it."),
    ratings: noted(z.array(z.int()), "How many reviews gave 1, 2, 3, 4 and 5."),
  }),
)

/** What came of publishing. */
export const published = named(
  "PublishedVersion",
  z.object({ version: packageVersion, inserted: noted(z.boolean(), "False when the catalogue had it already.") }),
)

/** What a tenant says of a package; whose it is stands in none of its fields. */
export const review = named(
  "PackageReview",
  z.object({
    id: uuid("Of the review."),
    rating: count("1 to 5."),
    text: text("For people; may be empty."),
    hasInstalled: noted(z.boolean(), "Whether its tenant ever installed the package."),
    createdAt: time("When it was first said."),
    editedAt: time("Null: as it was first.").nullable(),
  }),
)

/** Some reviews. */
export const reviewPage = named("ReviewPage", z.object({ reviews: z.array(review), next }))

/** Where an installation stands. */
export const installationStatus = noted(
  z.enum(["queued", "installing", "active", "paused", "upgrading", "uninstalling", "uninstalled", "failed"]),
  "The last two are for good.",
)

/** A package in a tenant. */
export const installation = named(
  "Installation",
  z.object({
    id: uuid("Of the installation."),
    package: text("Slug of the package."),
    version: noted(z.string().nullable(), "What is installed; null before the first time."),
    targetVersion: noted(z.string().nullable(), "What it is to be, while something is under way."),
    status: installationStatus,
    config: noted(jsonObject, "With the package's defaults."),
    configChecksum: text("Of the configuration."),
    credentials: noted(z.record(z.string(), z.string()), "Ids, by the names that the package gives them."),
    dependencies: noted(z.record(z.string(), z.string()), "Ranges of versions by the packages that it needs."),
    error: noted(z.object({ kind: z.string(), message: z.string() }).nullable(), "Why it failed."),
    directiveId: uuid("What was done last, or is under way."),
    installedFor: noted(z.string().nullable(), "The installation that needed it; null: somebody asked for it itself."),
    upgradeId: noted(z.string().nullable(), "The directive of the last upgrade, while that may be rolled back."),
    insertedAt: time("When it was asked for."),
    installedAt: time("When it was installed.").nullable(),
    endedAt: time("When it ended.").nullable(),
    updatedAt: time("When it was changed."),
  }),
)

/** Some installations. */
export const installationPage = named("InstallationPage", z.object({ installations: z.array(installation), next }))

/** An installation with what it made. */
export const installationDetail = named(
  "InstallationDetail",
  z.object({
    installation,
    records: noted(z.array(jsonObject), "What it made, with what the tenant keeps with it."),
    bindings: noted(z.array(jsonObject), "Handlers that it has the platform run."),
    history: noted(z.array(jsonObject), "What was done to it, newest first, at most 100."),
  }),
)

/** What an install, an upgrade or an uninstall would do. */
export const installationPlan = named(
  "InstallationPlan",
  z.object({
    action: noted(z.enum(["install", "upgrade", "uninstall"]), "What it would be."),
    package: text("Slug of the package."),
    from: noted(z.string().nullable(), "What the tenant has now; null: not installed."),
    version: noted(z.string().nullable(), "What it will have; null: nothing."),
    isDeprecated: z.boolean(),
    configChecksum: noted(z.string().nullable(), "Of the configuration with its defaults."),
    dependencies: z.array(
      z.object({
        package: text("Slug of the package."),
        version: text("What it will have."),
        from: noted(z.string().nullable(), "What the tenant has now."),
        action: noted(z.enum(["install", "upgrade", "downgrade", "keep"]), "keep: it is there and fits."),
      }),
    ),
    changes: z.array(
      z.object({
        package: text("Slug of the package."),
        part: text("`handlers`, `schedules`, …"),
        name: text("Of the part."),
        change: z.enum(["created", "changed", "removed"]),
      }),
    ),
    missingCredentials: z.array(
      z.object({
        package: text("Slug of the package."),
        name: text("As the package calls it."),
        provider: text("The system that it is for."),
        kind: text("What it is."),
        why: text("For whoever is to give it."),
      }),
    ),
    brokenConsumers: z.array(
      z.object({
        signal: text("Type of the signal."),
        handler: text("`<package>.<binding>`, or a handler of the platform."),
        package: noted(z.string().nullable(), "Null: the platform's own."),
        reasons: noted(z.array(z.string()), "What breaks, for people."),
      }),
    ),
    problems: noted(
      z.array(
        z.object({
          kind: z.enum(["versions", "config", "credential", "template", "state", "dependents"]),
          message: text("For people."),
          pointer: noted(z.string().nullable(), "Where in the configuration, a JSON pointer."),
        }),
      ),
      "Why it cannot be done; none: it can.",
    ),
  }),
)

/** Fields of a package that a tenant is to have. */
export const wishFields = {
  version: text("A version, a range of versions, or `latest`, the default.").exactOptional(),
  config: noted(jsonObject, "What the package lets be set. Default: what the installation has.").exactOptional(),
  credentials: noted(
    z.record(z.string(), z.string()),
    "Ids of the tenant's credentials, by the names that the package gives them.",
  ).exactOptional(),
}
