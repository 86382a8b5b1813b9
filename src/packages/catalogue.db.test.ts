import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { fullManifest, sampleManifest } from "../../test/support/sample-manifest.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { actingAs, actingFor } from "../access/acting.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import type { PackageManifest } from "./manifest.ts"
import { manifestChecksum } from "./manifest-checksum.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

let made = 0

/** A fleet, and a slug and a publisher that no other test has. */
async function catalogue() {
  const started = await testFleet(db.database, { worker: false })
  const slug = `p${++made}-${testSlug().slice(2, 8)}`
  const publisher = `q${made}-${testSlug().slice(2, 8)}`
  const sample = (changes: Partial<PackageManifest> = {}): PackageManifest =>
    sampleManifest({ slug, publisher, ...changes })
  return { ...started, slug, publisher, sample, packages: started.fleet.packages }
}

const ada = actingFor({ kind: "operator", id: "ada" })

describe("publishing", () => {
  test("keeps the manifest as it is, and tells who did it", async () => {
    const { fleet, packages, slug, publisher } = await catalogue()
    const manifest = fullManifest({ slug, publisher })
    const { version, inserted } = await packages.publish({ ...manifest, $schema: "https://example.com/a" }, { by: ada })
    expect([inserted, version]).toMatchObject([
      true,
      {
        slug,
        version: "1.0.0",
        status: "published",
        publishedBy: "operator:ada",
        checksum: manifestChecksum(manifest),
      },
    ])
    expect(await packages.manifest(slug, "1.0.0")).toEqual(manifest)
    const { entries } = await fleet.audit.list({ resource: `package:${slug}` })
    expect(entries).toMatchObject([
      {
        action: "package.publish",
        actor: { kind: "operator", id: "ada" },
        details: { version: "1.0.0", checksum: version.checksum },
      },
    ])
  })

  test("the same contents again are what is there, and other contents are refused with both checksums", async () => {
    const { packages, sample } = await catalogue()
    const first = await packages.publish(sample())
    const again = await packages.publish(Object.fromEntries(Object.entries(sample()).toReversed()))
    expect(again).toEqual({ version: first.version, inserted: false })
    const other = sample({ name: "Other" })
    const refused = packages.publish(other)
    await expect(refused).rejects.toMatchObject({ code: "package_conflict" })
    await expect(refused).rejects.toThrow(first.version.checksum)
    await expect(refused).rejects.toThrow(manifestChecksum(other))
  })

  test("of thirty at once one is inserted", async () => {
    const { packages, slug, sample } = await catalogue()
    const all = await Promise.all(Array.from({ length: 30 }, () => packages.publish(sample())))
    expect(all.filter(({ inserted }) => inserted)).toHaveLength(1)
    expect(await packages.versions(slug)).toHaveLength(1)
  })

  test("a package keeps its publisher, and what is wrong is not stored", async () => {
    const { packages, slug, sample } = await catalogue()
    await packages.publish(sample())
    const foreign = packages.publish(sample({ version: "2.0.0", publisher: "somebody-else" }))
    await expect(foreign).rejects.toMatchObject({ code: "package_conflict", path: "/publisher" })
    await expect(packages.publish({ ...sample(), version: "x" })).rejects.toMatchObject({ code: "package_invalid" })
    expect((await packages.versions(slug)).map(({ version }) => version)).toEqual(["1.0.0"])
  })

  test("is the operator's alone", async () => {
    const { fleet, tenant, packages, slug, sample } = await catalogue()
    const owner = { kind: "user", id: "mia", tenant: tenant.slug, role: "owner" } as const
    const by = actingAs(fleet.access, owner)
    await expect(packages.publish(sample(), { by })).rejects.toMatchObject({ code: "forbidden" })
    await packages.publish(sample())
    for (const action of ["deprecate", "yank", "unyank", "undeprecate"] as const)
      await expect(packages[action](slug, "1.0.0", { by })).rejects.toMatchObject({ code: "forbidden" })
  })
})

