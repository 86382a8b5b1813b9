import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { answering, desk, probe } from "../../../test/support/rollout-rig.ts"
import { publishAll } from "../../../test/support/package-rig.ts"
import { testDatabase, type TestDatabase } from "../../../test/support/test-database.ts"
import { testFleet } from "../../../test/support/test-fleet.ts"
import type { Principal } from "../../access/principal.ts"
import { actingAs } from "../../access/acting.ts"
import type { Fleet } from "../../fleet.ts"
import type { FleetOptions } from "../../fleet/options.ts"
import type { RolloutState } from "./rollouts-door.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const LONG = { timeout: 900_000 }
/** A hundred that are upgraded and two that are not; fewer with the embedded database, so that the test stays short. */
const MANY = process.env["TEST_DATABASE"] === "server" ? 102 : 17
/** So long until every process runs what a tenant has since its upgrade. */
const SETTLED_MS = 2_000
const PROBE = { check: "desk.probe", waitMs: SETTLED_MS }
const ANY = { waitMs: 0 }

/** A fleet with the package in three versions, and tenants that have the first. */
async function fleetWith(count: number, broken: readonly string[] = [], more: Omit<FleetOptions, "database"> = {}) {
  const rig: { fleet?: Fleet } = {}
  const rolloutChecks = [probe(() => rig.fleet as Fleet)]
  const { fleet, tenant } = await testFleet(db.database, { templates: [answering(...broken)], rolloutChecks, ...more })
  rig.fleet = fleet
  const versions = ["1.1.0", "1.2.0", "1.2.1"]
  await publishAll(
    fleet,
    versions.map((version) => desk(version)),
  )
  const slugs = Array.from({ length: count }, (_, n) => `${tenant.slug.slice(0, 14)}_${String(n).padStart(3, "0")}`)
  await inTurns(slugs, async (slug) => {
    await fleet.tenants.provision(slug, { placement: "shared" })
    const { directive } = await fleet.tenant(slug).packages.install({ slug: "desk", version: "1.1.0" })
    expect(await fleet.tenant(slug).directives.wait(directive.id)).toMatchObject({ status: "completed" })
  })
  return { fleet, slugs }
}

/** Ten at once. */
async function inTurns(slugs: readonly string[], work: (slug: string) => Promise<void>): Promise<void> {
  for (let at = 0; at < slugs.length; at += 10) await Promise.all(slugs.slice(at, at + 10).map(work))
}

/** A rollout when it has come to rest. */
async function rested(fleet: Fleet, { id }: RolloutState): Promise<RolloutState> {
  const state = async () => (await fleet.packages.rollouts.get(id)) as RolloutState
  await expect
    .poll(async () => (await state()).status, { timeout: 800_000, interval: 200 })
    .toMatch(/stopped|completed|cancelled|rolled_back/)
  return state()
}

async function versionOf(fleet: Fleet, slug: string): Promise<string | null | undefined> {
  return (await fleet.tenant(slug).packages.get("desk"))?.installation.version
}

async function actionsOn(fleet: Fleet): Promise<readonly string[]> {
  const { entries } = await fleet.audit.list({ limit: 100 })
  return entries.map(({ action }) => action).filter((action) => action.startsWith("package.rollout"))
}

