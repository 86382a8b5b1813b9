import { EventEmitter, once } from "node:events"
import { describe, expect, test } from "vitest"
import { alwaysStatus, endpointsForTests, setUpHttp } from "../../../test/support/http-adapter.ts"
import type { Answer } from "../../../test/support/local-endpoint.ts"
import { DispatchError } from "./dispatch-error.ts"

const endpointThat = endpointsForTests()
const once503: Answer = (response, _, count) => response.writeHead(count === 1 ? 503 : 204).end()

describe("Retry-After", () => {
  const busy =
    (retryAfter: string): Answer =>
    (response, _, count) =>
      response.writeHead(count === 1 ? 429 : 204, { "retry-after": retryAfter }).end()

  test.each([
    ["7", 7_000],
    [new Date(Date.UTC(2026, 0, 1, 0, 0, 9)).toUTCString(), 9_000],
  ])("%j is waited for", async (retryAfter, delayMs) => {
    const endpoint = await endpointThat(busy(retryAfter))
    const { clock, send } = setUpHttp()
    const sent = send({ url: endpoint.url })
    await clock.waitedFor(delayMs)
    clock.advance(delayMs)
    await sent
    expect(endpoint.received.length).toBe(2)
  })

  test("one that does not fit into the time ends it, and the error says when to come back", async () => {
    const endpoint = await endpointThat(busy("300"))
    const { clock, send } = setUpHttp()
    const error = { code: "dispatch_failed", status: 429, retryAtMs: clock.now() + 300_000 }
    await expect(send({ url: endpoint.url })).rejects.toMatchObject(error)
    expect(endpoint.received.length).toBe(1)
  })

  test.each(["1000000000", "9".repeat(300), "Fri, 31 Dec 9999 23:59:59 GMT"])("%j is capped", async (retryAfter) => {
    const endpoint = await endpointThat(busy(retryAfter))
    const { clock, send } = setUpHttp()
    await expect(send({ url: endpoint.url })).rejects.toMatchObject({ retryAtMs: clock.now() + 600_000 })
    const sent = send({ url: endpoint.url, maxRetryAfterMs: 3_000 }).catch((error: unknown) => error)
    expect(await sent).toBeUndefined()
  })

  test("the cap is what is waited for when it fits", async () => {
    const endpoint = await endpointThat(busy("1000000000"))
    const { clock, send } = setUpHttp()
    const sent = send({ url: endpoint.url, maxRetryAfterMs: 3_000 })
    await clock.waitedFor(3_000)
    clock.advance(3_000)
    await sent
  })
})

describe("time", () => {
  test("all tries together end with the total", async () => {
    const endpoint = await endpointThat(() => {})
    const { clock, send } = setUpHttp()
    const sent = send({ url: endpoint.url, retry: { totalMs: 20_000, maxAttempts: 50 } })
    await clock.waitedFor(15_000)
    clock.advance(15_000)
    await clock.waitedFor(500)
    clock.advance(500)
    await clock.waitedFor(15_000)
    clock.advance(4_500)
    await expect(sent).rejects.toMatchObject({
      code: "dispatch_failed",
      message: expect.stringContaining("within 20000 ms"),
    })
    expect(clock.delays).toEqual([])
  })

  test("a fetch that ignores its signal holds nothing, and its late body is given up", async () => {
    let cancelled = 0
    const late = new ReadableStream({ cancel: () => void cancelled++ })
    const asked = new EventEmitter()
    let answer: (response: Response) => void = () => {}
    const fetch = () => {
      asked.emit("asked")
      return new Promise<Response>((resolve) => (answer = resolve))
    }
    const isAsked = once(asked, "asked")
    const { clock, send } = setUpHttp({ fetch })
    const sent = send({ url: "https://a.example", retry: { maxAttempts: 1 } })
    await isAsked
    clock.advance(15_000)
    await expect(sent).rejects.toMatchObject({ code: "dispatch_failed" })
    answer(new Response(late))
    await new Promise((resolve) => setImmediate(resolve))
    expect(cancelled).toBe(1)
  })

  test("a policy that never answers is timed out too", async () => {
    const { clock, send } = setUpHttp({ allowUrl: () => new Promise(() => {}) })
    const sent = send({ url: "https://a.example", retry: { maxAttempts: 1 } })
    await clock.waitedFor(15_000)
    clock.advance(15_000)
    await expect(sent).rejects.toMatchObject({ code: "dispatch_failed" })
  })
})

