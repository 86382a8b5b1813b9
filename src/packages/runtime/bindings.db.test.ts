import { afterAll, beforeAll, expect, test } from "vitest"
import { binding, bindingsRead } from "../../../test/support/bindings.ts"
import { testDatabase, type TestDatabase } from "../../../test/support/test-database.ts"
import { looked, nextEvent, testFleet, testSlug } from "../../../test/support/test-fleet.ts"
import { defineHandlerTemplate } from "../../delivery/define-template.ts"
import { defineHandler } from "../../delivery/handler.ts"
import type { HandlerTemplate } from "../../delivery/template.ts"
import { isFleetPromptError } from "../../errors.ts"
import type { Fleet } from "../../fleet.ts"
import type { JsonObject } from "../../signal/json.ts"
import { announce } from "../../store/announcements.ts"
import { disableBindings, enableBindings, removeBindings, upsertBindings } from "../../store/bindings.ts"
import type { Transaction } from "../../store/database.ts"
import { deleteTenantRows } from "../../store/tenant-removal.ts"
import { tenantScope } from "../../store/tenant-scope.ts"
import { withinTenant } from "../../store/within-tenant.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const { installationId } = binding()

/** What a run of a template saw. */
interface Seen {
  readonly tenant: string
  readonly version: string
  readonly params: JsonObject
}

/** A template that notes its runs. */
function noting(seen: Seen[], name = "test.note"): HandlerTemplate {
  return defineHandlerTemplate({
    name,
    run: ({ tenant, params, package: { version } }) => void seen.push({ tenant, version, params }),
  })
}

/** Commits a change in the tenant's name; announced, or as if the announcement were lost. */
function change(slug: string, work: (tx: Transaction) => Promise<unknown>, isAnnounced = true): Promise<void> {
  return withinTenant(db.database, tenantScope(slug), async (tx) => {
    await work(tx)
    if (isAnnounced) await announce(tx, "test", { news: [], lanes: [], bindings: true })
  })
}

function settled(fleet: Fleet, slug: string, handler = "triage.label") {
  return nextEvent(fleet, "delivery.settled", (told) => told.tenant === slug && told.handler === handler)
}

/** Attempts of the tenant's deliveries: how they ended, and with what message. */
async function outcomes(slug: string): Promise<readonly string[]> {
  const rows = await db.database.query<{ outcome: string; message: string | null }>(
    `select outcome, error->>'message' as message from org_${slug}.attempts order by finished_at`,
  )
  return rows.map(({ outcome, message }) => (message === null ? outcome : `${outcome}: ${message}`))
}

test.each([
  ["announced", true],
  ["with a lost announcement", false],
])("what becomes of a binding is felt in other processes within 2 seconds, %s", async (_, isAnnounced) => {
  const seen: Seen[] = []
  const emitter = await testFleet(db.database, { worker: false })
  const worker = await testFleet(db.database, { templates: [noting(seen)] })
  const { tenant } = emitter
  const step = async (work: (tx: Transaction) => Promise<unknown>): Promise<void> => {
    await change(tenant.slug, work, isAnnounced)
    const committedAt = performance.now()
    await Promise.all([bindingsRead(emitter.fleet), bindingsRead(worker.fleet)])
    expect(performance.now() - committedAt).toBeLessThan(2_000)
  }
  await step((tx) => upsertBindings(tx, tenant.slug, [binding()]))
  const first = settled(worker.fleet, tenant.slug)
  await tenant.emit("issue.opened", {})
  await tenant.emit("mail.received", {})
  await first
  expect(await tenant.counts()).toMatchObject({ signals: 2, done: 1, waiting: 0 })

  await step((tx) => disableBindings(tx, tenant.slug, installationId))
  await tenant.emit("issue.opened", {})
  expect(await tenant.counts()).toMatchObject({ signals: 3, done: 1, waiting: 0 })

  await step((tx) => enableBindings(tx, tenant.slug, installationId))
  const second = settled(worker.fleet, tenant.slug)
  await tenant.emit("issue.opened", {})
  await second
  expect(await tenant.counts()).toMatchObject({ signals: 4, done: 2, waiting: 0 })

  await step((tx) => removeBindings(tx, tenant.slug, installationId))
  await tenant.emit("issue.opened", {})
  expect(await tenant.counts()).toMatchObject({ signals: 5, done: 2, waiting: 0 })
  expect(seen.map(({ tenant: slug }) => slug)).toEqual([tenant.slug, tenant.slug])
})

test("what waits outlives disabling, a restart and an upgrade, and runs as the new version has it", async () => {
  const seen: Seen[] = []
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [binding({ params: { label: "old" } })]))
  await bindingsRead(fleet)
  for (const n of [1, 2, 3]) await tenant.emit("issue.opened", { n })
  await change(tenant.slug, (tx) => disableBindings(tx, tenant.slug, installationId))
  const worker = await testFleet(db.database, { templates: [noting(seen), noting(seen, "test.other")] })
  await looked(worker.fleet)
  expect([seen, await tenant.counts()]).toEqual([[], expect.objectContaining({ waiting: 3 })])

  const upgraded = binding({ version: "2.0.0", template: "test.other", params: { label: "new" } })
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [upgraded]))
  await worker.fleet.drain()
  const run = { tenant: tenant.slug, version: "2.0.0", params: { label: "new" } }
  expect(seen).toEqual([run, run, run])
  expect(await outcomes(tenant.slug)).toEqual(["done", "done", "done"])
})

