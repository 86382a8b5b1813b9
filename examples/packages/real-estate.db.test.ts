import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { bindingsRead } from "../../test/support/bindings.ts"
import { exampleFleet, type ExampleFleet } from "../../test/support/example-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import type { EffectNode } from "../../src/inspect/signal-detail.ts"
import { compileSchema } from "../../src/packages/json-schema.ts"
import { readManifests } from "./manifests.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** 89 points; with a budget of a million 90. */
const WARM = { lead_id: "warm", budget: 900_000, timeline: "immediate", pre_approved: true, area: "94110" }
const HOT = { ...WARM, lead_id: "hot", budget: 1_000_000 }

/** What a signal led to: each signal with those that it caused. */
type Tree = { readonly [type: string]: Tree }

function treeOf(effects: readonly EffectNode[]): Tree {
  return Object.fromEntries(effects.map(({ type, effects }) => [type, treeOf(effects)]))
}

async function installAll({ install, credential }: ExampleFleet): Promise<void> {
  await install("lead-qualification")
  await install("mls-enrichment", { credentials: { mls: await credential("mls") } })
  await install("property-research", {
    credentials: { zillow: await credential("zillow"), realtor: await credential("realtor") },
  })
  await install("notification", { credentials: { slack: await credential("slack") }, config: { channel: "#sales" } })
}

describe("lead-qualification", () => {
  test("a lead is scored wherever it comes from, and qualifies by the tenant's own limit", async () => {
    const { install, follow, dataOf } = await exampleFleet(db.database)
    await install("lead-qualification")
    const scored = await follow("lead.received.zillow", HOT)
    expect(scored.effects).toMatchObject([{ type: "lead.qualified", subject: "lead:hot", effects: [] }])
    await follow("lead.received", { lead_id: "cold", budget: 10_000, email: "ada@example.org" })
    expect(await dataOf("lead.*")).toEqual([
      { lead_id: "hot", score: 90, priority: "high", budget: 1_000_000, area: "94110" },
      { lead_id: "cold", budget: 10_000, email: "ada@example.org" },
      { lead_id: "cold", score: 10, min_score: 70 },
    ])
  })

  test("another configuration gives another outcome", async () => {
    const { install, follow } = await exampleFleet(db.database)
    await install("lead-qualification", { config: { min_score: 91, high_from: 95 } })
    expect((await follow("lead.received", HOT)).effects.map(({ type }) => type)).toEqual(["lead.disqualified"])
    expect((await follow("lead.received", { ...HOT, phone: "1" })).effects.map(({ type }) => type)).toEqual([
      "lead.qualified",
    ])
  })

  test("configured anew it decides anew, without a restart", async () => {
    const { fleet, install, follow, tenant } = await exampleFleet(db.database)
    await install("lead-qualification")
    expect((await follow("lead.received", WARM)).effects.map(({ type }) => type)).toEqual(["lead.qualified"])
    const { directive } = await tenant.packages.upgrade({ slug: "lead-qualification", config: { min_score: 90 } })
    expect(await tenant.directives.wait(directive.id)).toMatchObject({ status: "completed", errorMessage: null })
    await bindingsRead(fleet)
    expect((await follow("lead.received", WARM)).effects.map(({ type }) => type)).toEqual(["lead.disqualified"])
  })

  test("a lead that is none ends as cancelled, with a reason", async () => {
    const { install, follow } = await exampleFleet(db.database)
    await install("lead-qualification")
    const { effects, deliveries } = await follow("lead.received", { lead_id: "1", budget: "a lot" })
    expect(effects).toEqual([])
    expect(deliveries).toMatchObject([{ handler: "lead-qualification.qualify", status: "cancelled" }])
    expect(JSON.stringify(deliveries)).toContain("data.budget (invalid_type)")
  })

  test("its action scores for whoever asks, and takes only what its schema says", async () => {
    const { install, tenant } = await exampleFleet(db.database)
    await install("lead-qualification")
    const call = (input: object) => tenant.packages.execute("lead-qualification", "score", input as typeof WARM)
    expect(await call(WARM)).toEqual({
      score: 89,
      priority: "high",
      points: { budget: 39, timeline: 30, approval: 20, contact: 0 },
      is_qualified: true,
    })
    await expect(call({ budget: -1 })).rejects.toMatchObject({ code: "action_input_invalid" })
  })
})

