import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, type TestFleet } from "../../test/support/test-fleet.ts"
import type { Principal } from "../access/principal.ts"
import { createFetchHandler } from "../server/fetch-handler.ts"
import { type Client, type ClientOptions, createClient } from "./client.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

type Fetch = NonNullable<ClientOptions["fetch"]>

/** A client of a server; `between` stands between the two. */
async function connected(
  between: (send: Fetch) => Fetch = (send) => send,
): Promise<TestFleet & { readonly client: Client }> {
  const started = await testFleet(db.database, { worker: false })
  const owner: Principal = { kind: "host", id: "olga", tenant: started.tenant.slug, role: "owner" }
  const authenticate = ({ headers }: Request) => (headers.get("authorization") === "Bearer fp_test" ? owner : undefined)
  const handler = createFetchHandler(started.fleet, { authenticate })
  onTestFinished(() => handler.close())
  const send: Fetch = async (request) => handler.fetch(request)
  const sleep = async (): Promise<void> => {}
  const client = createClient({ baseUrl: "http://localhost", apiKey: "fp_test", fetch: between(send), sleep })
  return { ...started, client }
}

test("each operation is a function with the types of the API", async () => {
  const { client, tenant } = await connected()
  const { id, inserted } = await client.emitSignal({ body: { type: "lead.received", data: { n: 1 } } })
  expect(inserted).toBe(true)
  const detail = await client.getSignal({ params: { id } })
  expect(detail.signal.type).toBe("lead.received")
  expect((await client.getMe()).tenant).toBe(tenant.slug)
  const { record } = await client.createApiKey({ body: { name: "k", role: "member", lifetimeMs: 60_000 } })
  expect(await client.revokeApiKey({ params: { id: record.id } })).toBeUndefined()
})

test("what the server refuses is thrown with its code and place", async () => {
  const { client } = await connected()
  await expect(client.emitSignal({ body: { type: "no type" } })).rejects.toMatchObject({ code: "signal_invalid" })
  await expect(client.listSignals({ query: { limit: 0 } })).rejects.toMatchObject({
    code: "query_invalid",
    path: "limit",
  })
})

test("an answer that is lost is asked for again, and the signal is stored once", async () => {
  let isFirst = true
  const { client, tenant } = await connected((send) => async (request) => {
    const response = await send(request)
    if (!isFirst) return response
    isFirst = false
    throw new TypeError("the connection broke")
  })
  expect(await client.emitSignal({ body: { type: "lead.received" } })).toMatchObject({ inserted: false })
  expect((await tenant.counts()).signals).toBe(1)
})

test("a call that may not be repeated is not, and 503 is tried again for as often as it was said", async () => {
  let asked = 0
  const { client } = await connected(() => async () => {
    asked += 1
    return new Response(JSON.stringify({ code: "fleet_stopped", detail: "no" }), { status: 503 })
  })
  await expect(client.createServiceAccount({ body: { name: "a", role: "member" } })).rejects.toMatchObject({
    code: "fleet_stopped",
  })
  expect(asked).toBe(1)
  await expect(client.getMe()).rejects.toMatchObject({ code: "fleet_stopped" })
  expect(asked).toBe(5)
})

test("pages come one after the other", async () => {
  const { client, tenant } = await connected()
  for (const n of [1, 2, 3]) await tenant.emit("a.b", { n })
  const sizes: number[] = []
  for await (const { signals } of client.pages("listSignals", { query: { limit: 2 } })) sizes.push(signals.length)
  expect(sizes).toEqual([2, 1])
})

test("the live feed tells what is committed, and ends", async () => {
  const { client, tenant } = await connected()
  const { signal: seen } = await tenant.emit("a.b", {})
  const { signal } = await tenant.emit("a.c", {})
  const abort = new AbortController()
  for await (const { event, id } of client.live({ pattern: "a.*", lastEventId: seen.id, abort: abort.signal })) {
    if (event !== "signals" || id !== signal.id) continue
    abort.abort()
    break
  }
  expect(abort.signal.aborted).toBe(true)
})
