import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Answer, sendAs } from "../../test/support/http-people.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, type TestFleet, testSlug } from "../../test/support/test-fleet.ts"
import { NO_TENANT } from "../access/policy.ts"
import type { Principal, Role } from "../access/principal.ts"
import type { Tenant } from "../tenants/tenant.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const opal: Principal = { kind: "operator", id: "opal", tenant: NO_TENANT, role: "operator" }

interface Site extends TestFleet {
  readonly send: ReturnType<typeof sendAs>
  /** Somebody of the tenant. */
  readonly as: (role: Exclude<Role, "operator">) => Principal
  /** Waits for the operation of an answer. */
  readonly ended: (answer: Answer) => Promise<Answer>
}

async function site(): Promise<Site> {
  const started = await testFleet(db.database, { worker: false })
  const send = sendAs(started.fleet, { limits: false })
  return {
    ...started,
    send,
    as: (role) => ({ kind: "user", id: role, tenant: started.tenant.slug, role }),
    ended: async ({ status, body }) => {
      expect({ status, body }).toMatchObject({ status: 202, body: { id: expect.any(String) } })
      const id = String(body["id"])
      await started.fleet.operations.wait(id)
      return send(opal, "GET", `/v1/operations/${id}`)
    },
  }
}

/** What a tenant's log says was done by people, the oldest first. */
async function acts({ audit }: Tenant): Promise<readonly string[]> {
  expect(await audit.verify()).toMatchObject({ ok: true })
  const { entries } = await audit.list({ outcome: "done" })
  return entries.map(({ action, actor }) => `${action} ${actor.kind}:${actor.id}`).toReversed()
}

