import { readFileSync } from "node:fs"
import { expect, onTestFinished, test } from "vitest"
import { testDatabase } from "../../../test/support/test-database.ts"
import { nextEvent } from "../../../test/support/test-fleet.ts"
import { interceptDatabase } from "../../../test/support/intercepted-database.ts"
import { defineHandler } from "../../delivery/handler.ts"
import { retain } from "../../emit/retention.ts"
import { createFleet } from "../../fleet.ts"
import type { FleetOptions } from "../../fleet/options.ts"
import { type Placement, tenantScope } from "../../store/tenant-scope.ts"
import { tenantMigrations } from "../../store/sql.ts"
import { tenantFeatures } from "../../store/tenant-features.ts"
import { placements } from "../../../test/support/tenant-rows.ts"

const FIXTURE = new URL("../../../test/fixtures/oldest-usable-tenant-schema.sql", import.meta.url)
const oldest = [{ version: tenantFeatures.signals, name: "oldest.sql", text: readFileSync(FIXTURE, "utf8") }]

/** A fleet of this release with a tenant whose schema is the oldest that it works with, and is not migrated. */
async function olderTenant(placement: Placement, options: FleetOptions) {
  const { database, close } = await testDatabase()
  const kept = { ...interceptDatabase(database, ({ run }) => run()), close: async () => {} }
  const open = async (more: FleetOptions) => {
    const fleet = createFleet({ worker: { pollMs: 20 }, retention: false, ...more, database: kept })
    await fleet.start()
    return fleet
  }
  const before = await open({ tenantMigrations: oldest, worker: false, migrations: { auto: false } })
  await before.tenants.provision("acme", { placement })
  await before.stop()
  const fleet = await open({ ...options, migrations: { auto: false } })
  onTestFinished(async () => {
    await fleet.stop({ graceMs: 0 })
    await close()
  })
  expect((await fleet.tenants.get("acme"))?.schemaVersion).toBe(tenantFeatures.signals)
  return { fleet, database, tenant: fleet.tenant("acme") }
}

test.each(placements)("a tenant one release behind works, with placement %s", async (placement) => {
  let isBroken = true
  const handlers = [
    defineHandler({
      name: "qualify",
      on: "lead.received",
      ordered: "subject",
      run: async ({ emit }) => void (await emit("lead.qualified", {})),
    }),
    defineHandler({
      name: "mail",
      on: "lead.qualified",
      retry: { attempts: 1 },
      run: () => {
        if (isBroken) throw new Error("told by the test")
      },
    }),
  ]
  const { fleet, database, tenant } = await olderTenant(placement, { handlers })
  const died = nextEvent(fleet, "delivery.settled", ({ outcome }) => outcome === "dead")
  const { signal } = await tenant.emit("lead.received", { n: 1 }, { dedupeKey: "one", subject: "lead:1" })
  expect(await tenant.emit("lead.received", { n: 1 }, { dedupeKey: "one", subject: "lead:1" })).toMatchObject({
    inserted: false,
  })
  await tenant.emitMany([
    { type: "note.taken", data: {}, dedupeKey: "two" },
    { type: "note.taken", data: {} },
  ])
  await fleet.transaction((tx) => tenant.emit("note.taken", {}, { tx }))
  await died
  await fleet.drain()
  expect(await tenant.counts()).toMatchObject({ signals: 5, dead: 1 })
  expect(await tenant.signals.get(signal.id, ["internal"])).toMatchObject({ signal: { id: signal.id } })
  expect((await tenant.signals.list({ limit: 50, visibilities: ["internal"] })).signals).toHaveLength(5)
  for await (const tailed of tenant.signals.tail()) {
    expect(tailed.signal.id).toBe(signal.id)
    break
  }
  isBroken = false
  const done = nextEvent(fleet, "delivery.settled", ({ handler, outcome }) => handler === "mail" && outcome === "done")
  expect(await tenant.deadLetters.redrive({ all: true })).toBe(1)
  await done
  const replayed = nextEvent(fleet, "replay.progress", ({ status }) => status === "completed")
  const actor = { id: "ann", role: "owner" }
  await tenant.replays.start({ filter: { pattern: "lead.received" }, force: true }, { actor })
  await replayed
  await database.owner.transaction((tx) =>
    tx.query("update fleetprompt.tenants set class = 'premium' where slug = 'acme'"),
  )
  const deps = { database, telemetry: fleet.telemetry }
  expect((await retain(tenantScope("acme", placement), { days: 0 }, deps)).signals).toBeGreaterThanOrEqual(5)
})

test("what needs a later schema is refused, until the tenant is migrated", async () => {
  const { fleet, tenant } = await olderTenant("own", {})
  await expect(tenant.credentials.list()).rejects.toMatchObject({ code: "tenant_behind" })
  await expect(tenant.audit.list()).rejects.toMatchObject({ code: "tenant_behind" })
  await fleet.migrations.request()
  await nextEvent(fleet, "tenant.migrated")
  expect((await fleet.tenants.get("acme"))?.schemaVersion).toBe(tenantMigrations.at(-1)?.version)
  expect(await tenant.audit.list()).toBeDefined()
})
