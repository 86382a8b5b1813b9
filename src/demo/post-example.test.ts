import { sign } from "@octokit/webhooks-methods"
import { afterEach, describe, expect, it, vi } from "vitest"
import { postExample, systemClock } from "./post-example.ts"

const delivery = { event: "push", deliveryId: "1", body: new TextEncoder().encode("{}") }
const stored = () => Response.json({ id: "1", inserted: true }, { status: 202 })
const busy = (headers: Record<string, string> = {}) => Response.json({ detail: "busy" }, { status: 429, headers })

afterEach(() => {
  vi.useRealTimers()
})

describe("an answer", () => {
  it.each([
    [stored(), { kind: "stored" }],
    [Response.json({ id: "1", inserted: false }), { kind: "duplicate" }],
    [
      Response.json({ detail: "expected less" }, { status: 422 }),
      { kind: "refused", status: 422, detail: "expected less" },
    ],
    [new Response("gone", { status: 410 }), { kind: "refused", status: 410, detail: "gone" }],
    [new Response("<html>", { status: 200 }), { kind: "refused", status: 200, detail: "<html>" }],
    [new Response("{}", { status: 202 }), { kind: "refused", status: 202, detail: "{}" }],
    [Response.json({ inserted: true }, { status: 400 }), { kind: "refused", status: 400, detail: `{"inserted":true}` }],
    [Response.redirect("http://localhost/", 302), { kind: "refused", status: 302, detail: "" }],
    [new Response("x".repeat(9_000), { status: 400 }), { kind: "refused", status: 400, detail: "x".repeat(500) }],
  ])("%# is final", async (response, answer) => {
    const { posted, requests } = await post(() => response)
    expect(posted).toEqual(answer)
    expect(requests).toHaveLength(1)
  })
})

it("is signed over its bytes, and follows no redirect", async () => {
  const { requests } = await post(stored)
  expect(requests[0]).toMatchObject({ method: "POST", redirect: "manual", body: delivery.body })
  const headers = new Headers(requests[0]?.headers)
  expect(headers.get("x-hub-signature-256")).toBe(await sign("secret", "{}"))
})

describe("another try", () => {
  it("comes later each time, at most two seconds, for a minute in all", async () => {
    const { posted, waits } = await post(() => new Response("broken", { status: 500 }))
    expect(posted).toEqual({ kind: "refused", status: 500, detail: "broken" })
    expect(waits.slice(0, 8)).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000])
    const waited = waits.reduce((sum, wait) => sum + wait)
    expect(waited).toBeGreaterThan(58_000)
    expect(waited).toBeLessThanOrEqual(60_000)
  })

  it.each([
    ["seconds", { "retry-after": "7" }, 7_000],
    ["no wait", { "retry-after": "0" }, 50],
    ["a date", { "retry-after": "Thu, 01 Jan 2026 00:00:09 GMT", date: "Thu, 01 Jan 2026 00:00:00 GMT" }, 9_000],
    ["a past date", { "retry-after": "Thu, 01 Jan 2026 00:00:00 GMT", date: "Thu, 01 Jan 2026 00:00:09 GMT" }, 50],
    ["a date of a server without a clock", { "retry-after": "Thu, 01 Jan 2026 00:00:09 GMT" }, 50],
    ["too long", { "retry-after": "86400" }, 30_000],
    ["nonsense", { "retry-after": "soon" }, 50],
  ])("comes when the server asks for it: %s", async (_, headers, waitMs) => {
    const { posted, waits } = await post((count) => (count === 1 ? busy(headers) : stored()))
    expect(posted).toEqual({ kind: "stored" })
    expect(waits).toEqual([waitMs])
  })

  it("comes after a connection that broke, and tells the reason when none helps", async () => {
    const broken = Object.assign(new TypeError("fetch failed"), {
      cause: Object.assign(new Error(), { code: "ECONNRESET" }),
    })
    const { posted } = await post((count) => (count === 1 ? broken : stored()))
    expect(posted).toEqual({ kind: "stored" })
    const never = await post(() => broken)
    expect(never.posted).toEqual({
      kind: "unreachable",
      status: 0,
      detail: "no answer from http://localhost/: ECONNRESET",
    })
  })

  it.each([502, 503, 504])("that ends with %i says that the server is away", async (status) => {
    const { posted } = await post(() => new Response("away", { status }))
    expect(posted).toEqual({ kind: "unreachable", status, detail: "away" })
  })

  it("comes when no answer came for ten seconds", async () => {
    vi.useFakeTimers()
    let now = 0
    const clock = { now: () => now, sleep: async () => void (now += 30_000) }
    const abort = new AbortController().signal
    const posted = await postExample(delivery, {
      url: "http://localhost/",
      secret: "secret",
      fetch: neverAnswer,
      clock,
      abort,
    })
    expect(posted).toMatchObject({ kind: "unreachable", detail: expect.stringContaining("10000 ms") })
    expect(vi.getTimerCount()).toBe(0)
  })

  it("does not come after an abort", async () => {
    const controller = new AbortController()
    const { posted, requests } = await post(() => {
      controller.abort()
      return busy()
    }, controller.signal)
    expect(posted).toEqual({ kind: "aborted" })
    expect(requests).toHaveLength(1)
  })
})

describe("the system's clock", () => {
  it("sleeps and wakes", async () => {
    const slept = systemClock.sleep(1, new AbortController().signal)
    expect(await isSettled(slept)).toBe(false)
    await slept
  })

  it.each([0, -1, -Infinity])("does not sleep %d ms", async (ms) => {
    expect(await isSettled(systemClock.sleep(ms, new AbortController().signal))).toBe(true)
  })

  it("wakes when aborted", async () => {
    const controller = new AbortController()
    const slept = systemClock.sleep(Infinity, controller.signal)
    controller.abort()
    await expect(slept).resolves.toBeUndefined()
    await expect(systemClock.sleep(Infinity, controller.signal)).resolves.toBeUndefined()
  })
})

/** A server that says nothing until the caller gives up, which it does at once in fake time. */
function neverAnswer(_: unknown, init?: RequestInit): Promise<Response> {
  return new Promise((_, reject) => {
    init?.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")))
    vi.advanceTimersByTime(10_000)
  })
}

/** Whether a promise is settled by now, no timer or I/O in between. */
async function isSettled(promise: Promise<void>): Promise<boolean> {
  let settled = false
  void promise.then(() => (settled = true))
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
  return settled
}

/** Posts to a server that is a function of how often it was asked, with time that passes at once. */
async function post(answer: (count: number) => Response | Error, abort = new AbortController().signal) {
  const requests: RequestInit[] = []
  const waits: number[] = []
  let now = 0
  const posted = await postExample(delivery, {
    url: "http://localhost/",
    secret: "secret",
    abort,
    clock: {
      now: () => now,
      sleep: async (ms) => {
        waits.push(ms)
        now += ms
      },
    },
    fetch: async (_, init = {}) => {
      const came = answer(requests.push(init))
      if (came instanceof Error) throw came
      return came
    },
  })
  return { posted, requests, waits }
}
