import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { type Announcement, type News, parseAnnouncement } from "./announcements.ts"
import { Announcer } from "./announcer.ts"
import type { WakingLane } from "./deliveries.ts"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const lane: WakingLane = { handler: "mail.send", tenant: "acme", priority: 0 }

/** What one statement told the other processes. */
interface Told {
  readonly atMs: number
  readonly payloads: readonly string[]
  readonly lanes: readonly WakingLane[]
  readonly news: readonly News[]
  readonly flags: readonly object[]
}

/** An announcer whose statements are noted, and answered when `answer` says so. */
function rig(answer: () => Promise<void> = async () => {}) {
  const told: Told[] = []
  const own: Announcement[] = []
  const errors: unknown[] = []
  const announcer = new Announcer({
    database: {
      query: async (_text, values = []) => {
        const payloads = JSON.parse(String(values[1])) as string[]
        told.push({ atMs: performance.now(), payloads, ...read(payloads) })
        await answer()
        return []
      },
    },
    origin: "me",
    onOwn: (announcement) => own.push(announcement),
    onError: (error) => errors.push(error),
  })
  return { announcer, told, own, errors }
}

function read(payloads: readonly string[]): Pick<Told, "lanes" | "news" | "flags"> {
  const parts = payloads.map((payload) => parseAnnouncement(payload) ?? { origin: "", lanes: [], news: [] })
  return {
    lanes: parts.flatMap(({ lanes }) => lanes),
    news: parts.flatMap(({ news }) => news),
    flags: parts
      .map(({ origin: _, lanes: __, news: ___, ...flags }) => flags)
      .filter((each) => Object.keys(each).length),
  }
}

const isMore = (tenant: string): News => ({ tenant, stored: [], delivered: [], isMore: true })

describe("lanes", () => {
  test("are heard at once in this process, and told to the others in one statement a moment later", async () => {
    const { announcer, told, own } = rig()
    announcer.enqueued([lane, { ...lane, tenant: "other" }])
    announcer.enqueued([lane, { ...lane, priority: -5 }])
    expect(own.flatMap(({ lanes }) => lanes)).toHaveLength(4)
    expect(told).toEqual([])
    await vi.advanceTimersByTimeAsync(2)
    expect(told).toHaveLength(1)
    expect(told[0]?.lanes).toEqual([lane, { ...lane, tenant: "other" }, { ...lane, priority: -5 }])
  })

  test("that are due later are told apart from those that are due now", async () => {
    const { announcer, told } = rig()
    announcer.enqueued([lane, { ...lane, dueInMs: 500 }])
    await vi.advanceTimersByTimeAsync(2)
    expect(told[0]?.lanes).toEqual([lane, { ...lane, dueInMs: 500 }])
  })

  test("that come while a statement is under way go out with the next one", async () => {
    let finish = (): void => {}
    const { announcer, told } = rig(() => new Promise((resolve) => (finish = resolve)))
    announcer.enqueued([lane])
    await vi.advanceTimersByTimeAsync(2)
    announcer.enqueued([{ ...lane, tenant: "other" }])
    await vi.advanceTimersByTimeAsync(100)
    expect(told).toHaveLength(1)
    finish()
    await vi.advanceTimersByTimeAsync(2)
    expect(told.map(({ lanes }) => lanes.map(({ tenant }) => tenant))).toEqual([["acme"], ["other"]])
  })

  test("say nothing but which lane it is: a delivery that is given back carries a key of the user's", async () => {
    const { announcer, told } = rig()
    const released = {
      ...lane,
      signalId: "0192f0c1-0000-7000-8000-000000000001",
      flowKey: "patient:Müller",
      leaseToken: 7,
    }
    announcer.enqueued([released])
    await vi.advanceTimersByTimeAsync(2)
    expect(told[0]?.lanes).toEqual([lane])
  })

  test("in any number fit into what a notification holds", async () => {
    const { announcer, told } = rig()
    announcer.enqueued(
      Array.from({ length: 2_000 }, (_, n) => ({
        ...lane,
        tenant: `t_${n}`,
        handler: `handler.${"x".repeat(n % 90)}`,
      })),
    )
    await vi.advanceTimersByTimeAsync(2)
    expect(told[0]?.lanes).toHaveLength(2_000)
    expect(Math.max(...(told[0]?.payloads ?? []).map((payload) => Buffer.byteLength(payload)))).toBeLessThan(8_000)
  })
})

