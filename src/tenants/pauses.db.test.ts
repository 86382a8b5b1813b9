import { afterAll, beforeAll, expect, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { tenantOf } from "../../test/support/tenant-rows.ts"
import { pausedBy, selectPauses } from "../store/pauses.ts"
import { Placements } from "../store/placements.ts"
import { openPauses, openTenantPauses, type PausesDeps } from "./pauses.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

function depsWith(changes: object[]): () => PausesDeps {
  const deps = {
    database: db.database,
    placements: new Placements(db.database),
    announcer: { changed: (flags: object) => void changes.push(flags) },
  }
  return () => deps
}

test("a pause stands in the database until exactly it is resumed, and each change is announced", async () => {
  const { slug } = await tenantOf(db.database, "own")
  const changes: object[] = []
  const pauses = openPauses(depsWith(changes))
  const first = await pauses.pause({ tenant: slug, handler: "mail.send", reason: "provider is down" })
  expect(first).toEqual({
    tenant: slug,
    handler: "mail.send",
    reason: "provider is down",
    pausedAt: expect.stringMatching(/^\d{4}-.*Z$/),
  })
  // What another process, or this one after a restart, reads.
  const read = await selectPauses(db.database)
  expect(read).toContainEqual(first)
  expect([pausedBy(read)(slug, "mail.send"), pausedBy(read)(slug, "other")]).toEqual([true, false])

  expect(await pauses.resume({ tenant: slug })).toBe(false)
  expect(await pauses.pause({ tenant: slug, handler: "mail.send" })).toEqual(first)
  expect(await pauses.pause({ tenant: slug, handler: "mail.send", reason: "still" })).toEqual({
    ...first,
    reason: "still",
  })
  expect(await pauses.resume({ tenant: slug, handler: "mail.send" })).toBe(true)
  expect(await pauses.resume({ tenant: slug, handler: "mail.send" })).toBe(false)
  expect((await pauses.list()).filter(({ tenant }) => tenant === slug)).toEqual([])
  expect(changes).toEqual(Array.from({ length: 4 }, () => ({ pauses: true })))
})

test("a tenant's door pauses that tenant alone", async () => {
  const { slug } = await tenantOf(db.database, "shared")
  const door = openTenantPauses(slug, depsWith([]))
  await door.pause()
  const read = await selectPauses(db.database)
  expect([pausedBy(read)(slug, "any"), pausedBy(read)("t_other", "any")]).toEqual([true, false])
  expect(await door.resume()).toBe(true)
})

test("a handler of every tenant, and everything, can be paused", async () => {
  const pauses = openPauses(depsWith([]))
  await pauses.pause({ handler: "mail.send" })
  expect(pausedBy(await pauses.list())("any", "mail.send")).toBe(true)
  await pauses.resume({ handler: "mail.send" })
  await pauses.pause({})
  expect(pausedBy(await pauses.list())("any", "thing")).toBe(true)
  await pauses.resume({})
  expect(pausedBy(await pauses.list())("any", "thing")).toBe(false)
})

test("an unknown tenant and a wrong name are refused", async () => {
  const { slug } = await tenantOf(db.database, "own")
  const pauses = openPauses(depsWith([]))
  await expect(pauses.pause({ tenant: `${slug}x` })).rejects.toMatchObject({ code: "tenant_unknown" })
  await expect(pauses.pause({ tenant: "*" })).rejects.toMatchObject({ code: "tenant_invalid" })
  for (const handler of ["*", "", "a b"])
    await expect(pauses.pause({ handler })).rejects.toMatchObject({ code: "query_invalid" })
})
