import { once } from "node:events"
import { afterEach, describe, expect, it } from "vitest"
import { answer, type Answering, type LocalWebhookRoute, localWebhookRoute } from "../../test/local-webhook-route.ts"
import { githubWebhook } from "../connectors/github.ts"
import { type Example, feedGithub, type FeedOptions, type FeedProgress, loadExamples } from "./feed.ts"
import { type Clock, systemClock } from "./post-example.ts"

const SECRET = "It's a Secret to Everybody"
const source = githubWebhook({ tenant: "demo", secret: SECRET })
const examples = await loadExamples()
const closers: (() => void)[] = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

describe("loadExamples", () => {
  it("gives all payloads, each under an id of its own that is a UUID", () => {
    expect(examples).toHaveLength(329)
    expect(new Set(examples.map(({ deliveryId }) => deliveryId)).size).toBe(329)
    for (const { deliveryId } of examples) {
      expect(deliveryId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    }
    expect(examples.filter(({ event }) => event === "push").every(({ action }) => action === null)).toBe(true)
    expect(examples.filter(({ event, action }) => event === "issues" && action === "opened")).toHaveLength(4)
  })

  it("gives the same each time", async () => {
    expect((await loadExamples()).map(readable)).toEqual(examples.map(readable))
  })

  it("repeats the set under other ids, the first round under the same ones", async () => {
    const twice = await loadExamples({ rounds: 2 })
    expect(twice.slice(0, 329).map(readable)).toEqual(examples.map(readable))
    expect(new Set(twice.map(({ deliveryId }) => deliveryId)).size).toBe(658)
  })

  it("names the package to install when it is missing", async () => {
    await expect(loadExamples({ load: refuse })).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringContaining("npm install --save-dev @octokit/webhooks-examples"),
    })
  })

  it.each([0, 1.5, 1_001])("refuses %d rounds", async (rounds) => {
    await expect(loadExamples({ rounds })).rejects.toMatchObject({ code: "config_invalid" })
  })
})