test("a hundred tenants: a canary of five, stopped by its gate, and all of them once it was mended", LONG, async () => {
  const { fleet, slugs } = await fleetWith(MANY, ["1.2.0"])
  const { rollouts } = fleet.packages
  const [gone = "", closed = "", ...rest] = slugs
  const { directive } = await fleet.tenant(gone).packages.uninstall("desk")
  await fleet.tenant(gone).directives.wait(directive.id)
  await fleet.operations.wait((await fleet.tenants.suspend(closed)).id)
  const request = { package: "desk", to: "1.2.0", tenants: slugs, canary: 5, concurrency: 20, gate: PROBE }
  const started = await rollouts.start(request, { reason: "the new desk" })
  expect(started).toMatchObject({ status: "running", total: MANY, tenants: { pending: MANY } })
  await expect(rollouts.start(request)).rejects.toMatchObject({ code: "rollout_state" })

  const stopped = await rested(fleet, started)
  expect(stopped).toMatchObject({
    status: "stopped",
    stopReason: `the gate "desk.probe" did not pass after the canary: 5 of 5 tenants got no answer`,
    verdict: { wave: 0, healthy: false, figures: { asked: 5, failed: 5 } },
    tenants: { upgraded: 5, absent: 1, suspended: 1, pending: MANY - 7 },
  })
  const versions = await Promise.all(rest.map((slug) => versionOf(fleet, slug)))
  expect(versions.filter((version) => version === "1.2.0")).toHaveLength(5)
  expect(await rollouts.tenants(started.id, { states: ["absent", "suspended"] })).toMatchObject([
    { tenant: gone, reason: "it does not have desk" },
    { tenant: closed, state: "suspended" },
  ])

  await rollouts.resume(started.id, { to: "1.2.1", reason: "mended" })
  const completed = await rested(fleet, started)
  expect(completed).toMatchObject({
    status: "completed",
    version: "1.2.1",
    verdict: { healthy: true },
    tenants: { upgraded: MANY - 2, absent: 1, suspended: 1, pending: 0, failed: 0 },
    done: MANY,
  })
  expect(new Set(await Promise.all(rest.map((slug) => versionOf(fleet, slug))))).toEqual(new Set(["1.2.1"]))
  const [first] = await rollouts.tenants(started.id, { states: ["upgraded"], limit: 1 })
  expect(first).toMatchObject({ wave: 0, fromVersion: "1.1.0", upgradedTo: "1.2.1", round: 1 })
  expect((await actionsOn(fleet)).slice(0, 4)).toEqual([
    "package.rollout.end",
    "package.rollout.resume",
    "package.rollout.end",
    "package.rollout.start",
  ])
})

describe("a rollback", () => {
  test("gives back what tenants had, after one upgrade or two, and leaves what was changed since", LONG, async () => {
    const { fleet, slugs } = await fleetWith(4)
    const { rollouts } = fleet.packages
    const [one = "", two = "", changed = "", ahead = ""] = slugs
    const later = await fleet.tenant(ahead).packages.upgrade({ slug: "desk", version: "1.2.1" })
    await fleet.tenant(ahead).directives.wait(later.directive.id)
    const verdicts = [true, false]
    const { fleet: gated } = await testFleet(db.database, {
      templates: [answering()],
      rolloutChecks: [
        { name: "once.bad", run: () => ({ healthy: verdicts.pop() ?? true, reason: "as the test says" }) },
      ],
    })
    const request = { package: "desk", to: "1.2.0", tenants: slugs, canary: [one], gate: { check: "once.bad", ...ANY } }
    const started = await gated.packages.rollouts.start(request)
    expect(await rested(fleet, started)).toMatchObject({ status: "stopped", tenants: { upgraded: 1, pending: 3 } })
    await gated.packages.rollouts.resume(started.id, { to: "1.2.1" })
    expect(await rested(fleet, started)).toMatchObject({
      status: "completed",
      tenants: { upgraded: 3, unchanged: 1 },
    })
    const back = await fleet.tenant(changed).packages.upgrade({ slug: "desk", version: "1.2.0" })
    await fleet.tenant(changed).directives.wait(back.directive.id)
    await gated.packages.rollouts.rollback(started.id, { reason: "nobody likes it" })
    expect(await rested(fleet, started)).toMatchObject({
      status: "rolled_back",
      tenants: { restored: 2, kept: 1, unchanged: 1 },
    })
    const versions = await Promise.all([one, two, changed, ahead].map((slug) => versionOf(fleet, slug)))
    expect(versions).toEqual(["1.1.0", "1.1.0", "1.2.0", "1.2.1"])
    expect(await rollouts.tenants(started.id, { states: ["kept"] })).toMatchObject([
      { tenant: changed, reason: "it got 1.2.0 since" },
    ])
  })
})

