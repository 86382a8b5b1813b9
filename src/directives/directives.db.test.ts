import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { nextEvent, testFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { Principal } from "../access/principal.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import { defineDirective } from "./define-directive.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const AT_ONCE = { attempts: 3, backoff: { firstMs: 0 } }
const ANN = "0198c0de-0000-7000-8000-000000000001"

function principal(tenant: string, more: Partial<Principal> = {}): Principal {
  return { kind: "user", id: ANN, tenant, role: "admin", ...more }
}

/** Answers with what it was asked. */
const echo = defineDirective({
  type: "echo.say",
  params: z.object({ text: z.string(), times: z.number().default(1) }),
  run: ({ params }) => ({ said: params.text.repeat(params.times) }),
})

/** As the specification's own: with signals of its domain around. */
const install = defineDirective({
  type: "item.install",
  params: z.object({ slug: z.string(), version: z.string() }),
  trail: {
    requested: ({ params, tenant }) => ({
      data: { slug: params.slug },
      subject: `package:${params.slug}`,
      dedupeKey: `pkg_install_req:${tenant}:${params.slug}:${params.version}`,
    }),
    started: ({ params }) => ({ data: { slug: params.slug }, subject: `package:${params.slug}` }),
    completed: ({ params, result }) => ({ data: { slug: params.slug, result }, subject: `package:${params.slug}` }),
    failed: ({ params, failure }) => ({ data: { slug: params.slug, kind: failure.kind } }),
  },
  retry: { attempts: 1 },
  run: ({ params }) => {
    if (params.version === "0.0.0") throw new Error("there is no such version")
    return { installed: params.version }
  },
})

const brief = (trail: readonly StoredSignal[]) => trail.map(({ type }) => type)

describe("a directive", () => {
  test("runs, and tells each stage with its cause, actor and correlation, once and in order", async () => {
    const { tenant } = await testFleet(db.database, { directives: [install] })
    const actor = principal(tenant.slug)
    const { signal: cause } = await tenant.emit("button.pressed", {})
    const { directive, inserted } = await tenant.directives.request(
      install,
      { slug: "triage", version: "1.2.0" },
      { actor, causationId: cause.id, correlationId: "click-1", reason: "we need it" },
    )
    expect(inserted).toBe(true)
    expect(directive).toMatchObject({
      status: "requested",
      type: "item.install",
      params: { slug: "triage", version: "1.2.0" },
      actor: { kind: "user", id: ANN, role: "admin" },
      actorUserId: ANN,
      correlationId: "click-1",
      causationId: cause.id,
      reason: "we need it",
      attempt: 0,
    })
    const ended = await tenant.directives.wait(directive.id)
    expect(ended).toMatchObject({ status: "completed", result: { installed: "1.2.0" }, errorKind: null, attempt: 1 })
    expect(ended.startedAt && ended.completedAt && ended.startedAt <= ended.completedAt).toBe(true)
    const trail = await tenant.directives.trail(directive.id)
    expect(brief(trail)).toEqual([
      "item.install.requested",
      "directive.requested",
      "directive.started",
      "item.install.started",
      "item.install.completed",
      "directive.completed",
    ])
    const [asked, requested, started, begun, done, completed] = trail
    expect(trail.map(({ metadata }) => metadata.causation_id)).toEqual([
      cause.id,
      asked?.id,
      requested?.id,
      started?.id,
      started?.id,
      started?.id,
    ])
    for (const { metadata } of trail)
      expect(metadata).toMatchObject({ correlation_id: "click-1", actor_user_id: ANN, actor_role: "admin" })
    expect(asked).toMatchObject({
      subject: "package:triage",
      dedupeKey: `pkg_install_req:${tenant.slug}:triage:1.2.0`,
      data: { slug: "triage" },
    })
    expect(requested).toMatchObject({
      subject: `directive:${directive.id}`,
      dedupeKey: `job:${directive.id}:directive.requested`,
      data: { directive_id: directive.id, directive_type: "item.install", actor_role: "admin" },
    })
    // What was asked may hold what not everybody is to know.
    expect(JSON.stringify(requested?.data)).not.toContain("triage")
    expect(begun?.dedupeKey).toBe(`job:${directive.id}:item.install.started`)
    expect([started, begun, done, completed].map((each) => each?.source)).toEqual(
      Array.from({ length: 4 }, () => "job:directive_runner"),
    )
    expect(completed?.data).toMatchObject({ attempt: 1, result: { installed: "1.2.0" } })
  })

  test("that fails tells so, and keeps what went wrong", async () => {
    const { fleet, tenant } = await testFleet(db.database, { directives: [install] })
    const failed = nextEvent(fleet, "directive.failed")
    const { directive } = await tenant.directives.request(install, { slug: "triage", version: "0.0.0" })
    expect(await tenant.directives.wait(directive.id)).toMatchObject({
      status: "failed",
      result: null,
      errorKind: "error",
      errorMessage: "there is no such version",
      errorDetails: { name: "Error" },
    })
    const trail = await tenant.directives.trail(directive.id)
    expect(brief(trail).slice(-2)).toEqual(["item.install.failed", "directive.failed"])
    expect(trail.at(-1)?.data).toMatchObject({ error_kind: "error", error_message: "there is no such version" })
    expect(await failed).toMatchObject({
      tenant: tenant.slug,
      directiveId: directive.id,
      type: "item.install",
      correlationId: directive.correlationId,
      causationId: null,
      errorKind: "error",
    })
  })

  test("whose type is unknown is refused, with those that there are, the most similar first", async () => {
    const { tenant } = await testFleet(db.database, { directives: [echo, install] })
    await expect(tenant.directives.request("item.instal", {})).rejects.toMatchObject({
      code: "directive_unknown",
      message: expect.stringContaining("one of the fleet's directives, item.install, "),
    })
    await expect(tenant.directives.request("ecko.say", {})).rejects.toThrow("directives, echo.say, ")
  })

  test("whose params do not fit is refused, with every reason", async () => {
    const { tenant } = await testFleet(db.database, { directives: [install] })
    await expect(tenant.directives.request("item.install", { version: 3 })).rejects.toMatchObject({
      code: "directive_params_invalid",
      path: "params.slug",
      message: expect.stringMatching(/params\.slug.*params\.version/),
    })
    expect(await tenant.directives.list()).toEqual({ directives: [], next: null })
    expect(await tenant.counts()).toMatchObject({ signals: 0 })
  })

  test("is stored as its schema reads it, and with no secret", async () => {
    const { tenant } = await testFleet(db.database, { directives: [echo] })
    const { directive } = await tenant.directives.request("echo.say", { text: "a", more: 1 })
    expect(directive.params).toEqual({ text: "a", times: 1 })
    const secret = `ghp_${"a1B2".repeat(9)}`
    await expect(tenant.directives.request(echo, { text: secret })).rejects.toMatchObject({ code: "secret_refused" })
    await expect(tenant.directives.request(echo, { text: "b" }, { reason: secret })).rejects.toMatchObject({
      code: "secret_refused",
    })
  })

  test("requested in the caller's transaction commits with it, or not at all", async () => {
    const { fleet, tenant } = await testFleet(db.database, { directives: [echo] })
    const rolledBack = fleet.transaction(async (tx) => {
      const { inserted } = await tenant.directives.request(echo, { text: "a" }, { tx })
      expect(inserted).toBe(true)
      throw new Error("the caller's own")
    })
    await expect(rolledBack).rejects.toThrow("the caller's own")
    expect((await tenant.directives.list()).directives).toEqual([])
    expect(await tenant.counts()).toMatchObject({ signals: 0 })
    const { directive } = await fleet.transaction((tx) =>
      tenant.directives.request(echo, { text: "b" }, { tx, actor: principal(tenant.slug) }),
    )
    expect(await tenant.directives.wait(directive.id)).toMatchObject({ status: "completed", result: { said: "b" } })
  })
})

describe("an idempotency key", () => {
  test("with the same params is the same directive, with others an error that shows both", async () => {
    const { tenant } = await testFleet(db.database, { directives: [echo], worker: false })
    const options = { idempotencyKey: "dir:echo:1" }
    const first = await tenant.directives.request(echo, { text: "a", times: 2 }, options)
    const again = await tenant.directives.request("echo.say", { times: 2, text: "a" }, options)
    expect([first.inserted, again.inserted]).toEqual([true, false])
    expect(again.directive).toEqual(first.directive)
    const other = await tenant.directives.request(echo, { text: "b" })
    await expect(tenant.directives.request(echo, { text: "b" }, options)).rejects.toMatchObject({
      code: "directive_conflict",
      message: expect.stringContaining(first.directive.paramsChecksum),
    })
    await expect(tenant.directives.request(echo, { text: "b" }, options)).rejects.toThrow(
      other.directive.paramsChecksum,
    )
    expect((await tenant.directives.list()).directives).toHaveLength(2)
  })

  test("makes one directive of fifty requests at once", async () => {
    const { tenant } = await testFleet(db.database, { directives: [install] })
    const requests = Array.from({ length: 50 }, () =>
      tenant.directives.request(install, { slug: "triage", version: "1.0.0" }, { idempotencyKey: "one" }),
    )
    const answers = await Promise.all(requests)
    expect(answers.filter(({ inserted }) => inserted)).toHaveLength(1)
    expect(new Set(answers.map(({ directive }) => directive.id)).size).toBe(1)
    const id = answers[0]?.directive.id ?? ""
    await tenant.directives.wait(id)
    expect(await tenant.directives.trail(id)).toHaveLength(6)
  })

  test("may be made of the params", async () => {
    const keyed = defineDirective({
      type: "item.enable",
      params: z.object({ slug: z.string() }),
      idempotencyKey: ({ slug }, { tenant }) => `dir:pkg_toggle:${tenant}:${slug}`,
      run: () => {},
    })
    const { tenant } = await testFleet(db.database, { directives: [keyed], worker: false })
    const first = await tenant.directives.request(keyed, { slug: "a" })
    expect(first.directive.idempotencyKey).toBe(`dir:pkg_toggle:${tenant.slug}:a`)
    expect((await tenant.directives.request(keyed, { slug: "a" })).inserted).toBe(false)
    expect((await tenant.directives.request(keyed, { slug: "b" })).inserted).toBe(true)
  })
})

describe("who may", () => {
  test("request: owners and admins of the tenant, unless the definition says others", async () => {
    const open = defineDirective({ type: "open.one", params: z.object({}), roles: ["member", "admin"], run: () => {} })
    const { tenant } = await testFleet(db.database, { directives: [echo, open], worker: false })
    const { slug } = tenant
    const by = (more: Partial<Principal>) => ({ actor: principal(slug, more) })
    const text = { text: "a" }
    await expect(tenant.directives.request(echo, text, by({ role: "member" }))).rejects.toMatchObject({
      code: "forbidden",
    })
    await expect(tenant.directives.request(open, {}, by({ role: "owner" }))).rejects.toMatchObject({
      code: "forbidden",
    })
    await expect(
      tenant.directives.request(echo, text, by({ kind: "operator", role: "operator" })),
    ).rejects.toMatchObject({ code: "forbidden" })
    await expect(
      tenant.directives.request(echo, text, by({ kind: "api_key", scopes: ["signals:emit"] })),
    ).rejects.toMatchObject({ code: "forbidden" })
    await expect(tenant.directives.request(echo, text, { actor: principal("another") })).rejects.toMatchObject({
      code: "not_found",
    })
    // Code without types may give anything.
    await expect(
      tenant.directives.request(echo, text, { actor: { id: "mallory", role: "owner" } as Principal }),
    ).rejects.toMatchObject({ code: "directive_params_invalid" })
    await tenant.directives.request(open, {}, by({ role: "member" }))
    const key = by({ kind: "api_key", id: "key-1", key: "key-1", scopes: ["directives:request"] })
    expect((await tenant.directives.request(echo, text, key)).directive).toMatchObject({
      actor: { kind: "api_key", id: "key-1", role: "admin" },
      actorUserId: null,
    })
  })

  test("approve: another owner or admin, a person; until then nothing runs", async () => {
    let runs = 0
    const careful = defineDirective({
      type: "data.erase",
      params: z.object({ rows: z.number() }),
      approval: ({ rows }) => rows > 10,
      run: () => void runs++,
    })
    const { fleet, tenant } = await testFleet(db.database, { directives: [careful] })
    const ann = { actor: principal(tenant.slug) }
    const bob = { actor: principal(tenant.slug, { id: "bob", kind: "host" }) }
    const few = await tenant.directives.request(careful, { rows: 1 }, ann)
    expect(few.directive.approval).toBeNull()
    await tenant.directives.wait(few.directive.id)
    const looked = nextEvent(fleet, "delivery.settled", (settled) => settled.tenant === tenant.slug)
    const { directive } = await tenant.directives.request(careful, { rows: 11 }, { ...ann, plan: { rows: 11 } })
    expect(directive).toMatchObject({ approval: "waiting", plan: { rows: 11 } })
    await looked
    expect(await tenant.directives.get(directive.id)).toMatchObject({ status: "requested", attempt: 0 })
    expect((await tenant.directives.list({ awaitingApproval: true })).directives.map(({ id }) => id)).toEqual([
      directive.id,
    ])
    await expect(tenant.directives.approve(directive.id, ann)).rejects.toMatchObject({ code: "forbidden" })
    const herKey = { actor: principal(tenant.slug, { kind: "api_key", id: "key-1" }) }
    await expect(tenant.directives.approve(directive.id, herKey)).rejects.toMatchObject({ code: "forbidden" })
    const { id } = (await tenant.apiKeys.create({ name: "hers", role: "admin", owner: { kind: "host", id: "bob" } }))
      .record
    const byKey = { actor: principal(tenant.slug, { kind: "api_key", id, key: id }) }
    const { directive: hisKeys } = await tenant.directives.request(careful, { rows: 12 }, byKey)
    expect(hisKeys).toMatchObject({ actorPerson: "bob" })
    await expect(tenant.directives.approve(hisKeys.id, bob)).rejects.toMatchObject({ code: "forbidden" })
    await tenant.directives.cancel(hisKeys.id)
    const member = { actor: principal(tenant.slug, { id: "carl", role: "member" }) }
    await expect(tenant.directives.approve(directive.id, member)).rejects.toMatchObject({ code: "forbidden" })
    expect(runs).toBe(1)
    expect(await tenant.directives.approve(directive.id, { ...bob, reason: "looked at it" })).toMatchObject({
      approval: "approved",
      decidedBy: { kind: "host", id: "bob", role: "admin" },
      decisionReason: "looked at it",
    })
    // Said twice, it is approved once.
    await tenant.directives.approve(directive.id, bob)
    expect(await tenant.directives.wait(directive.id)).toMatchObject({ status: "completed" })
    expect(runs).toBe(2)
    expect(brief(await tenant.directives.trail(directive.id))).toEqual([
      "directive.requested",
      "directive.approved",
      "directive.started",
      "directive.completed",
    ])
    await expect(tenant.directives.reject(directive.id, bob)).rejects.toMatchObject({ code: "directive_state" })
  })

  test("reject: then it never runs", async () => {
    const careful = defineDirective({ type: "data.erase", params: z.object({}), approval: true, run: () => {} })
    const { tenant } = await testFleet(db.database, { directives: [careful] })
    const { directive } = await tenant.directives.request(careful, {}, { actor: principal(tenant.slug) })
    const bob = { actor: principal(tenant.slug, { id: "bob" }), reason: "too early" }
    expect(await tenant.directives.reject(directive.id, bob)).toMatchObject({
      status: "cancelled",
      approval: "rejected",
      errorKind: "rejected",
      errorMessage: "too early",
      startedAt: null,
    })
    await expect(tenant.directives.approve(directive.id, bob)).rejects.toMatchObject({ code: "directive_state" })
    expect(brief(await tenant.directives.trail(directive.id))).toEqual(["directive.requested", "directive.cancelled"])
  })

  test("cancel: owners, admins, and a member what is their own", async () => {
    const open = defineDirective({ type: "open.one", params: z.object({}), roles: ["member"], run: () => {} })
    const { tenant } = await testFleet(db.database, { directives: [open], worker: false })
    const carl = { actor: principal(tenant.slug, { id: "carl", role: "member" }) }
    const dora = { actor: principal(tenant.slug, { id: "dora", role: "member" }) }
    const { directive } = await tenant.directives.request(open, {}, carl)
    await expect(tenant.directives.cancel(directive.id, dora)).rejects.toMatchObject({ code: "forbidden" })
    const first = await tenant.directives.cancel(directive.id, carl)
    expect(first).toMatchObject({ status: "cancelled", errorKind: "cancelled", startedAt: null })
    expect(await tenant.directives.cancel(directive.id, carl)).toEqual(first)
    expect(brief(await tenant.directives.trail(directive.id))).toEqual(["directive.requested", "directive.cancelled"])
  })

  test("nothing of it with another tenant's directive", async () => {
    const { fleet, tenant } = await testFleet(db.database, { directives: [echo], worker: false })
    for (const placement of ["own", "shared"] as const) {
      const slug = testSlug(placement)
      await fleet.tenants.provision(slug, { placement })
      const { directive } = await fleet.directives.request(echo, { text: "marker" }, { tenant: slug })
      const { directives } = tenant
      expect(await directives.get(directive.id)).toBeUndefined()
      for (const act of [directives.cancel, directives.approve, directives.reject, directives.rerun])
        await expect(act(directive.id)).rejects.toMatchObject({ code: "directive_unknown" })
      await expect(directives.trail(directive.id)).rejects.toMatchObject({ code: "directive_unknown" })
      expect(await fleet.directives.get(directive.id, { tenant: slug })).toEqual(directive)
    }
    expect((await tenant.directives.list()).directives).toEqual([])
  })
})

describe("lists", () => {
  test("show the newest first, by pages, by status, type and actor", async () => {
    const { tenant } = await testFleet(db.database, { directives: [echo, install], worker: false })
    const ids: string[] = []
    for (const text of ["a", "b", "c", "d", "e"])
      ids.push((await tenant.directives.request(echo, { text }, { actor: principal(tenant.slug) })).directive.id)
    const by = { actor: principal(tenant.slug, { id: "bob" }) }
    const { directive } = await tenant.directives.request(install, { slug: "a", version: "1.0.0" }, by)
    await tenant.directives.cancel(ids[0] ?? "")
    const pages: string[][] = []
    let before: string | undefined
    do {
      const page = await tenant.directives.list({ limit: 2, ...(before !== undefined && { before }) })
      pages.push(page.directives.map(({ id }) => id))
      before = page.next ?? undefined
    } while (before !== undefined)
    expect(pages.flat()).toEqual([directive.id, ...ids.toReversed()])
    const idsOf = async (options: Parameters<typeof tenant.directives.list>[0]) =>
      (await tenant.directives.list(options)).directives.map(({ id }) => id)
    expect(await idsOf({ status: "cancelled" })).toEqual([ids[0]])
    expect(await idsOf({ type: "item.install" })).toEqual([directive.id])
    expect(await idsOf({ actor: "bob" })).toEqual([directive.id])
    expect(await idsOf({ awaitingApproval: true })).toEqual([])
    await expect(tenant.directives.list({ limit: 0 })).rejects.toMatchObject({ code: "query_invalid" })
    await expect(tenant.directives.list({ before: "x" })).rejects.toMatchObject({ code: "query_invalid" })
  })
})

describe("the audit log", () => {
  test("says who asked, decided and cancelled, and what came of it", async () => {
    const careful = defineDirective({
      type: "data.erase",
      params: z.object({ fails: z.boolean() }),
      approval: true,
      retry: AT_ONCE,
      run: ({ params }) => {
        if (params.fails) throw new Error("not today")
      },
    })
    const { tenant } = await testFleet(db.database, { directives: [careful] })
    const ann = { actor: principal(tenant.slug) }
    const bob = { actor: principal(tenant.slug, { id: "bob" }) }
    const { directive } = await tenant.directives.request(careful, { fails: true }, { ...ann, reason: "clean up" })
    await tenant.directives.approve(directive.id, bob)
    await tenant.directives.wait(directive.id)
    const { directive: again } = await tenant.directives.rerun(directive.id, ann)
    await tenant.directives.cancel(again.id, { ...bob, reason: "enough" })
    const { entries } = await tenant.audit.list({ limit: 20 })
    const told = entries
      .toReversed()
      .filter(({ action }) => action.startsWith("directive."))
      .map(({ action, actor, resource, outcome, correlationId }) => [
        action,
        actor.id,
        resource === `directive:${directive.id}` ? "first" : "second",
        outcome,
        correlationId === directive.correlationId,
      ])
    expect(told).toEqual([
      ["directive.request", ANN, "first", "done", true],
      ["directive.approve", "bob", "first", "done", true],
      ["directive.failed", "directive_runner", "first", "failed", true],
      ["directive.rerun", ANN, "second", "done", true],
      ["directive.cancel", "bob", "second", "done", true],
    ])
    expect(entries.find(({ action }) => action === "directive.request")?.details).toMatchObject({
      type: "data.erase",
      reason: "clean up",
      paramsChecksum: directive.paramsChecksum,
    })
    expect((await tenant.audit.verify()).ok).toBe(true)
  })
})