describe("news", () => {
  test("are told to this process and the others, by tenant, each id once", async () => {
    const { announcer, told, own } = rig()
    announcer.stored("acme", "s1")
    announcer.stored("other", "s2")
    announcer.delivered("acme", "s1")
    announcer.delivered("acme", "s1")
    await vi.advanceTimersByTimeAsync(2)
    const news: readonly News[] = [
      { tenant: "acme", stored: ["s1"], delivered: ["s1"] },
      { tenant: "other", stored: ["s2"], delivered: [] },
    ]
    expect(told.map((each) => each.news)).toEqual([news])
    expect(own).toEqual([{ news, lanes: [] }])
  })

  test("are told every 50 ms at most, and all of them", async () => {
    const { announcer, told } = rig()
    const ids = Array.from({ length: 300 }, (_, n) => `s${n}`)
    for (const id of ids) {
      announcer.stored("acme", id)
      await vi.advanceTimersByTimeAsync(1)
    }
    await vi.advanceTimersByTimeAsync(50)
    expect(told.flatMap(({ news }) => news.flatMap(({ stored }) => stored))).toEqual(ids)
    const gaps = told.slice(1).map(({ atMs }, at) => atMs - (told[at]?.atMs ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(50)
    expect(told.length).toBeLessThanOrEqual(8)
  })

  test("do not wait for lanes, nor lanes for them", async () => {
    const { announcer, told } = rig()
    announcer.stored("acme", "s1")
    await vi.advanceTimersByTimeAsync(2)
    announcer.stored("acme", "s2")
    announcer.enqueued([lane])
    await vi.advanceTimersByTimeAsync(2)
    expect(told.map(({ news, lanes }) => [news.length, lanes.length])).toEqual([
      [1, 0],
      [0, 1],
    ])
    await vi.advanceTimersByTimeAsync(48)
    expect(told[2]?.news).toEqual([{ tenant: "acme", stored: ["s2"], delivered: [] }])
  })

  test("of many ids of one tenant only say that there is more", async () => {
    const { announcer, told, own } = rig()
    for (let n = 0; n <= 500; n++) announcer.stored("acme", `s${n}`)
    announcer.stored("other", "s")
    await vi.advanceTimersByTimeAsync(2)
    const expected = [isMore("acme"), { tenant: "other", stored: ["s"], delivered: [] }]
    expect(told[0]?.news).toEqual(expected)
    expect(own[0]?.news).toEqual(expected)
  })

  test("of many tenants only say that much happened", async () => {
    const { announcer, told } = rig()
    for (let n = 0; n <= 200; n++) announcer.stored(`t_${n}`, "s")
    await vi.advanceTimersByTimeAsync(2)
    expect(told[0]?.news).toEqual([isMore("*")])
  })

  test("in any number that is named fit into what a notification holds", async () => {
    const { announcer, told } = rig()
    for (let tenant = 0; tenant < 20; tenant++) {
      for (let n = 0; n < 200; n++) announcer.stored(`t_${tenant}`, crypto.randomUUID())
      for (let n = 0; n < 90; n++) announcer.delivered(`t_${tenant}`, crypto.randomUUID())
    }
    await vi.advanceTimersByTimeAsync(2)
    const { payloads, news } = told[0] ?? { payloads: [], news: [] }
    expect(Math.max(...payloads.map((payload) => Buffer.byteLength(payload)))).toBeLessThan(8_000)
    expect(news.flatMap(({ stored }) => stored)).toHaveLength(4_000)
    expect(news.flatMap(({ delivered }) => delivered)).toHaveLength(1_800)
  })
})

test("flags are heard at once here, and told to the others in one statement", async () => {
  const { announcer, told, own } = rig()
  announcer.changed({ pauses: true })
  announcer.changed({ replays: true })
  expect(own).toEqual([
    { news: [], lanes: [], pauses: true },
    { news: [], lanes: [], replays: true },
  ])
  await vi.advanceTimersByTimeAsync(2)
  expect(told.map(({ flags }) => flags)).toEqual([[{ pauses: true, replays: true }]])
})

test("a statement that fails is told of, loses only its own, and the next goes out", async () => {
  let isAway = true
  const { announcer, told, errors } = rig(async () => {
    if (isAway) throw new Error("away")
  })
  announcer.enqueued([lane])
  await vi.advanceTimersByTimeAsync(2)
  expect(errors).toEqual([expect.objectContaining({ message: "away" })])
  isAway = false
  announcer.enqueued([lane])
  await vi.advanceTimersByTimeAsync(2)
  expect(told).toHaveLength(2)
})

test("its own announcements are marked, so that it does not hear them twice", async () => {
  const { announcer, told } = rig()
  announcer.enqueued([lane])
  await vi.advanceTimersByTimeAsync(2)
  expect(parseAnnouncement(told[0]?.payloads[0] ?? "")?.origin).toBe(announcer.origin)
})

describe("flushed", () => {
  test("resolves at once when there is nothing", async () => {
    const { announcer, told } = rig()
    await announcer.flushed()
    expect(told).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  test("tells at once what gathers, and waits for the answer", async () => {
    let isAnswered = false
    const { announcer, told } = rig(async () => {
      await Promise.resolve()
      isAnswered = true
    })
    announcer.enqueued([lane])
    announcer.stored("acme", "s1")
    announcer.changed({ pauses: true })
    await announcer.flushed()
    expect(isAnswered).toBe(true)
    expect(told.map(({ lanes, news, flags }) => [lanes.length, news.length, flags.length])).toEqual([[1, 1, 1]])
    expect(vi.getTimerCount()).toBe(0)
  })

  test("leaves no news behind that came shortly after others", async () => {
    const { announcer, told } = rig()
    announcer.stored("acme", "s1")
    await vi.advanceTimersByTimeAsync(2)
    announcer.stored("acme", "s2")
    await announcer.flushed()
    expect(told.flatMap(({ news }) => news.flatMap(({ stored }) => stored))).toEqual(["s1", "s2"])
    expect(vi.getTimerCount()).toBe(0)
  })

  test("leaves no lanes behind that came while a statement was under way", async () => {
    let finish = (): void => {}
    const first = new Promise<void>((resolve) => (finish = resolve))
    const { announcer, told } = rig(() => (told.length === 1 ? first : Promise.resolve()))
    announcer.enqueued([lane])
    await vi.advanceTimersByTimeAsync(2)
    announcer.enqueued([{ ...lane, tenant: "other" }])
    const flushed = announcer.flushed()
    finish()
    await flushed
    expect(told.map(({ lanes }) => lanes.map(({ tenant }) => tenant))).toEqual([["acme"], ["other"]])
    expect(vi.getTimerCount()).toBe(0)
  })
})
