import { afterAll, beforeAll, expect, test } from "vitest"
import { mortalDatabase } from "../../../test/support/operation-rig.ts"
import { publishAll } from "../../../test/support/package-rig.ts"
import { answering, desk } from "../../../test/support/rollout-rig.ts"
import { testDatabase, type TestDatabase } from "../../../test/support/test-database.ts"
import { testFleet } from "../../../test/support/test-fleet.ts"
import { scopeOfTenant } from "../../access/tenant-scopes.ts"
import { templatesOf } from "../../delivery/templates.ts"
import { directiveRoute } from "../../directives/run-directive.ts"
import { Admission, DEFAULT_EMIT_QUEUE } from "../../emit/admission.ts"
import { Routes } from "../../emit/routes.ts"
import { Writer } from "../../emit/writer.ts"
import { directiveParts } from "../../fleet/directive-parts.ts"
import { standardGuards } from "../../guard/guards.ts"
import { Announcer } from "../../store/announcer.ts"
import type { Database } from "../../store/database.ts"
import { Placements } from "../../store/placements.ts"
import { tenantMigrations } from "../../store/sql.ts"
import { Telemetry } from "../../telemetry/telemetry.ts"
import { ensurePlatform } from "../../tenants/provision.ts"
import { installationDirectives } from "../installations/installation-directives.ts"
import type { InstallationsDeps } from "../installations/installations-deps.ts"
import { openPackages } from "../packages-door.ts"
import { advanceRollout } from "./advance-rollout.ts"
import { openRollouts } from "./open-rollouts.ts"
import { checksByName, defineRolloutCheck } from "./rollout-check.ts"
import type { RolloutsDeps } from "./rollouts-deps.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** More statements than a rollout has. */
const MANY = 400
/** Every so many statements it is killed in another run. */
const STRIDE = process.env["TEST_DATABASE"] === "server" ? 5 : 11

const never = new AbortController().signal
/** No fleet has it, so none takes the test's rollouts. */
const check = defineRolloutCheck({ name: "test.killed", run: () => ({ healthy: true, reason: "it is a test" }) })

/** What a process works with that does nothing but carry rollouts on. */
function depsOn(database: Database): RolloutsDeps {
  const telemetry = new Telemetry()
  const placements = new Placements(database)
  const announcer = new Announcer({ database: database.hot, origin: "rollouts", onOwn: () => {}, onError: () => {} })
  const emitDeps = {
    database,
    placements,
    announcer,
    telemetry,
    writer: new Writer({ hot: database.hot, announcer, telemetry, handOff: undefined, placements }),
    admission: new Admission(DEFAULT_EMIT_QUEUE),
    guards: standardGuards({ maxDataBytes: 1_048_576 }),
    routes: new Routes([directiveRoute()]),
  }
  const scopeOf = (slug: string) => scopeOfTenant(slug, { database, placements })
  const installations = {
    ...emitDeps,
    shelf: openPackages(() => ({ database, scopeOf, platform: "0.1.0" })),
    templates: templatesOf([answering()]),
    handlers: [],
    directives: directiveParts(
      {},
      installationDirectives(() => installations),
    ),
    access: { admit: async () => {}, authorise: () => {} },
    onCommit: () => () => {},
    // Rollouts look at nothing else.
  } as unknown as InstallationsDeps
  const preparePlatform = () => ensurePlatform(database, tenantMigrations)
  return { database, emitDeps, installations, checks: checksByName([check]), preparePlatform }
}

test(
  "a rollout that is killed at any statement is carried on: each tenant is upgraded once",
  { timeout: 600_000 },
  async () => {
    const { fleet, tenant: one } = await testFleet(db.database, { templates: [answering()] })
    const other = `${one.slug.slice(0, 16)}_2`
    await fleet.tenants.provision(other)
    const tenants = [one.slug, other]
    await publishAll(fleet, [desk("1.0.0")])
    for (const slug of tenants) {
      const { directive } = await fleet.tenant(slug).packages.install({ slug: "desk" })
      await fleet.tenant(slug).directives.wait(directive.id)
    }
    const deps = depsOn(db.database)
    const rollouts = openRollouts(() => deps)
    const places = new Set<string>()
    for (let statements = 0; statements < MANY; statements += STRIDE) {
      const version = `1.${statements + 1}.0`
      await publishAll(fleet, [desk(version)])
      const gate = { check: check.name, waitMs: 0 }
      const rollout = await rollouts.start({ package: "desk", to: version, tenants, canary: 1, wave: 1, gate })
      const { database: mortal, died } = mortalDatabase(db.database, statements)
      let diedAt: string | undefined
      void died.then((at) => (diedAt = at))
      const victim = depsOn(mortal)
      const untilOver = async (of: RolloutsDeps): Promise<void> => {
        while ((await advanceRollout(rollout, of, never)) !== undefined);
      }
      await untilOver(victim).catch(() => undefined)
      await untilOver(deps)
      expect(await rollouts.get(rollout.id), diedAt).toMatchObject({
        status: "completed",
        tenants: { upgraded: 2, failed: 0 },
      })
      for (const slug of tenants) {
        const { directives } = await fleet.tenant(slug).directives.list({ type: "package.upgrade", limit: 500 })
        expect(
          directives.filter(({ correlationId }) => correlationId === rollout.id),
          diedAt,
        ).toHaveLength(1)
        expect((await fleet.tenant(slug).packages.get("desk"))?.installation.version, diedAt).toBe(version)
      }
      if (diedAt === undefined) break
      places.add(diedAt)
    }
    expect(places.size).toBeGreaterThan(4)
  },
)