describe("what was published is for good", () => {
  test.each([
    ["changed", `update fleetprompt.package_versions set manifest = '{}' where slug = $1`],
    ["given another checksum", `update fleetprompt.package_versions set checksum = 'x' where slug = $1`],
    ["renamed", `update fleetprompt.package_versions set version = '9.9.9' where slug = $1`],
    ["removed", `delete from fleetprompt.package_versions where slug = $1`],
  ])("it is not %s, in the database either", async (_name, statement) => {
    const { packages, slug, sample } = await catalogue()
    await packages.publish(sample())
    await expect(db.database.query(statement, [slug])).rejects.toThrow("does not change")
    expect(await packages.manifest(slug, "1.0.0")).toEqual(sample())
  })

  test("the table is not emptied", async () => {
    await catalogue()
    await expect(db.database.query("truncate fleetprompt.package_versions cascade")).rejects.toThrow("does not change")
  })

  test("a tenant's transaction reads the catalogue and changes nothing of it", async () => {
    const { tenant, packages, slug, sample } = await catalogue()
    await packages.publish(sample())
    const scope = tenantScope(tenant.slug)
    const within = (statement: string) => withinTenant(db.database, scope, (tx) => tx.query(statement, [slug]))
    expect(await within("select version from fleetprompt.package_versions where slug = $1")).toEqual([
      { version: "1.0.0" },
    ])
    for (const statement of [
      "update fleetprompt.packages set installs = 1000000 where slug = $1",
      "update fleetprompt.package_versions set status = 'yanked' where slug = $1",
      "delete from fleetprompt.packages where slug = $1",
    ])
      await expect(within(statement)).rejects.toMatchObject({ code: "42501" })
  })
})

describe("the status of a version", () => {
  test("yanked and deprecated lead and do not lead the listing, and both can be taken back", async () => {
    const { fleet, packages, slug, sample } = await catalogue()
    for (const version of ["1.0.0", "1.1.0", "2.0.0-rc.1"])
      await packages.publish(sample({ version, name: `Version ${version}` }))
    const listed = async () => {
      const detail = await packages.get(slug)
      return [detail?.latestVersion, detail?.name]
    }
    expect(await listed()).toEqual(["1.1.0", "Version 1.1.0"])
    expect(await packages.yank(slug, "1.1.0", { by: ada, reason: "it loses leads" })).toMatchObject({
      status: "yanked",
      statusReason: "it loses leads",
    })
    expect(await listed()).toEqual(["1.0.0", "Version 1.0.0"])
    expect(await packages.unyank(slug, "1.1.0")).toMatchObject({ status: "published", statusReason: null })
    await packages.deprecate(slug, "1.1.0", { reason: "use 2" })
    expect(await listed()).toEqual(["1.1.0", "Version 1.1.0"])
    expect(await packages.undeprecate(slug, "1.1.0")).toMatchObject({ status: "published" })
    const { entries } = await fleet.audit.list({ resource: `package:${slug}` })
    const actions = ["publish", "publish", "publish", "yank", "unyank", "deprecate", "undeprecate"]
    expect(entries.map(({ action }) => action).toReversed()).toEqual(actions.map((each) => `package.${each}`))
    expect(entries[3]).toMatchObject({ details: { version: "1.1.0", reason: "it loses leads" } })
  })

  test("is safe to change again, and unknown versions are told", async () => {
    const { fleet, packages, slug, sample } = await catalogue()
    await packages.publish(sample())
    await packages.yank(slug, "1.0.0")
    await packages.yank(slug, "1.0.0")
    expect(await packages.deprecate(slug, "1.0.0")).toMatchObject({ status: "yanked" })
    const { entries } = await fleet.audit.list({ resource: `package:${slug}` })
    expect(entries.map(({ action }) => action)).toEqual(["package.yank", "package.publish"])
    await expect(packages.yank(slug, "3.0.0")).rejects.toMatchObject({ code: "package_unknown" })
    await expect(packages.deprecate("nothing", "1.0.0")).rejects.toMatchObject({ code: "package_unknown" })
  })

  test("decides what is resolved; a yanked version stays what it is for who has it", async () => {
    const { packages, slug, sample } = await catalogue()
    const base = `${slug}-base`
    await packages.publish(sample({ slug: base }))
    await packages.publish(sample({ slug: base, version: "1.1.0" }))
    await packages.publish(sample({ dependencies: { [base]: "^1.0.0" } }))
    const versions = async (installed: Parameters<typeof packages.resolve>[1] = []) => {
      const resolution = await packages.resolve({ slug }, installed)
      return resolution.kind === "resolved"
        ? resolution.steps.map((step) => `${step.action} ${step.slug} ${step.version}`)
        : resolution.reasons
    }
    expect(await versions()).toEqual([`install ${base} 1.1.0`, `install ${slug} 1.0.0`])
    await packages.yank(base, "1.1.0")
    expect(await versions()).toEqual([`install ${base} 1.0.0`, `install ${slug} 1.0.0`])
    expect(await versions([{ slug: base, version: "1.1.0", dependencies: {} }])).toEqual([
      `keep ${base} 1.1.0`,
      `install ${slug} 1.0.0`,
    ])
    expect(await packages.manifest(base, "1.1.0")).toMatchObject({ version: "1.1.0" })
    await packages.yank(base, "1.0.0")
    expect(await versions()).toEqual([expect.stringContaining("1.1.0, which was yanked; 1.0.0, which was yanked")])
    expect(await packages.resolve({ slug: "nothing" })).toMatchObject({ kind: "conflict" })
  })
})