test("upgrades that fail stop it beyond what it allows; a cancellation begins no other", LONG, async () => {
  const { fleet, slugs } = await fleetWith(2)
  const needy = desk("1.3.0", {
    credentials: [{ name: "chat", provider: "slack", kind: "api_key", why: "to answer" }],
  })
  await publishAll(fleet, [needy])
  const { rollouts } = fleet.packages
  const started = await rollouts.start({ package: "desk", tenants: slugs, canary: 1, gate: ANY })
  const stopped = await rested(fleet, started)
  expect(stopped).toMatchObject({ status: "stopped", version: "1.3.0", tenants: { failed: 1, pending: 1 } })
  expect(stopped.stopReason).toContain("1 of 1 tenants could not be upgraded")
  expect(stopped.stopReason).toContain("expected a credential for slack")
  expect(await rollouts.cancel(started.id)).toMatchObject({ status: "cancelled" })
  await expect(rollouts.resume(started.id)).rejects.toMatchObject({ code: "rollout_state" })
  await expect(rollouts.cancel("nothing")).rejects.toMatchObject({ code: "rollout_unknown" })
})

test("the gate of deliveries counts what came of the package's handlers since the upgrade", LONG, async () => {
  const { fleet, slugs } = await fleetWith(1, ["1.1.0", "1.2.0"])
  const [slug = ""] = slugs
  const tenant = fleet.tenant(slug)
  await tenant.emit("ticket.opened", { n: 1 })
  await expect.poll(async () => (await tenant.counts()).dead, { timeout: 120_000 }).toBe(1)
  const request = { package: "desk", to: "1.2.0", tenants: slugs, gate: { waitMs: 10_000 } }
  const started = await fleet.packages.rollouts.start(request)
  await expect
    .poll(async () => (await fleet.packages.rollouts.get(started.id))?.tenants.upgraded, { timeout: 120_000 })
    .toBe(1)
  await tenant.emit("ticket.opened", { n: 2 })
  await expect.poll(async () => (await tenant.counts()).dead, { timeout: 120_000 }).toBe(2)
  // What failed before the upgrade says nothing.
  expect(await rested(fleet, started)).toMatchObject({
    status: "stopped",
    verdict: { healthy: false, figures: { tenants: 1, attempts: 1, failed: 1, share: 1, maxShare: 0.05 } },
  })
})

test("it is asked for by operators alone, of packages, tenants and checks that there are", LONG, async () => {
  const { fleet, slugs } = await fleetWith(1)
  const { rollouts } = fleet.packages
  const [tenant = ""] = slugs
  const by = (role: Principal["role"]) => actingAs(fleet.access, { kind: "host", id: "ann", tenant, role })
  const request = { package: "desk", to: "1.2.0", tenants: slugs, gate: ANY }
  await expect(rollouts.start(request, { by: by("owner") })).rejects.toMatchObject({ code: "forbidden" })
  await expect(rollouts.start({ ...request, to: "9.9.9" })).rejects.toMatchObject({ code: "package_unknown" })
  await expect(rollouts.start({ ...request, tenants: ["nobody"] })).rejects.toMatchObject({ code: "tenant_unknown" })
  await expect(rollouts.start({ ...request, gate: "no.such" })).rejects.toMatchObject({ code: "rollout_invalid" })
  await expect(rollouts.start({ ...request, concurrency: 0 })).rejects.toMatchObject({ code: "rollout_invalid" })
  await fleet.packages.yank("desk", "1.2.0")
  await expect(rollouts.start(request)).rejects.toMatchObject({ code: "rollout_invalid" })
  await fleet.packages.unyank("desk", "1.2.0")
  const started = await rollouts.start(request, { by: by("operator") })
  expect(await rested(fleet, started)).toMatchObject({ status: "completed", createdBy: "host:ann" })
})
