import { afterAll, beforeAll, expect, test } from "vitest"
import { directiveProcess, requestedSignal } from "../../../test/support/directive-rig.ts"
import { mortalDatabase } from "../../../test/support/operation-rig.ts"
import { dumpOf, labels, notingTemplates, publishAll, triage } from "../../../test/support/package-rig.ts"
import { testDatabase, type TestDatabase } from "../../../test/support/test-database.ts"
import { testFleet } from "../../../test/support/test-fleet.ts"
import { scopeOfTenant } from "../../access/tenant-scopes.ts"
import { templatesOf } from "../../delivery/templates.ts"
import { Announcer } from "../../store/announcer.ts"
import type { Database } from "../../store/database.ts"
import { Placements } from "../../store/placements.ts"
import { openPackages } from "../packages-door.ts"
import { installationDirectives } from "./installation-directives.ts"
import type { InstallerDeps } from "./installations-deps.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** More statements than a run has. */
const MANY = 400
/** Every so many statements it is killed in another run. */
const STRIDE = process.env["TEST_DATABASE"] === "server" ? 3 : 7

/** What the directives of a process work with that does nothing else. */
function depsOn(database: Database): InstallerDeps {
  const placements = new Placements(database)
  const scopeOf = (slug: string) => scopeOfTenant(slug, { database, placements })
  const announcer = new Announcer({ database: database.hot, origin: "installer", onOwn: () => {}, onError: () => {} })
  const parts = {
    database,
    placements,
    announcer,
    shelf: openPackages(() => ({ database, scopeOf, platform: "0.1.0" })),
    templates: templatesOf(notingTemplates().templates),
    handlers: [],
  }
  // The directives look at nothing else.
  return parts as unknown as InstallerDeps
}

/** A dump without what differs from one installation to the next. */
function comparable(dump: string): string {
  return dump
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "id")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)/g, "moment")
    .replaceAll(/sha256:[0-9a-f]{64}/g, "checksum")
    .replaceAll(/"position": \d+/g, "position")
    .replaceAll(/t_[0-9a-f]{20}/g, "tenant")
}

test(
  "an install that is killed at any statement is taken up again: the same end, its trail once",
  { timeout: 350_000 },
  async () => {
    const { fleet, tenant: first } = await testFleet(db.database, { templates: notingTemplates().templates })
    await publishAll(fleet, [labels, triage])
    const wish = { slug: "triage", version: "1.0.0" }
    const whole = await first.packages.install(wish)
    await first.directives.wait(whole.directive.id)
    const expected = comparable(await dumpOf(db.database, first.slug))
    // From here nobody but the test's processes carries anything out.
    const door = await testFleet(db.database, { worker: false, templates: notingTemplates().templates })
    await fleet.stop({ graceMs: 0 })
    const places = new Set<string>()
    for (let statements = 0; statements < MANY; statements += STRIDE) {
      const slug = `${first.slug.slice(0, 16)}${String(statements).padStart(4, "0")}`
      await door.fleet.tenants.provision(slug)
      const tenant = door.fleet.tenant(slug)
      const { directive } = await tenant.packages.install(wish)
      const successor = directiveProcess(
        db.database,
        slug,
        installationDirectives(() => depsOn(db.database)),
      )
      const signal = await requestedSignal(successor.directives, directive.id)
      const { database: mortal, died } = mortalDatabase(db.database, statements)
      let diedAt: string | undefined
      void died.then((at) => (diedAt = at))
      await directiveProcess(
        mortal,
        slug,
        installationDirectives(() => depsOn(mortal)),
      )
        .takeUp(signal, 1)
        .catch(() => undefined)
      while ((await successor.takeUp(signal, 2)) !== undefined);
      expect(await tenant.directives.get(directive.id), diedAt).toMatchObject({ status: "completed", errorKind: null })
      expect(comparable(await dumpOf(db.database, slug)).replaceAll(slug, "tenant"), diedAt).toBe(expected)
      expect(
        (await tenant.directives.trail(directive.id)).map(({ type }) => type),
        diedAt,
      ).toEqual([
        "package.install.requested",
        "directive.requested",
        "directive.started",
        "package.install.started",
        "package.install.completed",
        "package.install.completed",
        "directive.completed",
      ])
      if (diedAt === undefined) break
      places.add(diedAt)
    }
    expect(places.size).toBeGreaterThan(4)
  },
)
