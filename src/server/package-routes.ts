import { z } from "zod"
import type { PackageFilter } from "../packages/list-packages.ts"
import { notFound } from "./problem.ts"
import { type Asked, byCaller, type Call, madeOrFound, may, mayAct, route, type Route } from "./route.ts"
import { limit, noted, place, reason, text } from "./schemas/fields.ts"
import {
  manifest,
  packageDetail,
  packagePage,
  packageVersion,
  published,
  review,
  reviewPage,
} from "./schemas/package-schemas.ts"

const tag = "Packages"
const access = may("packages:read", ({ params: { slug } }) => bySlug(slug))
const params = z.object({ slug: text("Of the package.") })
const ofVersion = z.object({ slug: text("Of the package."), version: text("Semantic version.") })
/** Longest manifest, bytes, and what is around it. */
const MAX_MANIFEST_BYTES = 524_288

const listPackages = route({
  method: "GET",
  path: "/v1/packages",
  name: "listPackages",
  tag,
  summary: "The catalogue, the best first, by pages.",
  access,
  query: z.object({
    search: text("Words; the beginning of a word is enough.").exactOptional(),
    category: text("Only these.").exactOptional(),
    publisher: text("Only theirs.").exactOptional(),
    keyword: text("Only with this one.").exactOptional(),
    minRating: noted(z.coerce.number().min(1).max(5), "The mean of its ratings is at least this.").exactOptional(),
    sort: noted(
      z.enum(["relevance", "installs", "rating", "newest"]),
      "Default `relevance` with a search, else `installs`.",
    ).exactOptional(),
    limit: limit(500, 100),
    after: place("The `next` of the page before."),
  }),
  answers: { 200: packagePage },
  run: ({ fleet, query }) => fleet.packages.list(query satisfies PackageFilter),
})

const getPackage = route({
  method: "GET",
  path: "/v1/packages/:slug",
  name: "getPackage",
  tag,
  summary: "One package with its versions, what it needs, and who needs it.",
  access,
  params,
  answers: { 200: packageDetail },
  run: found,
})

const listVersions = route({
  method: "GET",
  path: "/v1/packages/:slug/versions",
  name: "listPackageVersions",
  tag,
  summary: "All versions of a package, the highest first.",
  access,
  params,
  answers: { 200: z.object({ versions: z.array(packageVersion) }) },
  run: async (call) => ({ versions: (await found(call)).versions }),
})

const getManifest = route({
  method: "GET",
  path: "/v1/packages/:slug/versions/:version",
  name: "getPackageManifest",
  tag,
  summary: "The manifest of a version.",
  access,
  params: ofVersion,
  answers: { 200: manifest },
  run: async ({ fleet, params: { slug, version } }) => {
    const read = await fleet.packages.manifest(slug, version)
    if (!read) throw notFound("a version of a package")
    return read
  },
})

const publishPackage = route({
  method: "POST",
  path: "/v1/packages",
  name: "publishPackage",
  tag,
  summary: "Puts a version into the catalogue, for good.",
  access: mayAct("packages:publish"),
  body: manifest,
  maxBodyBytes: MAX_MANIFEST_BYTES,
  refusedAs: "package_invalid",
  answers: { 200: published, 201: published },
  errors: ["package_conflict"],
  run: async (call) => madeOrFound(await call.fleet.packages.publish(call.body, byCaller(call))),
})

/** A route that gives a version another status. */
function change(act: "deprecate" | "undeprecate" | "yank" | "unyank", summary: string): Route {
  return route({
    method: "POST",
    path: `/v1/packages/:slug/versions/:version/${act}`,
    name: `${act}PackageVersion`,
    tag,
    summary,
    access: mayAct("packages:publish", ({ params: { slug } }) => bySlug(slug)),
    params: ofVersion,
    body: z.object({ reason }),
    answers: { 200: packageVersion },
    errors: ["package_unknown", "query_invalid"],
    run: (call) => call.fleet.packages[act](call.params.slug, call.params.version, { ...call.body, ...byCaller(call) }),
  })
}

const listReviews = route({
  method: "GET",
  path: "/v1/packages/:slug/reviews",
  name: "listPackageReviews",
  tag,
  summary: "What all tenants say of a package, the latest first, by pages; whose a review is, it does not tell.",
  access,
  params,
  query: z.object({ limit: limit(500, 100), before: place("The `next` of the page before.") }),
  answers: { 200: reviewPage },
  run: ({ fleet, params: { slug }, query }) => fleet.packages.reviews(slug, query),
})

const ofOwnReview = ({ principal, params: { slug } }: Asked) => ({ ...bySlug(slug), tenant: principal.tenant })

const getReview = route({
  method: "GET",
  path: "/v1/packages/:slug/review",
  name: "getOwnReview",
  tag,
  summary: "What the caller's tenant said of a package.",
  access: may("reviews:write", ofOwnReview),
  params,
  answers: { 200: review },
  run: async ({ fleet, principal, params: { slug } }) => {
    const own = await fleet.packages.ownReview(principal.tenant, slug)
    if (!own) throw notFound("a review")
    return own
  },
})

const writeReview = route({
  method: "PUT",
  path: "/v1/packages/:slug/review",
  name: "writeReview",
  tag,
  summary: "Says what the caller's tenant thinks of a package, in the place of what it said before.",
  access: mayAct("reviews:write", ofOwnReview),
  params,
  body: z.object({
    rating: noted(z.int().min(1).max(5), "1 to 5."),
    text: text("For people, at most 4,000 characters.").exactOptional(),
  }),
  refusedAs: "review_invalid",
  answers: { 200: review },
  errors: ["package_unknown"],
  run: (call) => call.fleet.packages.review(call.principal.tenant, call.params.slug, call.body, byCaller(call)),
})

const removeReview = route({
  method: "DELETE",
  path: "/v1/packages/:slug/review",
  name: "removeReview",
  tag,
  summary: "Takes the review of the caller's tenant back.",
  access: mayAct("reviews:write", ofOwnReview),
  params,
  answers: { 204: null },
  run: async (call) => {
    const removed = await call.fleet.packages.removeReview(call.principal.tenant, call.params.slug, byCaller(call))
    if (!removed) throw notFound("a review")
  },
})

/** The catalogue, and what tenants say of it. */
export const packageRoutes: readonly Route[] = [
  listPackages,
  publishPackage,
  getPackage,
  listVersions,
  getManifest,
  change("deprecate", "Lets a version be chosen only when nothing else fits."),
  change("undeprecate", "Takes a deprecation back."),
  change("yank", "Lets a version be chosen no more; those who have it keep it."),
  change("unyank", "Lets a version be chosen again."),
  listReviews,
  getReview,
  writeReview,
  removeReview,
]

async function found({ fleet, params: { slug } }: Call<{ readonly slug: string }>) {
  const detail = await fleet.packages.get(slug)
  if (!detail) throw notFound("a package")
  return detail
}

function bySlug(slug: string | undefined) {
  return slug === undefined ? {} : { id: slug }
}
