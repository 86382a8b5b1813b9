import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { testFleet, testSlug } from "../../test/support/test-fleet.ts"
import type { Principal } from "../access/principal.ts"
import { createFetchHandler, type FetchHandlerOptions } from "./fetch-handler.ts"
import type { RequestRule } from "./request-limits.ts"
import { serve } from "./serve.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.close())

const rule: RequestRule = {
  name: "test",
  by: "address",
  of: "all",
  perRoute: false,
  limit: 3,
  windowMs: 3_600_000,
}

interface Caller {
  readonly address?: string
  readonly person?: string
  readonly forwarded?: string
  readonly method?: string
}

async function limitedServer(limits: FetchHandlerOptions["limits"], more: Partial<FetchHandlerOptions> = {}) {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  const authenticate = (request: Request): Principal | undefined => {
    const id = request.headers.get("x-person")
    return id === null ? undefined : { kind: "host", id, tenant: tenant.slug, role: "owner" }
  }
  // Each test has rows of its own.
  const own = Array.isArray(limits) ? limits.map((each) => ({ ...each, name: nameFor(each.name) })) : limits
  const options = own === undefined ? more : { limits: own, ...more }
  const handler = createFetchHandler(fleet, { authenticate, ...options })
  onTestFinished(() => handler.close())
  const send = async (path: string, { address, person, forwarded, method = "GET" }: Caller = {}): Promise<Response> => {
    const headers = {
      ...(person !== undefined && { "x-person": person }),
      ...(forwarded !== undefined && { "x-forwarded-for": forwarded }),
    }
    return handler.fetch(new Request(`http://localhost${path}`, { headers, method }), { remoteAddress: address })
  }
  return { send, handler, fleet }
}

function nameFor(name: string): string {
  return `${name}-${testSlug().slice(2, 10)}`
}

async function statuses(count: number, send: (n: number) => Promise<Response>): Promise<readonly number[]> {
  const answers: number[] = []
  for (let n = 0; n < count; n++) answers.push((await send(n)).status)
  return answers
}