describe("mls-enrichment", () => {
  test("it brings lead-qualification, which it needs", async () => {
    const { install, credential, tenant } = await exampleFleet(db.database)
    const mls = await credential("mls")
    const plan = await tenant.packages.plan({ slug: "mls-enrichment", credentials: { mls } })
    expect(plan).toMatchObject({
      dependencies: [{ package: "lead-qualification", version: "1.0.0", from: null, action: "install" }],
      problems: [],
    })
    await install("mls-enrichment", { credentials: { mls } })
    const [own, needed] = await Promise.all(
      ["mls-enrichment", "lead-qualification"].map(async (slug) => (await tenant.packages.get(slug))?.installation),
    )
    expect(needed).toMatchObject({ status: "active", installedFor: own?.id })
    await expect(tenant.packages.uninstall("lead-qualification")).rejects.toMatchObject({ code: "installation_needed" })
  })

  test("without its credential the plan says what is missing and why, and it is not installed", async () => {
    const { tenant } = await exampleFleet(db.database)
    const plan = await tenant.packages.plan({ slug: "mls-enrichment" })
    expect(plan.missingCredentials).toEqual([
      {
        package: "mls-enrichment",
        name: "mls",
        provider: "mls",
        kind: "api_key",
        why: "To look for houses in the listing service.",
      },
    ])
    expect(plan.problems).toMatchObject([{ kind: "credential" }])
    await expect(tenant.packages.install({ slug: "mls-enrichment" })).rejects.toMatchObject({
      code: "installation_refused",
    })
    expect(await tenant.packages.get("mls-enrichment")).toBeUndefined()
  })

  test("it acts from 90 points on: with 89 it gets no delivery at all", async () => {
    const { install, credential, follow, fakes } = await exampleFleet(db.database)
    await install("mls-enrichment", { credentials: { mls: await credential("mls") } })
    const warm = await follow("lead.received.zillow", WARM)
    expect(treeOf(warm.effects)).toEqual({ "lead.qualified": {} })
    expect(fakes.mls.seen()).toEqual([])
    const hot = await follow("lead.received.zillow", HOT)
    expect(treeOf(hot.effects)).toEqual({ "lead.qualified": { "lead.enriched": {} } })
    expect(fakes.mls.seen()).toMatchObject([
      { path: "/listings", query: { area: "94110", max_price: "1000000", limit: "3" } },
    ])
  })

  test("its limit and how many houses are the tenant's to say", async () => {
    const { install, credential, follow, dataOf } = await exampleFleet(db.database)
    const config = { min_score: 80, listings: 1 }
    await install("mls-enrichment", { credentials: { mls: await credential("mls") }, config })
    await follow("lead.received", { ...WARM, budget: 2_000_000 })
    expect(await dataOf("lead.enriched")).toEqual([
      {
        lead_id: "warm",
        score: 90,
        address: "12 Valencia St, San Francisco",
        listings: [{ id: "mls-1", address: "12 Valencia St, San Francisco", price: 1_250_000 }],
      },
    ])
    expect(treeOf((await follow("lead.received", { ...WARM, area: "nowhere" })).effects)).toEqual({
      "lead.qualified": { "lead.enriched": {} },
    })
  })

  test("a service that is busy, fails or is gone is asked again, and the lead is enriched once", async () => {
    const { install, credential, follow, fakes, dataOf } = await exampleFleet(db.database)
    await install("mls-enrichment", { credentials: { mls: await credential("mls") } })
    fakes.mls.tell({ path: "/listings", kind: "fail", status: 503, retryAfterS: 0, times: 1 })
    fakes.mls.tell({ path: "/listings", kind: "fail", status: 429, retryAfterS: 0, times: 2 })
    const { effects } = await follow("lead.received", HOT)
    expect(treeOf(effects)).toEqual({ "lead.qualified": { "lead.enriched": {} } })
    expect(fakes.mls.seen()).toHaveLength(4)
    expect(await dataOf("lead.enriched")).toHaveLength(1)
  })

  test("a service that refuses the credential leaves a dead letter, which holds no secret", async () => {
    const { install, tenant, follow } = await exampleFleet(db.database)
    const secret = { token: "another-key-than-theirs" }
    const input = { provider: "mls", account: "tests", kind: "api_key", secret } as const
    const { id } = await tenant.credentials.create(input, { kind: "system", id: "tests" })
    await install("mls-enrichment", { credentials: { mls: id } })
    await follow("lead.received", HOT)
    const { letters } = await tenant.deadLetters.list()
    expect(letters).toMatchObject([{ handler: "mls-enrichment.enrich" }])
    const told = JSON.stringify(letters)
    expect(told).toContain("expected the MLS to do as asked, got status 401")
    expect(told).not.toContain(secret.token)
  })
})

describe("the packages together", () => {
  test("a lead goes through all of them, each signal caused by the one before", async () => {
    const rig = await exampleFleet(db.database)
    await installAll(rig)
    const { effects, metadata } = await rig.follow("lead.received.zillow", HOT)
    expect(treeOf(effects)).toEqual({
      "lead.qualified": {
        "notification.sent": {},
        "lead.enriched": { "property.researched": { "notification.sent": {} } },
      },
    })
    const { signals } = await rig.tenant.signals.list({ limit: 100, pattern: "lead.**", visibilities: ["internal"] })
    expect(new Set(signals.map(({ correlationId }) => correlationId))).toEqual(new Set([metadata.correlation_id]))
    const messages = rig.fakes.slack.seen().map(({ body }) => body)
    expect(messages).toHaveLength(2)
    expect(messages).toEqual(
      expect.arrayContaining([
        { channel: "#sales", text: "Lead hot has 90 points." },
        { channel: "#sales", text: "7 Guerrero St, San Francisco: 5 of 5 sources answered." },
      ]),
    )
  })

  test("what they emit is what their manifests say", async () => {
    const rig = await exampleFleet(db.database)
    await installAll(rig)
    await rig.follow("lead.received", HOT)
    await rig.follow("lead.received", { lead_id: "cold" })
    const emitted = (await readManifests()).flatMap(({ signals }) => signals?.emitted ?? [])
    const types: string[] = []
    for (const { type, schema } of emitted) {
      const check = compileSchema(schema ?? true)
      for (const data of await rig.dataOf(type)) {
        expect(check(data as never, ""), type).toEqual([])
        types.push(type)
      }
    }
    expect(new Set(types)).toEqual(
      new Set(["lead.qualified", "lead.disqualified", "lead.enriched", "property.researched", "notification.sent"]),
    )
  })

  test("none of them keeps a person's address with what it tells", async () => {
    const rig = await exampleFleet(db.database)
    await installAll(rig)
    await rig.follow("lead.received", { ...HOT, email: "ada@example.org", phone: "+1 555 0100" })
    for (const type of ["lead.qualified", "lead.enriched", "property.researched", "notification.sent"])
      expect(JSON.stringify(await rig.dataOf(type))).not.toMatch(/ada@|555 0100/)
  })
})
