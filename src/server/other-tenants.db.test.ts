import { z } from "zod"
import { afterAll, beforeAll, expect, test } from "vitest"
import { sendAs } from "../../test/support/http-people.ts"
import { labels, notingTemplates } from "../../test/support/package-rig.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { Principal } from "../access/principal.ts"
import { defineHandler } from "../delivery/handler.ts"
import { defineDirective } from "../directives/define-directive.ts"
import type { Fleet } from "../fleet.ts"
import type { Tenant } from "../tenants/tenant.ts"
import { apiRoutes } from "./api-routes.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

/** Stands in everything that the other tenant has. */
const MARKER = "marker-of-the-other-tenant"
const NONE = "0199d3a5-0000-7000-8000-000000000001"

const fails = defineHandler({
  name: "fails",
  on: "a.*",
  retry: { attempts: 1 },
  run: () => Promise.reject(new Error(MARKER)),
})
const order = defineDirective({ type: "a.order", params: z.object({ text: z.string() }), run: () => MARKER })

/** One of everything that a path can name by an id. */
async function belongings(fleet: Fleet, tenant: Tenant): Promise<Readonly<Record<string, string>>> {
  const { signal } = await tenant.emit("a.b", { text: MARKER })
  const { directive } = await tenant.directives.request(order, { text: MARKER })
  const { installationId, directive: install } = await tenant.packages.install({ slug: "labels" })
  await fleet.drain()
  await tenant.directives.wait(install.id)
  const { id: replay } = await tenant.replays.start(
    { filter: { pattern: "none.*" } },
    { actor: { id: MARKER, role: "owner" } },
  )
  const owner = { kind: "host", id: MARKER } as const
  const { record: key } = await tenant.apiKeys.create({ name: MARKER, role: "member", owner })
  const account = await tenant.serviceAccounts.create({ name: MARKER, role: "member" })
  const by = { kind: "host", id: "x" } as const
  const secret = { provider: "github", account: MARKER, kind: "api_key", secret: { token: "t" } } as const
  const credential = await tenant.credentials.create(secret, by)
  return {
    "/v1/signals": signal.id,
    "/v1/dead-letters": signal.id,
    "/v1/directives": directive.id,
    "/v1/installations": installationId,
    "/v1/replays": replay,
    "/v1/api-keys": key.id,
    "/v1/service-accounts": account.id,
    "/v1/credentials": credential.id,
  }
}

/** A body with which a route that has to have one gets as far as to look for what its path names. */
const BODIES: Readonly<Record<string, object>> = {
  replaceSecret: { secret: { token: "u" } },
  changeMemberRole: { role: "member" },
}

test("whatever a path names of another tenant is answered as what does not exist, and stays as it is", async () => {
  const { templates } = notingTemplates()
  const { fleet, tenant: mine } = await testFleet(db.database, { handlers: [fails], directives: [order], templates })
  await fleet.packages.publish(labels)
  const other = testSlug("other")
  await fleet.tenants.provision(other)
  const theirs = await belongings(fleet, fleet.tenant(other))
  const before = await fleet.tenant(other).counts()
  const send = sendAs(fleet, { limits: false })
  const me: Principal = { kind: "host", id: "me", tenant: mine.slug, role: "owner" }
  const owner: Principal = { ...me, tenant: other }
  const asked: string[] = []
  for (const { method, path, name } of apiRoutes) {
    const base = Object.keys(theirs).find((each) => path.startsWith(`${each}/:`))
    if (base === undefined) continue
    const at = (id: string) =>
      path
        .replace(/:(id|signalId|package)/, id)
        .replace(":handler", "fails")
        .replace(":action", "none")
    const body = method === "GET" ? undefined : (BODIES[name] ?? {})
    const none = await send(me, method, at(NONE), body)
    const their = await send(me, method, at(theirs[base] ?? ""), body)
    const { status, body: answer } = their
    expect({ name, status, code: answer["code"] }).toEqual({ name, status: 404, code: none.body["code"] })
    expect(none.status).toBe(404)
    expect(JSON.stringify(answer)).not.toContain(MARKER)
    // The path is right: whoever owns it finds it.
    if (method === "GET" && !path.endsWith("/cause"))
      expect({ name, status: (await send(owner, method, at(theirs[base] ?? ""))).status }).toEqual({
        name,
        status: 200,
      })
    asked.push(name)
  }
  expect(asked.length).toBeGreaterThan(30)
  expect(await fleet.tenant(other).counts()).toEqual(before)
  const key = await fleet.tenant(other).apiKeys.get(theirs["/v1/api-keys"] ?? "")
  expect(key?.status).toBe("active")
})

test("lists have nothing of another tenant", async () => {
  const { templates } = notingTemplates()
  const { fleet, tenant: mine } = await testFleet(db.database, { handlers: [fails], directives: [order], templates })
  await fleet.packages.publish(labels)
  const other = testSlug("other")
  await fleet.tenants.provision(other)
  await belongings(fleet, fleet.tenant(other))
  const send = sendAs(fleet, { limits: false })
  const me: Principal = { kind: "host", id: "me", tenant: mine.slug, role: "owner" }
  for (const { method, path, name } of apiRoutes) {
    if (method !== "GET" || path.includes(":") || name === "openLiveFeed") continue
    const { body } = await send(me, method, `${path}?tenant=${other}`)
    expect({ name, text: JSON.stringify(body) }).toEqual({ name, text: expect.not.stringContaining(MARKER) })
  }
})