describe("a limit", () => {
  test("of an address says what is left, and then when to come back", async () => {
    const { send } = await limitedServer([rule])
    const first = await send("/v1/signals", { address: "192.0.2.1", person: "a" })
    const name = nameFor("test")
    expect(first.status).toBe(200)
    expect(first.headers.get("ratelimit-policy")).toBe(`"${name}";q=3;w=3600`)
    expect(first.headers.get("ratelimit")).toMatch(new RegExp(`^"${name}";r=2;t=3[56]\\d\\d$`))
    await send("/v1/signals", { address: "192.0.2.1", person: "b" })
    await send("/v1/summary", { address: "192.0.2.1" })
    const refused = await send("/v1/signals", { address: "192.0.2.1", person: "a" })
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(3_500)
    expect(refused.headers.get("ratelimit")).toContain("r=0")
    expect(await refused.json()).toMatchObject({ code: "rate_limited", status: 429 })
    // Others are not held up.
    expect((await send("/v1/signals", { address: "192.0.2.2", person: "a" })).status).toBe(200)
  })

  test("counts one /64 as one address, and is not escaped by what a request says", async () => {
    const { send } = await limitedServer([rule])
    const answers = await statuses(5, (n) =>
      send("/v1/signals", { address: `2001:db8:0:1::${n + 1}`, person: "a", forwarded: `203.0.113.${n}` }),
    )
    expect(answers).toEqual([200, 200, 200, 429, 429])
    expect((await send("/v1/signals", { address: "2001:db8:0:2::1", person: "a" })).status).toBe(200)
  })

  test("behind a proxy that is trusted counts its clients", async () => {
    const { send } = await limitedServer([rule], { trustedProxies: ["private"] })
    const from = (forwarded: string) => () => send("/v1/signals", { address: "10.0.0.1", person: "a", forwarded })
    expect(await statuses(4, from("198.51.100.1"))).toEqual([200, 200, 200, 429])
    expect(await statuses(1, from("198.51.100.2"))).toEqual([200])
    // Whatever a client writes stands before what the proxy adds.
    expect(await statuses(1, from("198.51.100.77, 198.51.100.1"))).toEqual([429])
  })

  test("of refused requests holds up whoever tries keys, and nobody who has one", async () => {
    const { send } = await limitedServer([{ ...rule, of: "refused" }])
    expect(await statuses(10, () => send("/v1/signals", { address: "192.0.2.1", person: "a" }))).not.toContain(429)
    expect(await statuses(5, () => send("/v1/signals", { address: "192.0.2.1" }))).toEqual([401, 401, 401, 429, 429])
    expect((await send("/v1/signals", { address: "192.0.2.2" })).status).toBe(401)
  })

  test("of a caller counts that caller, from wherever", async () => {
    const { send } = await limitedServer([{ ...rule, by: "caller" }])
    const answers = await statuses(4, (n) => send("/v1/signals", { address: `192.0.2.${n}`, person: "a" }))
    expect(answers).toEqual([200, 200, 200, 429])
    expect((await send("/v1/signals", { person: "b" })).status).toBe(200)
  })

  test("of a tenant counts each operation for itself, all ids of a route as one", async () => {
    const { send } = await limitedServer([{ ...rule, by: "tenant", perRoute: true }])
    const id = "0198a1a0-0000-7000-8000-00000000000"
    const answers = await statuses(4, (n) => send(`/v1/signals/${id}${n}`, { person: `p${n}` }))
    expect(answers).toEqual([404, 404, 404, 429])
    expect((await send("/v1/signals", { person: "a" })).status).toBe(200)
  })

  test("of changes leaves reads alone", async () => {
    const { send } = await limitedServer([{ ...rule, by: "tenant", of: "changes", perRoute: true }])
    expect(await statuses(10, () => send("/v1/api-keys", { person: "a" }))).not.toContain(429)
    const changes = await statuses(4, () => send("/v1/api-keys", { person: "a", method: "POST" }))
    expect(changes[3]).toBe(429)
    expect(changes.slice(0, 3)).not.toContain(429)
  })

  test("of webhooks counts them alone", async () => {
    const { send } = await limitedServer([{ ...rule, of: "webhooks" }])
    const answers = await statuses(4, () => send("/v1/webhooks/none", { address: "192.0.2.1", method: "POST" }))
    expect(answers).toEqual([404, 404, 404, 429])
    expect((await send("/v1/signals", { address: "192.0.2.1", person: "a" })).status).toBe(200)
  })

  test("is shared by servers of one fleet", async () => {
    const one = await limitedServer([rule])
    const two = await limitedServer([rule])
    const from = { address: "192.0.2.1", person: "a" }
    expect(await statuses(2, () => one.send("/v1/signals", from))).toEqual([200, 200])
    expect(await statuses(2, () => two.send("/v1/signals", from))).toEqual([200, 429])
  })
})

test("several limits are told together", async () => {
  const { send } = await limitedServer(undefined)
  const answer = await send("/v1/signals", { address: "192.0.2.1", person: "a" })
  expect(answer.headers.get("ratelimit-policy")).toBe(
    '"caller";q=1200;w=60, "reads";q=3000;w=60, "address";q=1200;w=60, "refused";q=60;w=60',
  )
  const without = await limitedServer(false)
  const plain = await without.send("/v1/signals", { address: "192.0.2.1", person: "a" })
  expect(plain.headers.get("ratelimit-policy")).toBeNull()
})

test("health, the page and what has no address are not held up", async () => {
  const { send } = await limitedServer([rule])
  expect(await statuses(8, () => send("/health", { address: "192.0.2.1" }))).not.toContain(429)
  expect(await statuses(8, () => send("/v1/signals", { person: "a" }))).not.toContain(429)
})

test("a server tells the address of the connection", async () => {
  const { handler } = await limitedServer([rule])
  const server = await serve(handler, { port: 0 })
  onTestFinished(() => server.close())
  const send = async () => fetch(`${server.url}/v1/signals`, { headers: { "x-person": "a" } })
  expect(await statuses(4, send)).toEqual([200, 200, 200, 429])
})

test("rules that are none are refused at once", async () => {
  await expect(limitedServer([{ ...rule, limit: 0 }])).rejects.toMatchObject({ code: "config_invalid" })
  await expect(limitedServer([rule], { trustedProxies: ["everybody"] })).rejects.toMatchObject({
    code: "config_invalid",
  })
})
