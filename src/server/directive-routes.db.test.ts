import { z } from "zod"
import { afterAll, beforeAll, expect, test } from "vitest"
import { sendAs } from "../../test/support/http-people.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet } from "../../test/support/test-fleet.ts"
import type { Principal } from "../access/principal.ts"
import { defineDirective } from "../directives/define-directive.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const greet = defineDirective({
  type: "greeting.send",
  params: z.object({ to: z.string() }),
  roles: ["owner", "admin", "member"],
  run: ({ params }) => ({ greeted: params.to }),
})
const wipe = defineDirective({ type: "records.wipe", params: z.object({}), approval: true, run: () => null })
const audit = defineDirective({ type: "salary.check", params: z.object({}), visibility: "admin_only", run: () => null })

async function ordering() {
  const { fleet, tenant } = await testFleet(db.database, { directives: [greet, wipe, audit] })
  const as = (id: string, role: "owner" | "admin" | "member"): Principal => ({
    kind: "host",
    id,
    tenant: tenant.slug,
    role,
  })
  return { tenant, send: sendAs(fleet), olga: as("olga", "owner"), adam: as("adam", "admin"), mia: as("mia", "member") }
}

type Requested = { readonly id: string; readonly status: string }

test("a directive is requested, once under its key, runs, and tells what it did", async () => {
  const { tenant, send, mia } = await ordering()
  const order = { type: "greeting.send", params: { to: "you" }, idempotencyKey: "k1", reason: "it is polite" }
  const first = await send(mia, "POST", "/v1/directives", order)
  expect([first.status, first.body]).toMatchObject([201, { inserted: true, directive: { actor: { id: "mia" } } }])
  const { id } = first.body["directive"] as Requested
  const again = await send(mia, "POST", "/v1/directives", order)
  expect([again.status, again.body]).toMatchObject([200, { inserted: false, directive: { id } }])
  const conflict = await send(mia, "POST", "/v1/directives", { ...order, params: { to: "them" } })
  expect([conflict.status, conflict.body["code"]]).toEqual([409, "directive_conflict"])
  await tenant.directives.wait(id)
  expect((await send(mia, "GET", `/v1/directives/${id}`)).body).toMatchObject({
    status: "completed",
    result: { greeted: "you" },
  })
  const { signals } = (await send(mia, "GET", `/v1/directives/${id}/trail`)).body as { signals: { type: string }[] }
  expect(signals.map(({ type }) => type)).toEqual(["directive.requested", "directive.started", "directive.completed"])
  expect(
    (await send(mia, "GET", "/v1/directives?status=completed&type=greeting.send")).body["directives"],
  ).toHaveLength(1)
  const rerun = await send(mia, "POST", `/v1/directives/${id}/rerun`)
  expect([rerun.status, rerun.body]).toMatchObject([201, { directive: { rerunOf: id } }])
  const { entries } = await tenant.audit.list({ resource: `directive:${id}`, action: "directive.request" })
  expect(entries).toMatchObject([{ actor: { id: "mia", role: "member" } }])
})

test("four eyes: whoever asked may not approve, somebody else may, and may reject", async () => {
  const { tenant, send, olga, adam, mia } = await ordering()
  const request = async () =>
    ((await send(olga, "POST", "/v1/directives", { type: "records.wipe" })).body["directive"] as Requested).id
  const id = await request()
  expect((await send(mia, "GET", "/v1/directives?awaitingApproval=true")).body["directives"]).toMatchObject([{ id }])
  expect((await send(olga, "POST", `/v1/directives/${id}/approve`)).status).toBe(403)
  expect((await send(mia, "POST", `/v1/directives/${id}/approve`)).status).toBe(403)
  const approved = await send(adam, "POST", `/v1/directives/${id}/approve`, { reason: "checked" })
  expect(approved.body).toMatchObject({ approval: "approved", decidedBy: { id: "adam" } })
  await tenant.directives.wait(id)
  const other = await request()
  expect((await send(adam, "POST", `/v1/directives/${other}/reject`)).body).toMatchObject({ status: "cancelled" })
  expect((await send(adam, "POST", `/v1/directives/${other}/approve`)).body["code"]).toBe("directive_state")
})

test("whoever asked may cancel what is their own, other members may not", async () => {
  const { send, mia } = await ordering()
  const later = new Date(Date.now() + 3_600_000).toISOString()
  const order = { type: "greeting.send", params: { to: "you" }, runAt: later }
  const { id } = (await send(mia, "POST", "/v1/directives", order)).body["directive"] as Requested
  expect((await send({ ...mia, id: "max" }, "POST", `/v1/directives/${id}/cancel`)).status).toBe(403)
  expect((await send(mia, "POST", `/v1/directives/${id}/cancel`)).body).toMatchObject({ status: "cancelled" })
})

test("what only admins may read is not told to members, and wrong orders are refused", async () => {
  const { send, olga, mia } = await ordering()
  const { id } = (await send(olga, "POST", "/v1/directives", { type: "salary.check" })).body["directive"] as Requested
  expect((await send(olga, "GET", `/v1/directives/${id}`)).status).toBe(200)
  expect((await send(mia, "GET", `/v1/directives/${id}`)).status).toBe(404)
  expect((await send(mia, "GET", `/v1/directives/${id}/trail`)).status).toBe(404)
  expect((await send(mia, "GET", "/v1/directives")).body["directives"]).toEqual([])
  const refused = async (body: object) => (await send(olga, "POST", "/v1/directives", body)).body["code"]
  expect(await refused({ type: "greeting.send", params: { to: 1 } })).toBe("directive_params_invalid")
  expect(await refused({ type: "greeting.send", params: { to: "a" }, runAt: "tomorrow" })).toBe(
    "directive_params_invalid",
  )
  expect(await refused({ type: "nothing.such" })).toBe("directive_unknown")
  expect(await refused({})).toBe("directive_params_invalid")
})
