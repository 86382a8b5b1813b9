import { type ActingOptions, system } from "../access/acting.ts"
import { checkedId, checkListLimit } from "../access/person-fields.ts"
import { appendAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import { redactText } from "../guard/redact.ts"
import { newId } from "../signal/id.ts"
import { textFault } from "../signal/json.ts"
import type { Transaction } from "../store/database.ts"
import {
  deletePackageReview,
  type PackageReviewRecord,
  selectOwnReview,
  selectPackageReviews,
  upsertPackageReview,
} from "../store/package-reviews.ts"
import { selectPackage } from "../store/packages.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import type { CatalogueDeps } from "./catalogue-deps.ts"

/** What a tenant says of a package. */
export interface Review {
  /** 1 to 5, whole. */
  readonly rating: number
  /** For people, at most 4,000 characters. What looks like a secret is replaced by a marker. Default: none. */
  readonly text?: string
}

/** Which reviews of a list. */
export interface ReviewListOptions {
  /** Only those written before this one: the `next` of the page before. */
  readonly before?: string
  /** 1 to 500. Default 100. */
  readonly limit?: number
}

/** Some reviews, and where the next page begins; null after the last. */
export interface ReviewPage {
  readonly reviews: readonly PackageReviewRecord[]
  readonly next: string | null
}

const MAX_TEXT = 4_000

/** @throws FleetPromptError `review_invalid`, `package_unknown`, `tenant_unknown`, `forbidden` */
export async function reviewPackage(
  tenant: string,
  slug: string,
  review: Review,
  { by = system }: ActingOptions,
  deps: CatalogueDeps,
): Promise<PackageReviewRecord> {
  by.authorise("reviews:write", { tenant })
  const { rating, text } = checkReview(review)
  if (!(await selectPackage(deps.database, slug)))
    throw new FleetPromptError(
      "package_unknown",
      `expected a package that the catalogue has, got ${JSON.stringify(slug)}`,
    )
  const { kind, id } = by.actor
  return within(tenant, deps, async (tx, scope) => {
    const kept = await upsertPackageReview(tx, scope, { id: newId(), slug, rating, text, createdBy: `${kind}:${id}` })
    const entry = { action: "package.review", resource: `package:${slug}`, actor: by.actor, details: { rating } }
    await appendAudit(tx, scope, [entry])
    return kept
  })
}

/** What a tenant said of a package, or undefined. */
export async function ownReview(
  tenant: string,
  slug: string,
  deps: CatalogueDeps,
): Promise<PackageReviewRecord | undefined> {
  return within(tenant, deps, (tx, scope) => selectOwnReview(tx, scope, slug))
}

/** @throws FleetPromptError `tenant_unknown`, `forbidden` */
export async function removeReview(
  tenant: string,
  slug: string,
  { by = system }: ActingOptions,
  deps: CatalogueDeps,
): Promise<boolean> {
  by.authorise("reviews:write", { tenant })
  return within(tenant, deps, async (tx, scope) => {
    const removed = await deletePackageReview(tx, scope, slug)
    if (removed)
      await appendAudit(tx, scope, [{ action: "package.review.remove", resource: `package:${slug}`, actor: by.actor }])
    return removed
  })
}

/** @throws FleetPromptError `query_invalid` */
export async function listReviews(
  slug: string,
  { before, limit }: ReviewListOptions,
  { database }: CatalogueDeps,
): Promise<ReviewPage> {
  const most = checkListLimit(limit)
  const from = before === undefined ? undefined : checkedId(before)
  const found = await selectPackageReviews(database, slug, from, most + 1)
  return { reviews: found.slice(0, most), next: found.length > most ? (found[most - 1]?.id ?? null) : null }
}

async function within<Result>(
  tenant: string,
  { database, scopeOf }: CatalogueDeps,
  run: (tx: Transaction, scope: TenantScope) => Promise<Result>,
): Promise<Result> {
  const scope = await scopeOf(tenant)
  return withinTenant(database, scope, (tx) => run(tx, scope))
}

function checkReview({ rating, text = "" }: Review): Required<Review> {
  if (!Number.isInteger(rating) || rating < 1 || rating > 5) throw invalid("rating", "a whole number from 1 to 5")
  const isText = typeof text === "string" && Array.from(text).length <= MAX_TEXT && textFault(text) === undefined
  if (!isText) throw invalid("text", `a text of at most ${MAX_TEXT} characters`)
  return { rating, text: Array.from(redactText(text.trim())).slice(0, MAX_TEXT).join("") }
}

function invalid(path: string, expected: string): FleetPromptError {
  return new FleetPromptError("review_invalid", `expected ${expected} as ${path}, got something else; correct it`, {
    path,
  })
}
