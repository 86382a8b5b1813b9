import type { Queryable } from "./database.ts"

/** A package as the catalogue lists it. */
export interface PackageRecord {
  readonly slug: string
  readonly name: string
  readonly description: string
  readonly category: string
  readonly publisher: string
  readonly keywords: readonly string[]
  /** Its highest version that is no prerelease and was not yanked; the highest of all where there is none. */
  readonly latestVersion: string
  /** Installations so far; a tenant counts once for each version. */
  readonly installs: number
  /** Tenants that ever installed it. */
  readonly tenants: number
  /** Mean of its ratings, 1 to 5; null while nobody rated it. */
  readonly rating: number | null
  /** How many rated it. */
  readonly reviews: number
  readonly createdAt: Date
  /** When the latest of its versions was published. */
  readonly publishedAt: Date
}

/** What a package's listing takes from the manifest of its latest version. */
export type PackageListing = Pick<
  PackageRecord,
  "slug" | "name" | "description" | "category" | "publisher" | "keywords" | "latestVersion"
>

/** By what a list is ordered, each with the best first. */
export type PackageSort = "relevance" | "installs" | "rating" | "newest"

/** Which packages a list has; null asks for nothing. */
export interface PackageQuery {
  /** A query of Postgres' text search: `'github':* & 'triage':*`. */
  readonly search: string | null
  readonly category: string | null
  readonly publisher: string | null
  readonly keyword: string | null
  readonly minRating: number | null
  readonly sort: PackageSort
  /** Where the page before ended. */
  readonly after: PackagePlace | null
  readonly limit: number
}

/** A place in a list. */
export interface PackagePlace {
  readonly score: number
  readonly slug: string
}

/** A package of a list, and its place there. */
export type ListedPackage = PackageRecord & Pick<PackagePlace, "score">

const SEARCH = `setweight(to_tsvector('english', concat_ws(' ', $1::text, $3::text, array_to_string($7::text[], ' '))), 'A')
       || setweight(to_tsvector('english', concat_ws(' ', $5::text, $6::text)), 'B')
       || setweight(to_tsvector('english', $4::text), 'C')`

const COLUMNS = `package.slug, package.name, package.description, package.category, package.publisher, package.keywords,
  package.latest_version as "latestVersion", package.installs, package.tenants, review.rating, review.reviews,
  package.created_at as "createdAt", package.published_at as "publishedAt"`

/** Each package with the mean of its ratings. */
const PACKAGES = `fleetprompt.packages as package
     left join lateral (
       select avg(rating)::float8 as rating, count(*)::integer as reviews, coalesce(sum(rating), 0)::float8 as total
       from fleetprompt.package_reviews as each where each.slug = package.slug
     ) as review on true`

function listingValues(listing: PackageListing): readonly unknown[] {
  const { slug, latestVersion, name, description, category, publisher, keywords } = listing
  return [slug, latestVersion, name, description, category, publisher, keywords]
}

/** Records a package; does nothing when it is there. */
export async function insertPackage(tx: Queryable, listing: PackageListing): Promise<void> {
  await tx.query(
    `/* insertPackage */ insert into fleetprompt.packages
       (slug, latest_version, name, description, category, publisher, keywords, search)
     values ($1, $2, $3, $4, $5, $6, $7::text[], ${SEARCH}) on conflict do nothing`,
    listingValues(listing),
  )
}

/** A package's publisher; the package is locked until the transaction ends. Undefined when it is not there. */
export async function lockPackage(tx: Queryable, slug: string): Promise<{ readonly publisher: string } | undefined> {
  const [row] = await tx.query<{ readonly publisher: string }>(
    `/* lockPackage */ select publisher from fleetprompt.packages where slug = $1 for update`,
    [slug],
  )
  return row
}

/** Lists a package as another version of it says. */
export async function updatePackageListing(tx: Queryable, listing: PackageListing): Promise<void> {
  await tx.query(
    `/* updatePackageListing */ update fleetprompt.packages
     set latest_version = $2, name = $3, description = $4, category = $5, publisher = $6, keywords = $7::text[],
       search = ${SEARCH},
       published_at = (select max(published_at) from fleetprompt.package_versions as version where version.slug = $1)
     where slug = $1`,
    listingValues(listing),
  )
}

/** One package, or undefined. */
export async function selectPackage(tx: Queryable, slug: string): Promise<PackageRecord | undefined> {
  const [row] = await tx.query<PackageRecord>(
    `/* selectPackage */ select ${COLUMNS} from ${PACKAGES} where package.slug = $1`,
    [slug],
  )
  return row
}

/**
 * What a list is ordered by. Three votes of 3.5 are added to each package's ratings, so that a single vote does not
 * lead the list. Times are in microseconds, which a float8 holds without loss.
 */
const SCORES: Readonly<Record<PackageSort, string>> = {
  relevance: "ts_rank(package.search, asked.query)::float8",
  installs: "package.installs::float8",
  rating: "(review.total + 3 * 3.5) / (review.reviews + 3)",
  newest: "(extract(epoch from package.published_at) * 1000000)::float8",
}

/** Packages that have a version which was not yanked, the best first. For the engine: ratings are of all tenants. */
export function selectPackages(tx: Queryable, query: PackageQuery): Promise<readonly ListedPackage[]> {
  const { search, category, publisher, keyword, minRating, after, limit } = query
  return tx.query<ListedPackage>(
    `/* selectPackages */ with listed as (
       select ${COLUMNS}, coalesce(${SCORES[query.sort]}, 0) as score
       from ${PACKAGES}
       cross join (select to_tsquery('english', $1::text) as query) as asked
       where ($1::text is null or numnode(asked.query) = 0 or package.search @@ asked.query)
         and ($2::text is null or package.category = $2::text)
         and ($3::text is null or package.publisher = $3::text)
         and ($4::text is null or $4::text = any (package.keywords))
         and ($5::float8 is null or review.rating >= $5::float8)
         and exists (
           select from fleetprompt.package_versions as version
           where version.slug = package.slug and version.status <> 'yanked')
     )
     select * from listed
     where $6::float8 is null or score < $6::float8 or (score = $6::float8 and slug > $7::text collate "C")
     order by score desc, slug limit $8::integer`,
    [search, category, publisher, keyword, minRating, after?.score ?? null, after?.slug ?? null, limit],
  )
}