describe("an operator who has chosen no organisation", () => {
  test("makes, reads, suspends, resumes, moves, classes and deletes a tenant, and each act is one entry", async () => {
    const { fleet, send, ended } = await site()
    const slug = testSlug("made")
    await fleet.tenants.provision(testSlug("so that the shared schema is there"), { placement: "shared" })
    const at = `/v1/tenants/${slug}`
    const made = await send(opal, "POST", "/v1/tenants", { slug, class: "premium", reason: "they signed" })
    expect(made.body).toMatchObject({ kind: "provision", tenant: slug, requestedBy: "operator:opal" })
    expect((await ended(made)).body).toMatchObject({ status: "completed", progress: { done: 0, total: 0 } })
    expect(await send(opal, "GET", at)).toMatchObject({
      status: 200,
      body: { slug, class: "premium", status: "ready" },
    })
    const tenant = fleet.tenant(slug)
    await tenant.emit("a.b", {})

    const suspended = await ended(await send(opal, "POST", `${at}/suspend`, { reason: "unpaid" }))
    expect(suspended.body).toMatchObject({ status: "completed", reason: "unpaid" })
    await expect(tenant.emit("a.b", {})).rejects.toMatchObject({ code: "tenant_suspended" })
    expect(await send(opal, "POST", `${at}/suspend`, {})).toMatchObject({ status: 409, body: { code: "tenant_state" } })
    await ended(await send(opal, "POST", `${at}/resume`, {}))
    expect((await tenant.emit("a.b", {})).inserted).toBe(true)
    expect(await send(opal, "PUT", `${at}/class`, { class: "enterprise" })).toMatchObject({
      status: 200,
      body: { slug, class: "enterprise" },
    })
    const moved = await ended(await send(opal, "POST", `${at}/move`, { placement: "shared", keepMs: 0 }))
    expect(moved.body).toMatchObject({ status: "completed", kind: "move" })
    expect((await send(opal, "GET", at)).body).toMatchObject({ placement: "shared" })
    expect((await tenant.counts()).signals).toBe(2)
    expect(await send(opal, "POST", `${at}/delete`, { delayMs: 60_000 })).toMatchObject({
      status: 202,
      body: { kind: "delete", status: "waiting", params: { delayMs: 60_000 } },
    })
    expect((await send(opal, "POST", `${at}/undelete`, {})).body).toMatchObject({ status: "cancelled" })
    expect(await acts(tenant)).toEqual([
      "tenant.provision operator:opal",
      "tenants.read operator:opal",
      "tenant.suspend operator:opal",
      "tenant.resume operator:opal",
      "tenant.class.change operator:opal",
      "tenant.move operator:opal",
      "tenants.read operator:opal",
      "tenant.delete operator:opal",
      "tenant.undelete operator:opal",
    ])
  })

  test("lists tenants by pages, and operations of all or of one", async () => {
    const { fleet, tenant, send, ended } = await site()
    for (const more of ["b", "c"]) await fleet.tenants.provision(testSlug(more))
    const slugs = (await fleet.tenants.list()).map(({ slug }) => slug)
    const seen: unknown[] = []
    for (let after = ""; ;) {
      const { status, body } = await send(opal, "GET", `/v1/tenants?limit=2&after=${after}`)
      expect(status).toBe(200)
      const page = body["tenants"] as readonly { slug: string }[]
      expect(page.length).toBeLessThanOrEqual(2)
      seen.push(...page.map(({ slug }) => slug))
      if (body["next"] === null) break
      after = String(body["next"])
    }
    expect(seen).toEqual(slugs)
    await ended(await send(opal, "POST", `/v1/tenants/${tenant.slug}/suspend`, {}))
    const { body: ofOne } = await send(opal, "GET", `/v1/operations?tenant=${tenant.slug}`)
    expect(ofOne).toMatchObject({ operations: [{ tenant: tenant.slug, kind: "suspend", status: "completed" }] })
    expect((await send(opal, "GET", `/v1/operations?tenant=${tenant.slug}&open=true`)).body).toEqual({ operations: [] })
    const { body: all } = await send(opal, "GET", "/v1/operations?limit=1000")
    expect(all["operations"]).toContainEqual(expect.objectContaining({ tenant: tenant.slug }))
  })

  test("sees what is not as it should be, and mends it; what destroys must be said", async () => {
    const { fleet, send } = await site()
    await db.database.owner.transaction((tx) => tx.query("create schema org_of_nobody_at_all"))
    const { body } = await send(opal, "GET", "/v1/tenant-findings")
    expect(body["findings"]).toContainEqual(
      expect.objectContaining({ id: "orphan_schema:org_of_nobody_at_all", destroys: true }),
    )
    const mend = "/v1/tenant-findings/orphan_schema%3Aorg_of_nobody_at_all/repair"
    expect(await send(opal, "POST", mend, {})).toMatchObject({ status: 409, body: { code: "tenant_state" } })
    expect((await send(opal, "POST", mend, { destroy: "yes" })).status).toBe(400)
    expect(await send(opal, "POST", mend, { destroy: true, reason: "a test's" })).toMatchObject({ status: 200 })
    expect(await send(opal, "POST", mend, { destroy: true })).toMatchObject({ status: 404 })
    const { entries } = await fleet.audit.list({ action: "tenant.repair" })
    expect(entries).toHaveLength(1)
    expect(entries[0]).toMatchObject({ actor: { kind: "operator", id: "opal" } })
  })

  test("gets problem details for what is wrong or not there", async () => {
    const { tenant, send } = await site()
    const at = `/v1/tenants/${tenant.slug}`
    const wrong: readonly (readonly [string, string, unknown, number, string])[] = [
      ["POST", "/v1/tenants", {}, 422, "tenant_invalid"],
      ["POST", "/v1/tenants", { slug: "Acme" }, 422, "tenant_invalid"],
      ["POST", "/v1/tenants", { slug: "acme", placement: "cloud" }, 400, "request_invalid"],
      ["GET", "/v1/tenants?limit=0", undefined, 422, "query_invalid"],
      ["GET", "/v1/tenants/nobody_here", undefined, 404, "tenant_unknown"],
      ["POST", "/v1/tenants/nobody_here/suspend", {}, 404, "tenant_unknown"],
      ["POST", "/v1/tenants/No-slug/suspend", {}, 422, "tenant_invalid"],
      ["POST", `${at}/suspend`, { reason: "x".repeat(501) }, 400, "request_invalid"],
      ["POST", `${at}/suspend`, { reason: "\u0000" }, 400, "request_invalid"],
      ["POST", `${at}/suspend`, [], 400, "body_malformed"],
      ["POST", `${at}/resume`, {}, 409, "tenant_state"],
      ["POST", `${at}/undelete`, {}, 409, "tenant_state"],
      ["POST", `${at}/delete`, { delayMs: -1 }, 400, "request_invalid"],
      ["POST", `${at}/delete`, { delayMs: "1" }, 400, "request_invalid"],
      ["POST", `${at}/move`, {}, 400, "request_invalid"],
      ["POST", `${at}/move`, { placement: "own" }, 409, "tenant_state"],
      ["PUT", `${at}/class`, { class: "gold" }, 400, "request_invalid"],
      ["GET", "/v1/operations/nothing", undefined, 404, "not_found"],
      ["POST", "/v1/operations/nothing/cancel", {}, 404, "not_found"],
      ["GET", "/v1/operations?limit=x", undefined, 422, "query_invalid"],
    ]
    for (const [method, path, body, status, code] of wrong)
      expect([method, path, await send(opal, method, path, body)]).toMatchObject([
        method,
        path,
        { status, body: { code } },
      ])
    expect((await send(opal, "GET", at)).body).toMatchObject({ status: "ready" })
    expect((await acts(tenant)).filter((act) => act.startsWith("tenant."))).toEqual([])
  })
})

