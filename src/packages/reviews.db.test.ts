import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { sampleManifest } from "../../test/support/sample-manifest.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { actingAs } from "../access/acting.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import type { Review } from "./reviews.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

let made = 0

async function reviewed() {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  const slug = `r${++made}-${testSlug().slice(2, 8)}`
  await fleet.packages.publish(sampleManifest({ slug, publisher: slug }))
  const other = testSlug("other")
  await fleet.tenants.provision(other)
  return { fleet, packages: fleet.packages, slug, a: tenant.slug, b: other }
}

test("a tenant has one review of a package, which it may change and take back", async () => {
  const { fleet, packages, slug, a } = await reviewed()
  const first = await packages.review(a, slug, { rating: 4, text: "  It works. " })
  expect(first).toMatchObject({ rating: 4, text: "It works.", hasInstalled: false, editedAt: null })
  await packages.countInstall(a, slug, "1.0.0")
  const second = await packages.review(a, slug, { rating: 2 })
  expect(second).toMatchObject({ id: first.id, rating: 2, text: "", hasInstalled: true, editedAt: expect.any(Date) })
  expect((await packages.reviews(slug)).reviews).toEqual([second])
  expect(await packages.ownReview(a, slug)).toEqual(second)
  expect(await packages.removeReview(a, slug)).toBe(true)
  expect(await packages.removeReview(a, slug)).toBe(false)
  expect(await packages.ownReview(a, slug)).toBeUndefined()
  const { entries } = await fleet.tenant(a).audit.list({ resource: `package:${slug}` })
  expect(entries.map(({ action }) => action)).toEqual(["package.review.remove", "package.review", "package.review"])
})

test("all tenants' reviews make the rating, and none says whose it is", async () => {
  const { packages, slug, a, b } = await reviewed()
  await packages.review(a, slug, { rating: 5, text: "great" })
  await packages.review(b, slug, { rating: 2, text: "not so" })
  expect(await packages.get(slug)).toMatchObject({ rating: 3.5, reviews: 2, ratings: [0, 1, 0, 0, 1] })
  const { reviews, next } = await packages.reviews(slug, { limit: 1 })
  expect([reviews.map(({ text }) => text), next]).toEqual([["not so"], reviews[0]?.id])
  const rest = await packages.reviews(slug, { limit: 1, before: next ?? "" })
  expect([rest.reviews.map(({ text }) => text), rest.next]).toEqual([["great"], null])
  expect(JSON.stringify([...reviews, ...rest.reviews])).not.toMatch(new RegExp(`${a}|${b}`))
})

test("what looks like a secret in a review is masked", async () => {
  const { packages, slug, a } = await reviewed()
  const token = `ghp_${"A1b2C3d4E5".repeat(4).slice(0, 36)}`
  const { text } = await packages.review(a, slug, { rating: 1, text: `my token ${token} leaked` })
  expect(text).toMatch(/^my token \[redacted:/)
})

describe("who may not", () => {
  test.each<[string, Review]>([
    ["a rating of 0", { rating: 0 }],
    ["a rating of 6", { rating: 6 }],
    ["half a rating", { rating: 1.5 }],
    ["a text that is too long", { rating: 3, text: "x".repeat(4_001) }],
    ["a text that cannot be stored", { rating: 3, text: "a\u0000" }],
  ])("give %s", async (_name, review) => {
    const { packages, slug, a } = await reviewed()
    await expect(packages.review(a, slug, review)).rejects.toMatchObject({ code: "review_invalid" })
  })

  test("a package that is not there, a tenant that is not there", async () => {
    const { packages, slug, a } = await reviewed()
    await expect(packages.review(a, "nothing", { rating: 1 })).rejects.toMatchObject({ code: "package_unknown" })
    await expect(packages.review("nobody", slug, { rating: 1 })).rejects.toMatchObject({ code: "tenant_unknown" })
  })

  test("members, operators, and whoever is another tenant's", async () => {
    const { fleet, packages, slug, a, b } = await reviewed()
    const as = (role: "owner" | "admin" | "member" | "operator", tenant: string) => ({
      by: actingAs(fleet.access, { kind: role === "operator" ? "operator" : "user", id: "mia", tenant, role }),
    })
    for (const role of ["member", "operator"] as const) {
      await expect(packages.review(a, slug, { rating: 1 }, as(role, a))).rejects.toMatchObject({ code: "forbidden" })
      await expect(packages.removeReview(a, slug, as(role, a))).rejects.toMatchObject({ code: "forbidden" })
    }
    await expect(packages.review(a, slug, { rating: 1 }, as("owner", b))).rejects.toMatchObject({ code: "not_found" })
    for (const role of ["owner", "admin"] as const) await packages.review(a, slug, { rating: 5 }, as(role, a))
  })

  test("statements of one tenant, on another's reviews", async () => {
    const { packages, slug, a, b } = await reviewed()
    await packages.review(a, slug, { rating: 5, text: "mine" })
    const asB = (statement: string, values: readonly unknown[]) =>
      withinTenant(db.database, tenantScope(b), (tx) => tx.query(statement, values))
    expect(await asB("select * from fleetprompt.package_reviews where slug = $1", [slug])).toEqual([])
    expect(await asB("update fleetprompt.package_reviews set rating = 1 where slug = $1 returning 1", [slug])).toEqual(
      [],
    )
    expect(await asB("delete from fleetprompt.package_reviews where slug = $1 returning 1", [slug])).toEqual([])
    const insert =
      "insert into fleetprompt.package_reviews (tenant, id, slug, rating, text, created_by) values ($1, gen_random_uuid(), $2, 1, '', 'x')"
    await expect(asB(insert, [a, slug])).rejects.toMatchObject({ code: "42501" })
    expect(await packages.ownReview(a, slug)).toMatchObject({ rating: 5, text: "mine" })
    expect(await packages.ownReview(b, slug)).toBeUndefined()
  })
})
