import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { interceptDatabase } from "../../../test/support/intercepted-database.ts"
import { dumpOf, labels, notingTemplates, publishAll, triage, triageNext } from "../../../test/support/package-rig.ts"
import { testDatabase, type TestDatabase } from "../../../test/support/test-database.ts"
import { testFleet } from "../../../test/support/test-fleet.ts"
import { defineHandler } from "../../delivery/handler.ts"
import { tenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import type { Tenant } from "../../tenants/tenant.ts"
import type { PackageManifest } from "../manifest.ts"
import type { PackageOrdered } from "./tenant-packages.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** A fleet in which one statement can be made to fail, once. */
async function frailFleet(manifests: readonly PackageManifest[] = [labels, triage, triageNext]) {
  let failing: { readonly name: string; nth: number } | undefined
  const database = interceptDatabase(db.database, ({ name, run }) => {
    if (failing?.name !== name || --failing.nth > 0) return run()
    failing = undefined
    return Promise.reject(new Error("no room on the shelf"))
  })
  const seen = notingTemplates()
  const listener = defineHandler({ name: "host.labelled", on: "issue.labelled", run: () => {} })
  const made = await testFleet(database, { templates: seen.templates, handlers: [listener] })
  await publishAll(made.fleet, manifests)
  const failNext = (name: string, nth = 1): void => void (failing = { name, nth })
  return { ...made, ...seen, failNext, hasFailed: () => failing === undefined }
}

async function ended(tenant: Tenant, ordered: Promise<PackageOrdered>) {
  const { directive } = await ordered
  return tenant.directives.wait(directive.id)
}

const DONE = { status: "completed", errorMessage: null }

describe("an install that fails", () => {
  test.each([
    ["insertSnapshot", 1],
    ["updateInstallation", 1],
    ["insertInstallation", 1],
    ["deletePackageRecords", 2],
    ["upsertPackageRecords", 1],
    ["upsertPackageRecords", 2],
    ["upsertBindings", 1],
    ["upsertBindings", 2],
    ["enableBindings", 1],
    ["enableBindings", 2],
    ["insertSnapshot", 3],
    ["addInstall", 2],
  ])("at %s, call %i, leaves the tenant as it was", async (name, nth) => {
    const { tenant, failNext, hasFailed } = await frailFleet()
    const before = await dumpOf(db.database, tenant.slug)
    const ordered = await tenant.packages.install({ slug: "triage", version: "1.0.0" })
    // The request made its own row before.
    failNext(name, nth)
    const directive = await tenant.directives.wait(ordered.directive.id)
    expect(hasFailed()).toBe(true)
    expect(directive).toMatchObject({ status: "failed", errorMessage: "no room on the shelf" })
    expect(await dumpOf(db.database, tenant.slug)).toBe(before)
    const types = (await tenant.directives.trail(directive.id)).map(({ type }) => type)
    expect(types).toEqual(expect.arrayContaining(["package.install.failed", "directive.failed"]))
    expect(types).not.toContain("package.install.completed")
    expect(await tenant.packages.get(ordered.installationId)).toMatchObject({
      installation: { status: "failed", error: { kind: "error", message: "no room on the shelf" } },
    })
    // And nothing stands in the way of the next one.
    expect(await ended(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0" }))).toMatchObject(DONE)
  })
})

describe("an upgrade", () => {
  test("changes what differs and nothing else; the tenant's state and what is queued stay", async () => {
    const { tenant, notes, fleet } = await frailFleet()
    await ended(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0", config: { label: "defect" } }))
    const { installation } = (await tenant.packages.get("triage")) ?? {}
    const scope = tenantScope(tenant.slug)
    await withinTenant(db.database, scope, (tx) =>
      tx.query(`update ${scope.schema}.package_records set state = '{"runs": 7}' where kind in ('agent', 'schedule')`),
    )
    await tenant.pauses.pause({ handler: "triage.label" })
    const [, schedule] = (await tenant.packages.get("triage"))?.records ?? []
    await tenant.emit("issue.opened", {})
    const plan = await fleet.packages.plan(tenant.slug, { slug: "triage" })
    expect(plan).toMatchObject({ action: "upgrade", from: "1.0.0", version: "1.1.0", problems: [] })
    expect(plan.changes.map(({ part, name, change }) => `${part} ${name} ${change}`)).toEqual([
      "agents triager changed",
      "workflows weekly removed",
      "sensors inbox created",
      "handlers close created",
      "handlers label changed",
    ])
    expect(plan.brokenConsumers).toEqual([
      { signal: "issue.labelled", handler: "host.labelled", package: null, reasons: ["it is not emitted any more"] },
    ])
    const upgraded = await ended(tenant, tenant.packages.upgrade({ slug: "triage" }))
    expect(upgraded).toMatchObject({ ...DONE, result: { version: "1.1.0" } })
    const detail = await tenant.packages.get("triage")
    expect(detail).toMatchObject({
      installation: { id: installation?.id, version: "1.1.0", status: "active", config: { label: "defect" } },
      records: [
        {
          name: "triager",
          version: "1.1.0",
          state: { runs: 7 },
          data: { with: { prompt: "Label it defect, politely." } },
        },
        { ...schedule, version: "1.0.0", state: { runs: 7 } },
        { name: "inbox", version: "1.1.0", state: {} },
      ],
    })
    expect(detail?.bindings.map(({ handler }) => handler)).toEqual(["triage.close", "triage.label"])
    await tenant.pauses.resume({ handler: "triage.label" })
    await expect
      .poll(() => notes, { timeout: 30_000 })
      .toEqual([`${tenant.slug} triage 1.1.0 issue.opened: politely label defect`])
    expect(await tenant.packages.upgrade({ slug: "triage" })).toMatchObject({
      inserted: false,
      directive: { id: upgraded.id },
    })
  })

  test("is rolled back to what was before it, and may be made again", async () => {
    const { tenant } = await frailFleet()
    await ended(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0" }))
    await expect(tenant.packages.rollback("triage")).rejects.toMatchObject({ code: "installation_state" })
    const before = await tenant.packages.get("triage")
    const first = await tenant.packages.upgrade({ slug: "triage" })
    await tenant.directives.wait(first.directive.id)
    const rolledBack = await ended(tenant, tenant.packages.rollback("triage"))
    expect(rolledBack).toMatchObject({ ...DONE, result: { version: "1.0.0" } })
    const after = await tenant.packages.get("triage")
    expect(after?.records).toEqual(before?.records)
    expect(after?.bindings).toEqual(before?.bindings)
    expect(after?.installation).toMatchObject({ version: "1.0.0", status: "active", upgradeId: null })
    const second = await tenant.packages.upgrade({ slug: "triage" })
    expect(second.directive.idempotencyKey).toBe(`${first.directive.idempotencyKey}:1`)
    expect(await tenant.directives.wait(second.directive.id)).toMatchObject(DONE)
  })

  test.each([
    ["insertSnapshot", 1],
    ["updateInstallation", 1],
    ["deletePackageRecords", 1],
    ["upsertPackageRecords", 1],
    ["removeBindings", 1],
    ["upsertBindings", 1],
    ["insertSnapshot", 2],
    ["addInstall", 1],
  ])("that fails at %s, call %i, leaves the tenant as it was", async (name, nth) => {
    const { tenant, failNext, hasFailed } = await frailFleet()
    await ended(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0" }))
    const before = withoutMoments(await dumpOf(db.database, tenant.slug))
    failNext(name, nth)
    const directive = await ended(tenant, tenant.packages.upgrade({ slug: "triage" }))
    expect(hasFailed()).toBe(true)
    expect(directive).toMatchObject({ status: "failed", errorMessage: "no room on the shelf" })
    expect(withoutMoments(await dumpOf(db.database, tenant.slug))).toBe(before)
    expect(await ended(tenant, tenant.packages.upgrade({ slug: "triage" }))).toMatchObject(DONE)
  })
})

/** A binding that was taken away and put back was made at another moment. */
function withoutMoments(dump: string): string {
  return dump.replaceAll(/"created_at": "[^"]*"/g, '"created_at": ""')
}