describe("the people of a tenant", () => {
  test("read what it is, without what is the operators'", async () => {
    const { tenant, send, as, ended } = await site()
    const { status, body } = await send(as("member"), "GET", `/v1/tenants/${tenant.slug}`)
    expect(status).toBe(200)
    expect(Object.keys(body).toSorted()).toEqual(
      ["class", "deleteAfter", "placement", "slug", "status", "statusReason"].toSorted(),
    )
    const suspension = await ended(await send(opal, "POST", `/v1/tenants/${tenant.slug}/suspend`, { reason: "unpaid" }))
    const shown = await send(as("member"), "GET", `/v1/operations/${String(suspension.body["id"])}`)
    expect(shown).toMatchObject({ status: 200, body: { kind: "suspend", status: "completed" } })
    for (const hidden of ["params", "state", "error", "requestedBy", "reason"])
      expect(shown.body).not.toHaveProperty(hidden)
    const { body: list } = await send(as("member"), "GET", "/v1/operations")
    expect(list).toEqual({ operations: [shown.body] })
  })

  test("its owner alone deletes it, with 30 days to think, and takes that back in two ways", async () => {
    const { fleet, tenant, send, as } = await site()
    const at = `/v1/tenants/${tenant.slug}`
    const forbidden = { status: 403, body: { code: "forbidden" } }
    for (const role of ["member", "admin"] as const)
      expect(await send(as(role), "POST", `${at}/delete`, {})).toMatchObject(forbidden)
    expect(await send({ ...as("owner"), kind: "api_key" }, "POST", `${at}/delete`, {})).toMatchObject(forbidden)
    expect(await send(as("owner"), "POST", `${at}/delete`, { delayMs: 0 })).toMatchObject(forbidden)
    expect(await fleet.tenants.get(tenant.slug)).toMatchObject({ status: "ready" })

    const deletion = await send(as("owner"), "POST", `${at}/delete`, { reason: "we leave" })
    expect(deletion).toMatchObject({ status: 202, body: { kind: "delete", status: "waiting" } })
    expect(await fleet.tenants.get(tenant.slug)).toMatchObject({ status: "deleting", statusReason: "we leave" })
    expect(await send(as("admin"), "POST", `${at}/undelete`, {})).toMatchObject(forbidden)
    expect(await send(as("owner"), "POST", `${at}/undelete`, {})).toMatchObject({ status: 202 })
    expect(await fleet.tenants.get(tenant.slug)).toMatchObject({ status: "ready" })

    const again = String((await send(as("owner"), "POST", `${at}/delete`, {})).body["id"])
    expect(await send(as("admin"), "POST", `/v1/operations/${again}/cancel`, {})).toMatchObject(forbidden)
    expect(await send(as("owner"), "POST", `/v1/operations/${again}/cancel`, {})).toMatchObject({ status: 202 })
    expect(await fleet.operations.wait(again)).toMatchObject({ status: "cancelled" })
    expect(await fleet.tenants.get(tenant.slug)).toMatchObject({ status: "ready" })
    expect(await acts(tenant)).toEqual([
      "tenant.delete user:owner",
      "tenant.undelete user:owner",
      "tenant.delete user:owner",
      "tenant.operation.cancel user:owner",
    ])
  })

  test("may nothing else, and end nothing that the operator began", async () => {
    const { fleet, tenant, send, as } = await site()
    const at = `/v1/tenants/${tenant.slug}`
    const forbidden = { status: 403, body: { code: "forbidden" } }
    const closed = ["suspend", "resume", "move"].map((act) => ["POST", `${at}/${act}`] as const)
    const others = [
      ["PUT", `${at}/class`],
      ["GET", "/v1/tenants"],
      ["POST", "/v1/tenants"],
      ["GET", "/v1/tenant-findings"],
      ["POST", "/v1/tenant-findings/x/repair"],
    ] as const
    for (const [method, path] of [...closed, ...others])
      expect([path, await send(as("owner"), method, path, method === "GET" ? undefined : {})]).toMatchObject([
        path,
        forbidden,
      ])
    // Whether it has ended meanwhile is not asked before.
    const { id } = await fleet.tenants.suspend(tenant.slug, { by: { kind: "operator", id: "opal" } })
    expect(await send(as("owner"), "POST", `/v1/operations/${id}/cancel`, {})).toMatchObject(forbidden)
    expect(await fleet.operations.wait(id)).toMatchObject({ status: "completed", cancelRequested: false })
  })

  test("of another tenant find nothing at all", async () => {
    const { fleet, tenant, send, as } = await site()
    const other = testSlug("other")
    await fleet.tenants.provision(other)
    const at = `/v1/tenants/${other}`
    const { id } = await fleet.tenants.delete(other)
    const hidden: readonly (readonly [string, string])[] = [
      ["GET", at],
      ...["suspend", "resume", "delete", "undelete", "move"].map((act) => ["POST", `${at}/${act}`] as const),
      ["PUT", `${at}/class`],
      ["GET", `/v1/operations?tenant=${other}`],
      ["GET", `/v1/operations/${id}`],
      ["POST", `/v1/operations/${id}/cancel`],
    ]
    const operator: Principal = { ...opal, tenant: tenant.slug }
    for (const who of [as("owner"), operator])
      for (const [method, path] of hidden) {
        const answer = await send(
          who,
          method,
          path,
          method === "GET" ? undefined : { placement: "own", class: "premium" },
        )
        expect([path, answer]).toMatchObject([path, { status: 404, body: { code: "not_found" } }])
        // The same as for one that is not there.
        const none = await send(who, method, path.replace(other, "nobody_at_all"), method === "GET" ? undefined : {})
        if (path.includes(other)) expect(none).toEqual(answer)
      }
    expect((await send(as("owner"), "GET", "/v1/operations")).body).toEqual({ operations: [] })
    expect(await fleet.tenants.get(other)).toMatchObject({ status: "deleting", class: "standard" })
    expect(await acts(fleet.tenant(other))).toEqual(["tenant.delete system:fleet"])
  })

  test("who has chosen none may nothing", async () => {
    const { tenant, send, as } = await site()
    for (const path of ["/v1/tenants", `/v1/tenants/${tenant.slug}`, "/v1/operations"])
      expect(await send({ ...as("member"), tenant: NO_TENANT }, "GET", path)).toMatchObject({ status: 403 })
  })
})

test("an invitation by an operator is one entry", async () => {
  const { fleet, send } = await site()
  const slug = testSlug("organisation")
  const owner = await fleet.people.create({ email: `${slug}@example.com`, name: "Olga" })
  await fleet.organisations.create({ tenant: slug, name: "One", ownerId: owner.id })
  const sent = await send({ ...opal, tenant: slug }, "POST", "/v1/invitations", { email: `x.${slug}@example.com` })
  expect(sent.status).toBe(201)
  expect((await acts(fleet.tenant(slug))).filter((act) => act.includes("opal"))).toEqual([
    "invitation.create operator:opal",
  ])
})