test("what a worker has claimed and not begun when its binding is disabled waits too", async () => {
  const begun: string[] = []
  let go = (): void => {}
  const gone = new Promise<void>((resolve) => (go = resolve))
  const slow = defineHandlerTemplate({
    name: "test.note",
    run: async ({ signal: { data } }) => {
      begun.push(JSON.stringify(data))
      await gone
    },
  })
  const { fleet, tenant } = await testFleet(db.database, {
    templates: [slow],
    worker: { concurrency: 1, pollMs: 50 },
  })
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [binding()]))
  await bindingsRead(fleet)
  await tenant.emitMany([1, 2, 3].map((n) => ({ type: "issue.opened", data: n })))
  await expect.poll(() => begun.length).toBe(1)
  await change(tenant.slug, (tx) => disableBindings(tx, tenant.slug, installationId))
  await bindingsRead(fleet)
  const first = settled(fleet, tenant.slug)
  go()
  await first
  await looked(fleet)
  expect([begun.length, await tenant.counts()]).toEqual([1, expect.objectContaining({ done: 1, waiting: 2 })])
  await change(tenant.slug, (tx) => enableBindings(tx, tenant.slug, installationId))
  await fleet.drain()
  expect(begun.toSorted()).toEqual(["1", "2", "3"])
  expect(await outcomes(tenant.slug)).toEqual(["done", "done", "done"])
})

test("what waits is cancelled after its binding was removed, also by a process that begins later", async () => {
  const seen: Seen[] = []
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [binding()]))
  await bindingsRead(fleet)
  for (const n of [1, 2]) await tenant.emit("issue.opened", { n })
  await change(tenant.slug, (tx) => removeBindings(tx, tenant.slug, installationId))
  const worker = await testFleet(db.database, { templates: [noting(seen)] })
  await worker.fleet.drain()
  const cancelled = `cancelled: package "triage" was uninstalled, or has no handler "triage.label" any more`
  expect([seen, await outcomes(tenant.slug)]).toEqual([[], [cancelled, cancelled]])
})

test("tenants have handlers of one name apart", async () => {
  const seen: Seen[] = []
  const failing = defineHandlerTemplate({
    name: "test.fail",
    retry: { attempts: 1 },
    run: () => {
      throw new Error("mine")
    },
  })
  const { fleet, tenant: a } = await testFleet(db.database, { templates: [noting(seen), failing] })
  const [b, none] = [fleet.tenant(testSlug("b")), fleet.tenant(testSlug("none"))]
  for (const { slug } of [b, none]) await fleet.tenants.provision(slug)
  await change(a.slug, (tx) => upsertBindings(tx, a.slug, [binding({ params: { of: "a" } })]))
  await change(b.slug, (tx) => upsertBindings(tx, b.slug, [binding({ template: "test.fail", version: "2.0.0" })]))
  await bindingsRead(fleet)
  for (const tenant of [a, b, none]) await tenant.emit("issue.opened", {})
  await fleet.drain()
  expect(seen).toEqual([{ tenant: a.slug, version: "1.0.0", params: { of: "a" } }])
  expect(await Promise.all([a, b, none].map(({ slug }) => outcomes(slug)))).toEqual([["done"], ["dead: mine"], []])
})

test("a binding runs where its condition holds", async () => {
  const seen: Seen[] = []
  const { fleet, tenant } = await testFleet(db.database, { templates: [noting(seen)] })
  const condition = {
    all: [{ path: "data.score", op: "gte", value: 90 }, { not: { path: "data.test", op: "exists" } }],
  }
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [binding({ condition })]))
  await bindingsRead(fleet)
  for (const data of [{ score: 89 }, { score: 90 }, { score: 91, test: true }]) await tenant.emit("issue.opened", data)
  await fleet.drain()
  expect([seen.length, await tenant.counts()]).toEqual([1, expect.objectContaining({ signals: 3, done: 1 })])
})

test("what needs a template that a process lacks is told, and left to one that has it", async () => {
  const seen: Seen[] = []
  const { fleet: old, tenant } = await testFleet(db.database, { templates: [noting(seen, "test.older")] })
  const told = nextEvent(
    old,
    "background.failed",
    ({ error }) => isFleetPromptError(error) && error.code === "template_unknown",
  )
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [binding()]))
  expect(await told).toMatchObject({ step: "bindings" })
  await tenant.emit("issue.opened", {})
  await looked(old)
  expect([await tenant.counts(), await outcomes(tenant.slug)]).toEqual([expect.objectContaining({ waiting: 1 }), []])
  const { fleet: next } = await testFleet(db.database, { templates: [noting(seen)] })
  await next.drain()
  expect([seen.length, await outcomes(tenant.slug)]).toEqual([1, ["done"]])
})

