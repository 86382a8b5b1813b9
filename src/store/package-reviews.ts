import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** What a tenant says of a package. Whose it is stands in none of its fields. */
export interface PackageReviewRecord {
  readonly id: string
  /** 1 to 5. */
  readonly rating: number
  /** For people; may be empty. */
  readonly text: string
  /** Whether its tenant ever installed the package. */
  readonly hasInstalled: boolean
  readonly createdAt: Date
  /** Null: as it was first. */
  readonly editedAt: Date | null
}

/** A review to be kept. */
export interface NewPackageReview extends Pick<PackageReviewRecord, "id" | "rating" | "text"> {
  readonly slug: string
  /** `kind:id` */
  readonly createdBy: string
}

const COLUMNS = `review.id, review.rating, review.text, review.created_at as "createdAt", review.edited_at as "editedAt",
  exists (
    select from fleetprompt.package_installs as install where install.tenant = review.tenant and install.slug = review.slug
  ) as "hasInstalled"`

/** Keeps a tenant's review of a package, in the place of the one before. */
export async function upsertPackageReview(
  tx: Queryable,
  scope: TenantScope,
  { id, slug, rating, text, createdBy }: NewPackageReview,
): Promise<PackageReviewRecord> {
  const rows = await tx.query<PackageReviewRecord>(
    `/* upsertPackageReview */ insert into fleetprompt.package_reviews as review (tenant, id, slug, rating, text, created_by)
     values ($1, $2::text::uuid, $3, $4::smallint, $5, $6)
     on conflict (tenant, slug) do update set rating = excluded.rating, text = excluded.text, edited_at = now()
     returning ${COLUMNS}`,
    [scope.slug, id, slug, rating, text, createdBy],
  )
  // The statement answers with its one row, or throws.
  return rows[0] as PackageReviewRecord
}

/** A tenant's own review of a package, or undefined. */
export async function selectOwnReview(
  tx: Queryable,
  scope: TenantScope,
  slug: string,
): Promise<PackageReviewRecord | undefined> {
  const [row] = await tx.query<PackageReviewRecord>(
    `/* selectOwnReview */ select ${COLUMNS} from fleetprompt.package_reviews as review
     where review.tenant = $1 and review.slug = $2`,
    [scope.slug, slug],
  )
  return row
}

/** Removes a tenant's review. @returns whether there was one */
export async function deletePackageReview(tx: Queryable, scope: TenantScope, slug: string): Promise<boolean> {
  const rows = await tx.query(
    `/* deletePackageReview */ delete from fleetprompt.package_reviews where tenant = $1 and slug = $2 returning id`,
    [scope.slug, slug],
  )
  return rows.length > 0
}

/** All tenants' reviews of a package, the latest first, written before one of them. For the engine. */
export function selectPackageReviews(
  tx: Queryable,
  slug: string,
  before: string | undefined,
  limit: number,
): Promise<readonly PackageReviewRecord[]> {
  return tx.query<PackageReviewRecord>(
    `/* selectPackageReviews */ select ${COLUMNS} from fleetprompt.package_reviews as review
     where review.slug = $1 and ($2::text is null or (review.created_at, review.id) <
       (select created_at, id from fleetprompt.package_reviews where id = $2::text::uuid))
     order by review.created_at desc, review.id desc limit $3::integer`,
    [slug, before ?? null, limit],
  )
}

/** How many reviews of a package gave 1, 2, 3, 4 and 5. For the engine. */
export async function selectRatings(tx: Queryable, slug: string): Promise<readonly number[]> {
  const rows = await tx.query<{ readonly rating: number; readonly count: number }>(
    `/* selectRatings */ select rating, count(*)::integer as count from fleetprompt.package_reviews
     where slug = $1 group by rating`,
    [slug],
  )
  return [1, 2, 3, 4, 5].map((rating) => rows.find((row) => row.rating === rating)?.count ?? 0)
}
