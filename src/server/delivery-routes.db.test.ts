import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { sendAs } from "../../test/support/http-people.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet } from "../../test/support/test-fleet.ts"
import type { Principal } from "../access/principal.ts"
import { defineHandler } from "../delivery/handler.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

type Letter = { readonly signalId: string; readonly handler: string }

async function dying() {
  let isBroken = true
  const charge = defineHandler({
    name: "charge",
    on: "order.*",
    retry: { attempts: 1 },
    run: () => {
      if (isBroken) throw new Error("the bank is closed")
    },
  })
  const { fleet, tenant } = await testFleet(db.database, { handlers: [charge] })
  const send = sendAs(fleet)
  const owner: Principal = { kind: "host", id: "olga", tenant: tenant.slug, role: "owner" }
  const member: Principal = { ...owner, id: "mia", role: "member" }
  return { fleet, tenant, send, owner, member, mend: () => (isBroken = false) }
}

describe("dead letters", () => {
  test("are listed, looked at, redriven with a count, and audited with who did it", async () => {
    const { fleet, tenant, send, owner, member, mend } = await dying()
    const { signal } = await tenant.emit("order.placed", { n: 1 })
    await tenant.emit("order.placed", { n: 2 })
    await fleet.drain()
    const page = await send(member, "GET", "/v1/dead-letters?handler=charge&limit=1")
    expect([page.status, (page.body["letters"] as Letter[]).length, typeof page.body["next"]]).toEqual([
      200,
      1,
      "string",
    ])
    const rest = await send(member, "GET", `/v1/dead-letters?limit=5&after=${String(page.body["next"])}`)
    expect((rest.body["letters"] as Letter[]).length).toBe(1)
    const detail = await send(member, "GET", `/v1/dead-letters/${signal.id}/charge`)
    expect(detail.body).toMatchObject({ signal: { id: signal.id, data: { n: 1 } }, history: [{ outcome: "dead" }] })
    expect(detail.body["signal"]).not.toHaveProperty("tenant")
    expect((await send(owner, "GET", "/v1/dead-letters/count?handler=charge")).body).toEqual({ count: 2 })
    mend()
    const tooFew = await send(owner, "POST", "/v1/dead-letters/redrive", { filter: { handler: "charge" }, expected: 1 })
    expect([tooFew.status, tooFew.body["code"]]).toEqual([409, "count_changed"])
    const redriven = await send(owner, "POST", "/v1/dead-letters/redrive", {
      filter: { handler: "charge" },
      expected: 2,
      reason: "open again",
    })
    expect([redriven.status, redriven.body]).toEqual([200, { count: 2 }])
    await fleet.drain()
    expect((await tenant.counts()).done).toBe(2)
    const { entries } = await tenant.audit.list({ action: "dead_letter.redrive" })
    expect(entries).toHaveLength(1)
    expect(entries[0]).toMatchObject({ actor: { id: "olga", role: "owner" }, details: { count: 2 } })
  })

  test("are discarded one by one, and a decision names one letter or a filter", async () => {
    const { fleet, tenant, send, owner } = await dying()
    const { signal } = await tenant.emit("order.placed", {})
    await fleet.drain()
    const letter = { signalId: signal.id, handler: "charge" }
    for (const body of [{}, { letter, filter: { all: true } }, { filter: {} }, { filter: { alll: true } }])
      expect((await send(owner, "POST", "/v1/dead-letters/discard", body)).body["code"]).toBe("query_invalid")
    expect((await send(owner, "POST", "/v1/dead-letters/discard", { letter })).body).toEqual({ count: 1 })
    expect((await send(owner, "GET", `/v1/dead-letters/${signal.id}/charge`)).status).toBe(404)
  })

  test("of signals that only admins may read are not told to members", async () => {
    const { fleet, tenant, send, owner, member } = await dying()
    const { signal } = await tenant.emit("order.secret", {}, { visibility: "admin_only" })
    await fleet.drain()
    expect((await send(owner, "GET", "/v1/dead-letters")).body["letters"]).toHaveLength(1)
    expect((await send(member, "GET", "/v1/dead-letters")).body["letters"]).toEqual([])
    expect((await send(member, "GET", `/v1/dead-letters/${signal.id}/charge`)).status).toBe(404)
  })
})