test("a package shows its versions, what it needs and who needs it", async () => {
  const { packages, slug, sample } = await catalogue()
  for (const version of ["1.9.0", "1.10.0"]) await packages.publish(sample({ version }))
  const user = `${slug}-user`
  await packages.publish(sample({ slug: user, dependencies: { [slug]: "^1.0.0" } }))
  expect(await packages.get(slug)).toMatchObject({
    latestVersion: "1.10.0",
    versions: [{ version: "1.10.0" }, { version: "1.9.0" }],
    dependencies: {},
    dependents: [{ slug: user, version: "1.0.0", range: "^1.0.0" }],
    rating: null,
    reviews: 0,
    ratings: [0, 0, 0, 0, 0],
  })
  expect((await packages.get(user))?.dependencies).toEqual({ [slug]: "^1.0.0" })
  expect(await packages.get("nothing")).toBeUndefined()
  expect(await packages.versions("nothing")).toEqual([])
  expect(await packages.manifest(slug, "3.0.0")).toBeUndefined()
})

describe("installations", () => {
  test("count once for each tenant and version, and once for each tenant", async () => {
    const { fleet, tenant, packages, slug, sample } = await catalogue()
    for (const version of ["1.0.0", "2.0.0"]) await packages.publish(sample({ version }))
    const other = testSlug("other")
    await fleet.tenants.provision(other)
    await Promise.all(Array.from({ length: 10 }, () => packages.countInstall(tenant.slug, slug, "1.0.0")))
    await packages.countInstall(tenant.slug, slug, "2.0.0")
    await packages.countInstall(other, slug, "2.0.0")
    expect(await packages.get(slug)).toMatchObject({
      installs: 3,
      tenants: 2,
      versions: [{ installs: 2 }, { installs: 1 }],
    })
    await expect(packages.countInstall(tenant.slug, slug, "3.0.0")).rejects.toMatchObject({ code: "package_unknown" })
    await expect(packages.countInstall("nobody", slug, "1.0.0")).rejects.toMatchObject({ code: "tenant_unknown" })
  })

  test("a tenant counts none for another, in the database either", async () => {
    const { tenant, packages, slug, sample } = await catalogue()
    await packages.publish(sample())
    const insert = (of: string) =>
      withinTenant(db.database, tenantScope(tenant.slug), (tx) =>
        tx.query("insert into fleetprompt.package_installs (tenant, slug, version) values ($1, $2, '1.0.0')", [
          of,
          slug,
        ]),
      )
    for (const of of [tenant.slug, "another"]) await expect(insert(of)).rejects.toMatchObject({ code: "42501" })
  })
})
