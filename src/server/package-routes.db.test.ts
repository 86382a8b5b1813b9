import { afterAll, beforeAll, expect, test } from "vitest"
import { sendAs } from "../../test/support/http-people.ts"
import { labels, notingTemplates, triage } from "../../test/support/package-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet } from "../../test/support/test-fleet.ts"
import { NO_TENANT } from "../access/policy.ts"
import type { Principal } from "../access/principal.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

async function shop() {
  const { templates } = notingTemplates()
  const { fleet, tenant } = await testFleet(db.database, { templates })
  const opal: Principal = { kind: "operator", id: "opal", tenant: NO_TENANT, role: "operator" }
  const olga: Principal = { kind: "host", id: "olga", tenant: tenant.slug, role: "owner" }
  return { fleet, tenant, send: sendAs(fleet), opal, olga, mia: { ...olga, id: "mia", role: "member" } as Principal }
}

test("the catalogue: published by an operator, found, looked at, reviewed, yanked", async () => {
  const { fleet, send, opal, olga, mia } = await shop()
  expect((await send(olga, "POST", "/v1/packages", labels)).status).toBe(403)
  const first = await send(opal, "POST", "/v1/packages", labels)
  expect([200, 201]).toContain(first.status)
  expect((await send(opal, "POST", "/v1/packages", labels)).body).toMatchObject({ inserted: false })
  expect((await send(opal, "POST", "/v1/packages", { ...labels, name: "Other" })).body["code"]).toBe("package_conflict")
  expect((await send(opal, "POST", "/v1/packages", { slug: "x" })).body["code"]).toBe("package_invalid")
  const found = await send(mia, "GET", "/v1/packages?search=labels&sort=newest&limit=5")
  expect(found.body["packages"]).toMatchObject([{ slug: "labels", latestVersion: "1.0.0" }])
  expect((await send(mia, "GET", "/v1/packages/labels")).body).toMatchObject({
    slug: "labels",
    manifest: { name: "Labels" },
  })
  expect((await send(mia, "GET", "/v1/packages/labels/versions")).body["versions"]).toHaveLength(1)
  expect((await send(mia, "GET", "/v1/packages/labels/versions/1.0.0")).body).toMatchObject({ slug: "labels" })
  expect((await send(mia, "GET", "/v1/packages/labels/versions/9.9.9")).status).toBe(404)
  expect((await send(olga, "PUT", "/v1/packages/labels/review", { rating: 6 })).body["code"]).toBe("review_invalid")
  expect((await send(olga, "PUT", "/v1/packages/labels/review", { rating: 4, text: "Good." })).body).toMatchObject({
    rating: 4,
  })
  expect((await send(mia, "GET", "/v1/packages/labels/reviews")).body["reviews"]).toMatchObject([{ text: "Good." }])
  expect((await send(olga, "DELETE", "/v1/packages/labels/review")).status).toBe(204)
  expect((await send(olga, "GET", "/v1/packages/labels/review")).status).toBe(404)
  const yanked = await send(opal, "POST", "/v1/packages/labels/versions/1.0.0/yank", { reason: "wrong names" })
  expect(yanked.body).toMatchObject({ status: "yanked", statusReason: "wrong names" })
  expect((await send(opal, "POST", "/v1/packages/labels/versions/1.0.0/unyank")).body).toMatchObject({
    status: "published",
  })
  const { entries } = await fleet.audit.list({ action: "package.yank" })
  expect(entries).toMatchObject([{ actor: { id: "opal", role: "operator" } }])
})

test("an installation: planned, ordered once, used, disabled, uninstalled", async () => {
  const { fleet, tenant, send, olga, mia } = await shop()
  await fleet.packages.publish(labels)
  await fleet.packages.publish(triage)
  const plan = await send(mia, "POST", "/v1/installations/plan", { slug: "triage" })
  expect(plan.body).toMatchObject({
    action: "install",
    version: "1.0.0",
    dependencies: [{ package: "labels" }],
    problems: [],
  })
  const ended = async (path: string, body: object = {}) => {
    const ordered = await send(olga, "POST", path, body)
    expect([path, ordered.status]).toEqual([path, 202])
    return tenant.directives.wait((ordered.body["directive"] as { id: string }).id)
  }
  const wish = { slug: "triage", config: { label: "defect" }, reason: "to try it" }
  expect(await ended("/v1/installations", wish)).toMatchObject({ status: "completed", actor: { id: "olga" } })
  expect((await send(olga, "POST", "/v1/installations", wish)).body).toMatchObject({ inserted: false })
  expect((await send(mia, "GET", "/v1/installations?status=active")).body["installations"]).toHaveLength(2)
  const detail = (await send(mia, "GET", "/v1/installations/triage")).body
  expect(detail).toMatchObject({ installation: { version: "1.0.0", config: { label: "defect" } } })
  const run = await send(mia, "POST", "/v1/installations/triage/actions/add", { input: { a: 1, b: 2 } })
  expect([run.status, run.body]).toEqual([200, { result: { sum: 3, by: "defect" } }])
  const wrong = await send(mia, "POST", "/v1/installations/triage/actions/add", { input: { a: "1" } })
  expect([wrong.status, wrong.body["code"]]).toEqual([422, "action_input_invalid"])
  expect((await send(mia, "POST", "/v1/installations/triage/disable")).status).toBe(403)
  await ended("/v1/installations/triage/disable")
  expect(
    (await send(mia, "POST", "/v1/installations/triage/actions/add", { input: { a: 1, b: 2 } })).body["code"],
  ).toBe("installation_state")
  await ended("/v1/installations/triage/enable")
  expect((await send(olga, "POST", "/v1/installations/triage/rollback")).body["code"]).toBe("installation_state")
  expect((await send(olga, "POST", "/v1/installations/labels/uninstall")).body["code"]).toBe("installation_needed")
  await ended("/v1/installations/triage/uninstall")
  expect((await send(olga, "POST", "/v1/installations/triage/upgrade")).body["code"]).toBe("installation_unknown")
})

test("schedules are everybody's to read and an operator's to stop", async () => {
  const { send, opal, olga, mia } = await shop()
  const listed = await send(mia, "GET", "/v1/schedules")
  expect([listed.status, Array.isArray(listed.body["schedules"])]).toEqual([200, true])
  expect((await send(olga, "POST", "/v1/schedules/none/pause")).status).toBe(403)
  expect((await send(opal, "POST", "/v1/schedules/none/pause")).body["code"]).toBe("schedule_unknown")
  expect((await send(mia, "GET", "/v1/health")).body).toMatchObject({ ready: true })
})