describe("a caller who goes away", () => {
  test.each([
    ["ends the request, which says nothing about the endpoint", new Error("gone"), 0],
    ["because the time is over counts as a failure of the endpoint", new DOMException("late", "TimeoutError"), 1],
    ["because the dispatch took too long counts too", new DispatchError("dispatch_failed", "too long"), 1],
  ])("%s", async (_, reason, failures) => {
    const caller = new AbortController()
    let close: Promise<unknown> = Promise.resolve()
    const endpoint = await endpointThat((response) => {
      close = once(response, "close")
      caller.abort(reason)
    })
    const { breaker, clock, send } = setUpHttp()
    const sent = send({ url: endpoint.url }, { abort: caller.signal })
    const error = await sent.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: "dispatch_failed" })
    expect([error, error instanceof Error && error.cause]).toContain(reason)
    await close
    expect(breaker.state(endpoint.url)).toEqual({ kind: "closed", failures })
    expect(clock.delays).toEqual([])
  })
})

describe("the breaker", () => {
  test("opens for many callers at once, and lets one of many try when the time is over", async () => {
    const failing: Answer = (response, _, count) => response.writeHead(count <= 5 ? 500 : 204).end()
    const endpoint = await endpointThat(failing)
    const { breaker, clock, send } = setUpHttp()
    const burst = (size: number) =>
      Promise.allSettled(Array.from({ length: size }, () => send({ url: endpoint.url, retry: { maxAttempts: 1 } })))
    await burst(5)
    expect(breaker.state(endpoint.url)).toEqual({ kind: "open", retryAtMs: clock.now() + 30_000 })

    const refused = await burst(20)
    const open = { code: "circuit_open", retryAtMs: clock.now() + 30_000 }
    expect(refused).toEqual(refused.map(() => ({ status: "rejected", reason: expect.objectContaining(open) })))
    expect(endpoint.received.length).toBe(5)

    clock.advance(30_000)
    const halfOpen = await burst(20)
    expect(halfOpen.filter(({ status }) => status === "fulfilled").length).toBe(1)
    expect(endpoint.received.length).toBe(6)
    expect(breaker.state(endpoint.url)).toEqual({ kind: "closed", failures: 0 })
  })

  test("keeps endpoints apart, and ends the tries of a delivery when it opens", async () => {
    const broken = await endpointThat(alwaysStatus(503))
    const healthy = await endpointThat()
    const { clock, send } = setUpHttp()
    const sent = send({ url: broken.url, retry: { maxAttempts: 10, totalMs: 600_000 } })
    for (const delayMs of [500, 1_000, 2_000, 4_000]) {
      await clock.waitedFor(delayMs)
      clock.advance(delayMs)
    }
    await expect(sent).rejects.toMatchObject({ code: "dispatch_failed", status: 503 })
    expect(broken.received.length).toBe(5)
    await send({ url: healthy.url })
  })
})

describe("the policy on urls", () => {
  test.each([
    ["says no", () => false],
    ["says no later", () => Promise.resolve(false)],
  ])("%s: nothing is sent and nothing tried again", async (_, allowUrl) => {
    const endpoint = await endpointThat()
    const { breaker, send } = setUpHttp({ allowUrl })
    await expect(send({ url: endpoint.url })).rejects.toMatchObject({ code: "dispatch_refused" })
    expect(endpoint.received).toEqual([])
    expect(breaker.state(endpoint.url)).toEqual({ kind: "closed", failures: 0 })
  })

  test("is asked before each try, with the url", async () => {
    const endpoint = await endpointThat(once503)
    const asked: string[] = []
    const { clock, send } = setUpHttp({ allowUrl: (url) => asked.push(url.href) === 1 })
    const sent = send({ url: endpoint.url })
    await clock.waitedFor(500)
    clock.advance(500)
    await expect(sent).rejects.toMatchObject({ code: "dispatch_refused" })
    expect(asked).toEqual([endpoint.url, endpoint.url])
    expect(endpoint.received.length).toBe(1)
  })

  test("that fails is the cause", async () => {
    const fault = new Error("no DNS")
    const { send } = setUpHttp({ allowUrl: () => Promise.reject(fault) })
    await expect(send({ url: "https://a.example" })).rejects.toMatchObject({ code: "dispatch_failed", cause: fault })
  })
})
