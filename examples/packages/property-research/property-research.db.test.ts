import { afterAll, beforeAll, expect, test } from "vitest"
import { exampleFleet, type ExampleFleet } from "../../../test/support/example-rig.ts"
import { testDatabase, type TestDatabase } from "../../../test/support/test-database.ts"
import type { JsonObject } from "../../../src/signal/json.ts"
import { PROPERTY_SOURCES } from "../connectors/property-api.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const HOUSE = { address: "7 Guerrero St, San Francisco" }

async function researching(config: JsonObject = {}): Promise<ExampleFleet> {
  const rig = await exampleFleet(db.database)
  const credentials = { zillow: await rig.credential("zillow"), realtor: await rig.credential("realtor") }
  await rig.install("property-research", { credentials, config })
  return rig
}

test("five sources are asked at the same time", async () => {
  const { follow, fakes, dataOf } = await researching()
  // It answers none before all five wait.
  fakes.property.tell({ path: "/", kind: "gather", count: 5 })
  await follow("property.research.requested", HOUSE)
  expect(fakes.property.mostAtOnce()).toBe(5)
  expect(await dataOf("property.researched")).toMatchObject([
    { ...HOUSE, lead_id: null, missing: [], answered: 5, asked: 5, found: { permits: { facts: { open: 1 } } } },
  ])
})

test("never more are asked at once than the tenant says", async () => {
  const { follow, fakes, dataOf } = await researching({ max_concurrency: 2 })
  fakes.property.tell({ path: "/", kind: "gather", count: 2, times: 4 })
  await follow("property.research.requested", HOUSE)
  expect(fakes.property.mostAtOnce()).toBe(2)
  expect(
    fakes.property
      .seen()
      .map(({ path }) => path.slice(1))
      .toSorted(),
  ).toEqual([...PROPERTY_SOURCES].toSorted())
  expect(await dataOf("property.researched")).toMatchObject([{ answered: 5 }])
})

test("sources that fail, are busy or never answer are told beside those that answered", async () => {
  const { follow, fakes, dataOf } = await researching({ timeout_ms: 5_000 })
  fakes.property.tell({ path: "/zillow", kind: "fail", status: 500 })
  fakes.property.tell({ path: "/realtor", kind: "fail", status: 429, retryAfterS: 60 })
  fakes.property.tell({ path: "/permits", kind: "hang" })
  fakes.property.tell({ path: "/tax_records", kind: "lose-answer" })
  const { deliveries } = await follow("property.research.requested", HOUSE)
  expect(deliveries).toMatchObject([{ handler: "property-research.research", status: "done", attempts: 1 }])
  const [data] = await dataOf("property.researched")
  expect(data).toMatchObject({
    answered: 1,
    asked: 5,
    missing: [
      { source: "zillow", reason: "status 500" },
      { source: "realtor", reason: "status 429" },
      { source: "tax_records", reason: "no answer" },
      { source: "permits", reason: "no answer within 5000 ms" },
    ],
  })
  expect(Object.keys((data as { readonly found: object }).found)).toEqual(["public_records"])
})

test("with fewer answers than asked for all are asked again, and what is told is complete", async () => {
  const { follow, fakes, dataOf } = await researching({ min_answers: 5 })
  fakes.property.tell({ path: "/permits", kind: "fail", status: 500, times: 1 })
  const { deliveries } = await follow("property.research.requested", HOUSE)
  expect(deliveries).toMatchObject([{ status: "done", attempts: 2 }])
  expect(JSON.stringify(deliveries)).toContain("got 4 (permits: status 500); they are asked again")
  expect(await dataOf("property.researched")).toMatchObject([{ answered: 5, missing: [] }])
})

test("a source whose credential is optional and was not given is told as missing", async () => {
  const { install, follow, dataOf, tenant } = await exampleFleet(db.database)
  expect((await tenant.packages.plan({ slug: "property-research" })).problems).toEqual([])
  await install("property-research")
  await follow("property.research.requested", HOUSE)
  expect(await dataOf("property.researched")).toMatchObject([
    {
      answered: 3,
      missing: [
        { source: "zillow", reason: "no credential was given" },
        { source: "realtor", reason: "no credential was given" },
      ],
    },
  ])
})

test("its action asks those that the tenant chose, and answers at once", async () => {
  const { tenant, fakes } = await researching({ sources: ["permits", "zillow"] })
  const found = await tenant.packages.execute("property-research", "look-up", HOUSE)
  expect(found).toMatchObject({ asked: 2, answered: 2, found: { zillow: {}, permits: {} } })
  expect(fakes.property.seen()).toHaveLength(2)
})
