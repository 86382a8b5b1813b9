import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { labels, notingTemplates, publishAll, reporter, triage, triageNext } from "../../../test/support/package-rig.ts"
import { testDatabase, type TestDatabase } from "../../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../../test/support/test-fleet.ts"
import { tenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"
import type { Tenant } from "../../tenants/tenant.ts"
import { configChecksum } from "../config.ts"
import type { PackageOrdered } from "./tenant-packages.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** A fleet whose catalogue has the packages of the rig. */
async function packageFleet() {
  const seen = notingTemplates()
  const made = await testFleet(db.database, { templates: seen.templates })
  await publishAll(made.fleet, [labels, triage, triageNext, reporter])
  return { ...made, ...seen }
}

async function done(tenant: Tenant, ordered: Promise<PackageOrdered>): Promise<PackageOrdered> {
  const got = await ordered
  expect(await tenant.directives.wait(got.directive.id)).toMatchObject({ status: "completed", errorMessage: null })
  return got
}

const ADMIN = { kind: "user", id: "0198a0b0-0000-7000-8000-00000000000a", role: "admin" } as const

describe("an install", () => {
  test("emits the trail in order, each signal caused by the one before it, under the keys of the contract", async () => {
    const { tenant } = await packageFleet()
    const { directive, installationId, inserted } = await done(
      tenant,
      tenant.packages.install({ slug: "labels" }, { actor: { ...ADMIN, tenant: tenant.slug } }),
    )
    expect({ inserted, installationId }).toEqual({ inserted: true, installationId: directive.id })
    const checksum = configChecksum(labels, {})
    expect(directive).toMatchObject({
      idempotencyKey: `dir:pkg_install:${tenant.slug}:labels:1.0.0:${checksum}`,
      actor: { kind: "user", role: "admin" },
      plan: { action: "install", package: "labels", version: "1.0.0", problems: [] },
    })
    const trail = await tenant.directives.trail(directive.id)
    const key = `${tenant.slug}:${installationId}`
    expect(trail.map(({ type, dedupeKey }) => [type, dedupeKey])).toEqual([
      ["package.install.requested", `pkg_install_req:${tenant.slug}:labels:1.0.0:${checksum}`],
      ["directive.requested", `job:${directive.id}:directive.requested`],
      ["directive.started", `job:${directive.id}:directive.started`],
      ["package.install.started", `pkg_install_start:${key}`],
      ["package.install.completed", `pkg_install_done:${key}:1.0.0`],
      ["directive.completed", `job:${directive.id}:directive.completed`],
    ])
    const ids = trail.map(({ id }) => id)
    const started = ids[2]
    expect(trail.map(({ metadata }) => metadata.causation_id)).toEqual([
      null,
      ids[0],
      ids[1],
      started,
      started,
      started,
    ])
    const domain = trail.filter(({ type }) => type.startsWith("package."))
    expect(domain.map(({ subject }) => subject)).toEqual(domain.map(() => `package_installation:${installationId}`))
  })

  test("makes what the manifest says, with the configuration filled in, and it runs", async () => {
    const { tenant, notes } = await packageFleet()
    const { installationId } = await done(
      tenant,
      tenant.packages.install({ slug: "triage", version: "1.0.0", config: { label: "defect" } }),
    )
    const detail = await tenant.packages.get("triage")
    expect(detail).toMatchObject({
      installation: { id: installationId, status: "active", version: "1.0.0", config: { label: "defect" } },
      records: [
        { kind: "agent", name: "triager", data: { with: { prompt: "Label it defect." } } },
        { kind: "schedule", name: "monday" },
        { kind: "workflow", name: "weekly" },
      ],
      bindings: [{ handler: "triage.label", isEnabled: true, params: { text: "label defect" } }],
      history: [{ moment: "after" }, { moment: "before" }],
    })
    await tenant.emit("issue.opened", {})
    await expect
      .poll(() => notes, { timeout: 30_000 })
      .toEqual([`${tenant.slug} triage 1.0.0 issue.opened: label defect`])
  })

  test("brings what it needs, recorded as such and told", async () => {
    const { fleet, tenant } = await packageFleet()
    const plan = await fleet.packages.plan(tenant.slug, { slug: "triage", version: "1.0.0" })
    expect(plan).toMatchObject({
      action: "install",
      from: null,
      version: "1.0.0",
      dependencies: [{ package: "labels", version: "1.0.0", from: null, action: "install" }],
      problems: [],
    })
    expect(plan.changes).toContainEqual({ package: "triage", part: "handlers", name: "label", change: "created" })
    expect(plan.changes).toContainEqual({ package: "labels", part: "skills", name: "name-labels", change: "created" })
    const { directive, installationId } = await done(
      tenant,
      tenant.packages.install({ slug: "triage", version: "1.0.0" }),
    )
    const { installations } = await tenant.packages.list()
    expect(installations.map((each) => [each.package, each.installedFor, each.directiveId])).toEqual(
      expect.arrayContaining([
        ["triage", null, directive.id],
        ["labels", installationId, directive.id],
      ]),
    )
    const trail = await tenant.directives.trail(directive.id)
    expect(trail.filter(({ type }) => type === "package.install.completed").map(({ data }) => data)).toMatchObject([
      { package_slug: "labels", installed_for: installationId },
      { package_slug: "triage" },
    ])
    expect(await fleet.packages.get("labels")).toMatchObject({ installs: expect.anything() })
  })

  test("that 50 ask for at once is one directive and one installation", async () => {
    const { tenant } = await packageFleet()
    const asked = await Promise.all(Array.from({ length: 50 }, () => tenant.packages.install({ slug: "labels" })))
    expect(asked.filter(({ inserted }) => inserted)).toHaveLength(1)
    expect(new Set(asked.map(({ directive }) => directive.id)).size).toBe(1)
    await done(tenant, Promise.resolve(asked[0] as PackageOrdered))
    const again = await tenant.packages.install({ slug: "labels" })
    expect(again).toMatchObject({ inserted: false, directive: { id: asked[0]?.directive.id, status: "completed" } })
    expect((await tenant.packages.list({ ended: true })).installations).toHaveLength(1)
  })

  test("is another one after an uninstall, under the next key", async () => {
    const { tenant } = await packageFleet()
    const first = await done(tenant, tenant.packages.install({ slug: "labels" }))
    await done(tenant, tenant.packages.uninstall("labels"))
    const second = await done(tenant, tenant.packages.install({ slug: "labels" }))
    expect(second).toMatchObject({ inserted: true })
    expect(second.directive.idempotencyKey).toBe(`${first.directive.idempotencyKey}:1`)
    expect((await tenant.directives.trail(second.directive.id)).map(({ type }) => type)).toEqual([
      "package.install.requested",
      "directive.requested",
      "directive.started",
      "package.install.started",
      "package.install.completed",
      "directive.completed",
    ])
  })

  test("is refused with every reason, and leaves no directive", async () => {
    const { tenant } = await packageFleet()
    await expect(
      tenant.packages.install({ slug: "reporter", config: { channel: "x", colour: "red" } }),
    ).rejects.toMatchObject({
      code: "installation_refused",
      message: expect.stringMatching(/channel[\s\S]*|colour[\s\S]*credential for slack/),
    })
    const plan = await tenant.packages.plan({ slug: "reporter", config: { channel: "ops" } })
    expect(plan.missingCredentials).toEqual([
      { package: "reporter", name: "chat", provider: "slack", kind: "api_key", why: "to post reports" },
    ])
    await expect(tenant.packages.install({ slug: "nothing-there" })).rejects.toMatchObject({
      code: "installation_refused",
    })
    const actor = { ...ADMIN, tenant: tenant.slug, role: "member" } as const
    await expect(tenant.packages.install({ slug: "labels" }, { actor })).rejects.toMatchObject({ code: "forbidden" })
    expect((await tenant.directives.list()).directives).toEqual([])
    expect((await tenant.packages.list({ ended: true })).installations).toEqual([])
  })

  test("takes a credential of the right kind alone", async () => {
    const { tenant } = await packageFleet()
    const actor = { kind: "user", id: "ada" } as const
    const other = await tenant.credentials.create(
      { provider: "github", account: "a", kind: "api_key", secret: { token: "t-0123456789" } },
      actor,
    )
    const right = await tenant.credentials.create(
      { provider: "slack", account: "a", kind: "api_key", secret: { token: "t-0123456789" } },
      actor,
    )
    const wish = { slug: "reporter", config: { channel: "ops" } }
    await expect(tenant.packages.install({ ...wish, credentials: { chat: other.id } })).rejects.toMatchObject({
      code: "installation_refused",
      message: expect.stringContaining("github"),
    })
    await done(tenant, tenant.packages.install({ ...wish, credentials: { chat: right.id } }))
    expect(await tenant.packages.get("reporter")).toMatchObject({ bindings: [{ credentials: { chat: right.id } }] })
  })

  test("that is cancelled before it begins leaves a failed installation, and may be asked for again", async () => {
    const { tenant } = await packageFleet()
    const runAt = new Date(Date.now() + 3_600_000)
    const first = await tenant.packages.install({ slug: "labels" }, { runAt })
    expect((await tenant.packages.list()).installations).toMatchObject([{ id: first.installationId, status: "queued" }])
    await tenant.directives.cancel(first.directive.id, { reason: "not today" })
    expect(await tenant.packages.get(first.installationId)).toMatchObject({ installation: { status: "failed" } })
    expect(await done(tenant, tenant.packages.install({ slug: "labels" }))).toMatchObject({ inserted: true })
  })
})

describe("a package that is installed", () => {
  test("runs nothing while it is disabled, in no process; what is queued waits, and runs when it is enabled", async () => {
    const { tenant, notes, templates } = await packageFleet()
    const other = await testFleet(db.database, { templates })
    await done(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0" }))
    const first = await done(tenant, tenant.packages.disable("triage"))
    expect(first.directive.idempotencyKey).toBe(`dir:pkg_toggle:${tenant.slug}:${first.installationId}:paused`)
    expect(await tenant.packages.disable("triage")).toMatchObject({
      inserted: false,
      directive: { id: first.directive.id },
    })
    expect(await tenant.packages.get("triage")).toMatchObject({
      installation: { status: "paused" },
      bindings: [{ isEnabled: false }],
    })
    const there = other.fleet.tenant(tenant.slug)
    const madeByOther = async (): Promise<number> => {
      const before = await there.openDeliveries()
      await there.emit("issue.probe", {})
      return (await there.openDeliveries()) - before
    }
    await expect.poll(madeByOther, { timeout: 30_000 }).toBe(0)
    await done(tenant, tenant.packages.enable("triage"))
    await tenant.emit("issue.opened", {})
    await expect.poll(() => notes, { timeout: 30_000 }).toContain(`${tenant.slug} triage 1.0.0 issue.opened: label bug`)
    const second = await done(tenant, tenant.packages.disable("triage"))
    expect(second.directive.idempotencyKey).toBe(`${first.directive.idempotencyKey}:1`)
  })

  test("is not enabled when it runs already", async () => {
    const { tenant } = await packageFleet()
    await done(tenant, tenant.packages.install({ slug: "labels" }))
    await expect(tenant.packages.enable("labels")).rejects.toMatchObject({ code: "installation_state" })
    await expect(tenant.packages.enable("triage")).rejects.toMatchObject({ code: "installation_unknown" })
  })

  test("is not removed while another one needs it, which is named", async () => {
    const { tenant } = await packageFleet()
    await done(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0" }))
    await expect(tenant.packages.uninstall("labels")).rejects.toMatchObject({
      code: "installation_needed",
      message: expect.stringContaining("triage 1.0.0 (^1.0.0)"),
    })
    const plan = await tenant.packages.plan({ slug: "triage", action: "uninstall" })
    expect(plan.changes.map(({ part, name }) => `${part} ${name}`)).toEqual([
      "agents triager",
      "schedules monday",
      "workflows weekly",
      "handlers label",
    ])
    const first = await done(tenant, tenant.packages.uninstall("triage"))
    expect(await tenant.packages.uninstall("triage")).toMatchObject({
      inserted: false,
      directive: { id: first.directive.id },
    })
    expect(await tenant.packages.get(first.installationId)).toMatchObject({
      installation: { status: "uninstalled" },
      records: [],
      bindings: [],
    })
    await done(tenant, tenant.packages.uninstall("labels"))
    expect((await tenant.packages.list()).installations).toEqual([])
  })

  test("has actions, which take and answer what their schemas say, on record", async () => {
    const { tenant } = await packageFleet()
    await done(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0" }))
    expect(await tenant.packages.execute("triage", "add", { a: 1, b: 2 })).toEqual({ sum: 3, by: "bug" })
    await expect(tenant.packages.execute("triage", "add", { a: 1 })).rejects.toMatchObject({
      code: "action_input_invalid",
    })
    await expect(tenant.packages.execute("triage", "subtract", {})).rejects.toMatchObject({
      code: "action_unknown",
      message: expect.stringContaining("add"),
    })
    const actor = { ...ADMIN, tenant: testSlug("another") }
    await expect(tenant.packages.execute("triage", "add", { a: 1, b: 2 }, { actor })).rejects.toMatchObject({
      code: "not_found",
    })
    const entries = (await tenant.audit.list()).entries.filter(({ action }) => action === "package.execute")
    expect(entries).toMatchObject([{ outcome: "done", details: { package: "triage", action: "add" } }])
    await done(tenant, tenant.packages.disable("triage"))
    await expect(tenant.packages.execute("triage", "add", { a: 1, b: 2 })).rejects.toMatchObject({
      code: "installation_state",
    })
  })

  test("is of its tenant alone", async () => {
    const { fleet, tenant, notes } = await packageFleet()
    await fleet.tenants.provision(testSlug("other"))
    const other = fleet.tenant(testSlug("other"))
    const { installationId } = await done(tenant, tenant.packages.install({ slug: "triage", version: "1.0.0" }))
    expect(await other.packages.get(installationId)).toBeUndefined()
    expect((await other.packages.list({ ended: true })).installations).toEqual([])
    await expect(other.packages.uninstall("triage")).rejects.toMatchObject({ code: "installation_unknown" })
    await other.emit("issue.opened", {})
    await tenant.emit("issue.opened", {})
    await expect.poll(() => notes.length, { timeout: 30_000 }).toBe(1)
    expect(notes[0]).toContain(tenant.slug)
  })

  test("becomes nothing that it may not, whoever writes", async () => {
    const { tenant } = await packageFleet()
    const { installationId } = await done(tenant, tenant.packages.install({ slug: "labels" }))
    const scope = tenantScope(tenant.slug)
    const set = (what: string) =>
      withinTenant(db.database, scope, (tx) =>
        tx.query(`update ${scope.schema}.installations set ${what} where tenant = $1 and id = $2::text::uuid`, [
          tenant.slug,
          installationId,
        ]),
      )
    for (const what of ["status = 'queued'", "status = 'uninstalled', ended_at = now()", "package = 'triage'"])
      await expect(set(what), what).rejects.toMatchObject({ code: "23001" })
    await done(tenant, tenant.packages.uninstall("labels"))
    await expect(set("status = 'active', ended_at = null")).rejects.toMatchObject({ code: "23001" })
  })
})