test("params that do not fit the template fail the attempt, without a run", async () => {
  let runs = 0
  const strict = defineHandlerTemplate({
    name: "test.note",
    retry: { attempts: 1 },
    params: { "~standard": { version: 1, vendor: "test", validate: () => ({ issues: [{ message: "no label" }] }) } },
    run: () => void (runs += 1),
  })
  const { fleet, tenant } = await testFleet(db.database, { templates: [strict] })
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [binding()]))
  await bindingsRead(fleet)
  await tenant.emit("issue.opened", {})
  await fleet.drain()
  expect([runs, await outcomes(tenant.slug)]).toEqual([
    0,
    ["dead: expected what template test.note takes, got: with: no label"],
  ])
})

test("a template gets the installation's configuration, and its credentials by the package's names", async () => {
  const secret = "s3cret-of-the-test"
  const seen: unknown[] = []
  const template = defineHandlerTemplate({
    name: "test.note",
    retry: { attempts: 1 },
    run: async ({ config, package: { slug, installation }, credentials, emit }) => {
      const github = await credentials.get("github")
      seen.push({ config, slug, installation, isRight: github.reveal("token") === secret })
      await emit("issue.labelled", { token: secret })
      await credentials.get("slack")
    },
  })
  const { fleet, tenant } = await testFleet(db.database, { templates: [template] })
  const { id } = await tenant.credentials.create(
    { provider: "github", account: "octokit", kind: "api_key", secret: { token: secret } },
    { kind: "user", id: "anna" },
  )
  // What it emits is not for itself.
  const given = binding({ pattern: "issue.opened", config: { team: "web" }, credentials: { github: id } })
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [given]))
  await bindingsRead(fleet)
  await tenant.emit("issue.opened", {})
  await fleet.drain()
  expect(seen).toEqual([{ config: { team: "web" }, slug: "triage", installation: installationId, isRight: true }])
  const [outcome = ""] = await outcomes(tenant.slug)
  expect(outcome).toContain(
    `dead: expected the name of a credential that the installation of triage was given ("github"), got "slack"`,
  )
  const emitted = await tenant.signals.list({ limit: 1, visibilities: ["internal", "admin_only"] })
  expect(JSON.stringify(emitted)).not.toContain(secret)
})

test("a handler of the program keeps its name: a binding of that name is told, and runs nowhere", async () => {
  const seen: Seen[] = []
  let own = 0
  const handler = defineHandler({ name: "triage.label", on: "issue.opened", run: () => void (own += 1) })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [handler], templates: [noting(seen)] })
  const told = nextEvent(fleet, "background.failed", ({ step }) => step === "bindings")
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [binding()]))
  expect(await told).toMatchObject({ error: { code: "config_invalid" } })
  await tenant.emit("issue.opened", {})
  await fleet.drain()
  expect([own, seen.length, await outcomes(tenant.slug)]).toEqual([1, 0, ["done"]])
})

test("one binding that cannot be read keeps none of the others from their signals", async () => {
  const seen: Seen[] = []
  const { fleet, tenant } = await testFleet(db.database, { templates: [noting(seen)] })
  const bindings = [binding({ handler: "triage.bad", pattern: "issue..*" }), binding()]
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, bindings))
  await bindingsRead(fleet)
  await tenant.emit("issue.opened", {})
  await fleet.drain()
  expect(seen).toHaveLength(1)
})

test("with the rows of a tenant that is deleted its bindings go, so that they are not another's who gets the slug", async () => {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [binding()]))
  await bindingsRead(fleet)
  await tenant.emit("issue.opened", {})
  await db.database.owner.transaction((tx) => deleteTenantRows(tx, "fleetprompt", "bindings", tenant.slug))
  await bindingsRead(fleet)
  await tenant.emit("issue.opened", {})
  expect(await tenant.counts()).toMatchObject({ signals: 2, waiting: 1 })
})

test("bindings can be replayed, by name too, by the tenant that has them", async () => {
  const seen: Seen[] = []
  const { fleet, tenant } = await testFleet(db.database, { templates: [noting(seen)] })
  const other = testSlug("other")
  await fleet.tenants.provision(other)
  await tenant.emit("issue.opened", {})
  await change(tenant.slug, (tx) => upsertBindings(tx, tenant.slug, [binding()]))
  await bindingsRead(fleet)
  const actor = { id: "anna", role: "admin" } as const
  const completed = nextEvent(fleet, "replay.progress", ({ status }) => status === "completed")
  await tenant.replays.start({ filter: {}, handler: "triage.label" }, { actor })
  await completed
  expect(seen).toHaveLength(1)
  await expect(fleet.tenant(other).replays.plan({ filter: {}, handler: "triage.label" })).rejects.toMatchObject({
    code: "handler_unknown",
  })
})