describe("feedGithub", () => {
  it("has every example stored once, and nothing more when it feeds again", async () => {
    const route = await listen()
    expect(await feed(route)).toEqual({ sent: 329, stored: 329, duplicates: 0, refused: [] })
    expect(await feed(route)).toEqual({ sent: 329, stored: 0, duplicates: 329, refused: [] })
    expect([...route.stored.keys()].toSorted()).toEqual(examples.map(({ deliveryId }) => deliveryId).toSorted())
    expect(route.stored.get(firstExample.deliveryId)).toMatch(new RegExp(`^github\\.${firstExample.event}`))
  })

  it("sends what GitHub sends", async () => {
    const route = await listen()
    await feed(route, { examples: [firstExample] })
    expect(route.requests[0]).toMatchObject({
      method: "POST",
      url: "/v1/webhooks/github",
      headers: {
        "content-type": "application/json",
        "user-agent": expect.stringMatching(/^GitHub-Hookshot\//),
        "x-github-event": firstExample.event,
        "x-github-delivery": firstExample.deliveryId,
        "x-hub-signature-256": expect.stringMatching(/^sha256=[0-9a-f]{64}$/),
        "content-length": String(firstExample.body.length),
      },
    })
  })

  it("tells how far it is", async () => {
    const progress: FeedProgress[] = []
    await feed(await listen(), { examples: examples.slice(0, 3), concurrency: 1, onProgress: (p) => progress.push(p) })
    expect(progress).toEqual([1, 2, 3].map((sent) => ({ sent, stored: sent, duplicates: 0, refused: 0 })))
  })

  it("has no more requests under way than it may", async () => {
    const held: Parameters<Answering>[1][] = []
    // Answers only when three wait, so the feed would never end with fewer lanes.
    const route = await listen((_, response) => {
      held.push(response)
      expect(held.length).toBeLessThanOrEqual(3)
      if (held.length === 3) for (const each of held.splice(0)) answer(each, 202, { id: "1", inserted: true })
    })
    expect(await feed(route, { examples: examples.slice(0, 30), concurrency: 3 })).toMatchObject({ stored: 30 })
  })

  it("reports what is refused, with the reason, and goes on", async () => {
    const route = await listen((request, response) => {
      if (request.headers["x-github-delivery"] !== firstExample.deliveryId) return false
      return answer(response, 422, { title: "Unprocessable", detail: "expected less" })
    })
    const report = await feed(route)
    expect(report).toEqual({
      sent: 329,
      stored: 328,
      duplicates: 0,
      refused: [{ status: 422, detail: "expected less" }],
    })
  })

  it("reports a wrong secret once for each example", async () => {
    const { refused } = await feed(await listen(), { secret: "wrong", examples: examples.slice(0, 5) })
    expect(refused).toHaveLength(5)
    expect(refused[0]).toEqual({ status: 401, detail: expect.stringContaining("X-Hub-Signature-256") })
  })

  it.each([
    { url: "not an address" },
    { ratePerSecond: 0 },
    { ratePerSecond: -1 },
    { concurrency: 0 },
    { concurrency: 1.5 },
  ])("refuses %j", async (wrong) => {
    const route = await listen()
    await expect(feed(route, wrong)).rejects.toMatchObject({ code: "config_invalid" })
    expect(route.requests).toEqual([])
  })

  it("stops its lanes when a listener throws", async () => {
    const route = await listen()
    await expect(feed(route, { concurrency: 1, onProgress: () => refuse("sent") })).rejects.toThrow("no sent")
    expect(route.requests).toHaveLength(1)
  })
})

describe("trouble on the way", () => {
  it("is overcome: each event fails three times in three ways, and none is lost", async () => {
    const tries = new Map<unknown, number>()
    const route = await listen((request, response) => {
      const id = request.headers["x-github-delivery"]
      const count = (tries.get(id) ?? 0) + 1
      tries.set(id, count)
      if (count === 1) return void request.socket.destroy()
      if (count === 2) return answer(response, 503, {})
      if (count === 3) return answer(response, 429, {}, { "retry-after": "1" })
      return false
    })
    const report = await feed(route, { clock: fakeClock() })
    expect(report).toEqual({ sent: 329, stored: 329, duplicates: 0, refused: [] })
    expect(route.requests).toHaveLength(4 * 329)
  })

  it("may make a duplicate of an event whose first answer was lost, never two of it", async () => {
    let isLost = false
    const route = await listen((request) => {
      if (isLost) return false
      isLost = true
      route.stored.set(String(request.headers["x-github-delivery"]), "stored before the connection broke")
      return void request.socket.destroy()
    })
    const report = await feed(route, { examples: examples.slice(0, 2), concurrency: 1, clock: fakeClock() })
    expect(report).toEqual({ sent: 2, stored: 1, duplicates: 1, refused: [] })
  })

  it("ends the feed when nothing listens for a minute", async () => {
    const route = await listen()
    route.close()
    const report = await feed(route, { clock: fakeClock(), concurrency: 2 })
    expect(report).toMatchObject({ stored: 0, duplicates: 0 })
    expect(report.refused[0]).toEqual({ status: 0, detail: expect.stringContaining("ECONNREFUSED") })
    expect(report.sent).toBeLessThanOrEqual(2)
  })

  it("ends the feed when the server is away for a minute, but not for one broken event", async () => {
    const away = await listen((_, response) => answer(response, 503, { detail: "no database" }))
    const ended = await feed(away, { clock: fakeClock(), concurrency: 1 })
    expect(ended).toEqual({ sent: 1, stored: 0, duplicates: 0, refused: [{ status: 503, detail: "no database" }] })

    const broken = await listen((request, response) => {
      if (request.headers["x-github-delivery"] !== firstExample.deliveryId) return false
      return answer(response, 500, { detail: "broken" })
    })
    const report = await feed(broken, { examples: examples.slice(0, 5), clock: fakeClock(), concurrency: 1 })
    expect(report).toMatchObject({ sent: 5, stored: 4, refused: [{ status: 500, detail: "broken" }] })
  })
})

describe("an abort", () => {
  it("ends requests that wait for an answer", async () => {
    const controller = new AbortController()
    const closed: Promise<unknown>[] = []
    const route = await listen((_, response) => {
      closed.push(once(response, "close"))
      if (closed.length === 4) controller.abort()
    })
    const report = await feed(route, { abort: controller.signal, concurrency: 4 })
    expect(report).toEqual({ sent: 0, stored: 0, duplicates: 0, refused: [] })
    await Promise.all(closed)
    expect(closed).toHaveLength(4)
  })

  it("ends the wait for the next event, and tells how far the feed came", async () => {
    const controller = new AbortController()
    const report = await feed(await listen(), {
      abort: controller.signal,
      // The second would come in a quarter of an hour.
      ratePerSecond: 0.001,
      clock: systemClock,
      onProgress: () => controller.abort(),
    })
    expect(report).toEqual({ sent: 1, stored: 1, duplicates: 0, refused: [] })
  })

  it("ends the wait for another try", async () => {
    const controller = new AbortController()
    const route = await listen((_, response) => {
      answer(response, 503, {}, { "retry-after": "30" })
      response.on("close", () => controller.abort())
    })
    const report = await feed(route, { abort: controller.signal, clock: systemClock, concurrency: 1 })
    expect(report).toMatchObject({ sent: 0 })
    expect(route.requests).toHaveLength(1)
  })

  it("that came before sends nothing", async () => {
    const route = await listen()
    expect(await feed(route, { abort: AbortSignal.abort() })).toMatchObject({ sent: 0 })
    expect(route.requests).toEqual([])
  })
})

describe("a rate", () => {
  it("spaces events evenly", async () => {
    const clock = fakeClock()
    const sentAt: number[] = []
    const route = await listen(() => {
      sentAt.push(clock.now())
      return false
    })
    await feed(route, { examples: examples.slice(0, 9), ratePerSecond: 8, concurrency: 1, clock })
    expect(sentAt).toEqual([0, 125, 250, 375, 500, 625, 750, 875, 1_000])
  })

  it("does not drift when requests take their time", async () => {
    const clock = fakeClock()
    const sentAt: number[] = []
    const route = await listen(() => {
      sentAt.push(clock.now())
      clock.pass(40)
      return false
    })
    await feed(route, { examples: examples.slice(0, 5), ratePerSecond: 10, concurrency: 1, clock })
    expect(sentAt).toEqual([0, 100, 200, 300, 400])
  })

  it("catches up after a late answer", async () => {
    const clock = fakeClock()
    const sentAt: number[] = []
    const route = await listen(() => {
      sentAt.push(clock.now())
      if (sentAt.length === 1) clock.pass(250)
      return false
    })
    await feed(route, { examples: examples.slice(0, 5), ratePerSecond: 10, concurrency: 1, clock })
    expect(sentAt).toEqual([0, 250, 250, 300, 400])
  })
})

const firstExample = first(examples)

function readable(example: Example): object {
  return { ...example, body: Buffer.from(example.body).toString() }
}

function refuse(name: string): never {
  throw new Error(`no ${name}`)
}

function first([example]: readonly Example[]): Example {
  if (example === undefined) throw new Error("expected an example")
  return example
}

async function listen(answering?: Answering): Promise<LocalWebhookRoute> {
  const route = await localWebhookRoute(source, answering)
  closers.push(route.close)
  return route
}

function feed(route: LocalWebhookRoute, changes: Partial<FeedOptions> = {}) {
  return feedGithub({ url: route.url, secret: SECRET, examples, abort: new AbortController().signal, ...changes })
}

/** Time that passes only when someone sleeps, at once. */
function fakeClock(): Clock & { readonly pass: (ms: number) => void } {
  let now = 0
  return {
    now: () => now,
    pass: (ms) => void (now += ms),
    sleep: async (ms) => {
      now += Math.max(ms, 0)
    },
  }
}