test("what waits is held back by a pause, listed by pages, and goes on when it is resumed", async () => {
  const { fleet, tenant, send, owner, member, mend } = await dying()
  mend()
  expect((await send(owner, "POST", "/v1/pauses", { handler: "charge", reason: "stocktaking" })).status).toBe(201)
  expect((await send(member, "GET", "/v1/pauses")).body["pauses"]).toMatchObject([
    { handler: "charge", reason: "stocktaking" },
  ])
  const ids: string[] = []
  for (const n of [1, 2, 3]) ids.push((await tenant.emit("order.placed", { n })).signal.id)
  await tenant.emit("order.secret", {}, { visibility: "admin_only" })
  const first = await send(member, "GET", "/v1/deliveries?handler=charge&limit=2")
  const second = await send(member, "GET", `/v1/deliveries?limit=2&after=${String(first.body["next"])}`)
  const listed = [first, second].flatMap(({ body }) => body["deliveries"] as Letter[])
  expect(listed.map(({ signalId }) => signalId)).toEqual(ids)
  expect(listed[0]).toMatchObject({ handler: "charge", type: "order.placed", status: "waiting", attempts: 0 })
  expect(second.body["next"]).toBeNull()
  expect((await send(owner, "GET", "/v1/deliveries")).body["deliveries"]).toHaveLength(4)
  expect((await send(owner, "GET", "/v1/deliveries?after=x")).body["code"]).toBe("query_invalid")
  expect((await send(owner, "POST", "/v1/pauses/resume", { handler: "charge" })).body).toEqual({ wasPaused: true })
  await fleet.drain()
  expect((await send(owner, "POST", "/v1/pauses/resume", { handler: "charge" })).body).toEqual({ wasPaused: false })
  expect((await send(member, "GET", `/v1/signals/${ids[0]}/deliveries`)).body["deliveries"]).toMatchObject([
    { handler: "charge", status: "done", history: [{ outcome: "done" }] },
  ])
})

test("a replay is planned, started, looked at and ended", async () => {
  const { fleet, tenant, send, owner, member, mend } = await dying()
  mend()
  const { signal } = await tenant.emit("order.placed", {})
  await fleet.drain()
  const request = { filter: { pattern: "order.*" }, handler: "charge", force: true }
  const plan = await send(owner, "POST", "/v1/replays/plan", request)
  expect(plan.body).toMatchObject({ signals: 1, handlers: [{ handler: "charge", run: 1 }] })
  const started = await send(owner, "POST", "/v1/replays", { ...request, reason: "lost a file" })
  expect([started.status, started.body]).toMatchObject([201, { total: 1, requestedBy: { id: "olga" } }])
  const id = String(started.body["id"])
  const ended = await send(owner, "POST", `/v1/replays/${id}/cancel`, { reason: "found it" })
  expect([200, 409]).toContain(ended.status)
  expect((await send(member, "GET", `/v1/replays/${id}`)).status).toBe(200)
  expect((await send(member, "GET", "/v1/replays")).body["replays"]).toHaveLength(1)
  const both = { ...request, signalId: signal.id }
  expect((await send(owner, "POST", "/v1/replays", both)).body["code"]).toBe("query_invalid")
  expect((await send(owner, "POST", "/v1/replays", { filter: {}, handler: "nobody" })).body["code"]).toBe(
    "handler_unknown",
  )
})

test("the chain that a signal stands in", async () => {
  const { tenant, send, member } = await dying()
  const { signal: cause } = await tenant.emit("lead.received", {})
  const metadata = { causation_id: cause.id, correlation_id: cause.metadata.correlation_id }
  const { signal: effect } = await tenant.emit("lead.scored", {}, { metadata })
  expect((await send(member, "GET", `/v1/signals/${effect.id}/cause`)).body).toMatchObject({ id: cause.id })
  expect((await send(member, "GET", `/v1/signals/${cause.id}/cause`)).status).toBe(404)
  expect((await send(member, "GET", `/v1/signals/${cause.id}/effects`)).body).toMatchObject({
    effects: [{ id: effect.id }],
  })
  expect((await send(member, "GET", `/v1/signals/${effect.id}/chain`)).body).toMatchObject({
    ancestors: [{ id: cause.id }],
    signal: { id: effect.id, handler: null },
    effects: [],
  })
})
