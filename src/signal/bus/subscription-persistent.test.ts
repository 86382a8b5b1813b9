import { describe, expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { createBus } from "./bus-in-process.ts"
import type { BusOptions } from "./bus-options.ts"
import type { DispatchAdapter } from "../dispatch/dispatch-adapter.ts"
import { DispatchError } from "../dispatch/dispatch-error.ts"
import { createDispatcher } from "../dispatch/dispatcher.ts"
import { halt, type Middleware, skip } from "../middleware/middleware.ts"
import { createSignal, type Signal } from "../signal.ts"
import type { Delivery, DroppedSignal, FaultPlace, PersistentOptions } from "./subscription.ts"

function numbered(count: number, from = 0): readonly Signal[] {
  return Array.from({ length: count }, (_, n) =>
    createSignal({ type: "a.b", source: "/test", id: `s${from + n}`, data: from + n }),
  )
}

/** Lets everything happen that waits for nothing but promises. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A bus and a persistent subscriber that keeps what it is given. */
function setUp(options: Partial<PersistentOptions> = {}, busOptions: BusOptions = {}) {
  const clock = new ManualClock()
  const faults: [unknown, FaultPlace][] = []
  const dropped: DroppedSignal[] = []
  const bus = createBus({
    clock,
    random: () => 0,
    onError: (error, place) => faults.push([error, place]),
    onDrop: (each) => dropped.push(each),
    ...busOptions,
  })
  const deliveries: { readonly id: string; readonly delivery: Delivery }[] = []
  const take = ({ id }: Signal, delivery: Delivery) => void deliveries.push({ id, delivery })
  const subscribe = () => bus.subscribe("a.*", take, { persistent: true, id: "p", ...options })
  /** What was handed over since the last call: id and try. */
  let seen = 0
  const news = () => {
    const list = deliveries.slice(seen).map(({ id, delivery }) => `${id}#${delivery.attempt}`)
    seen = deliveries.length
    return list
  }
  const delivery = (index: number): Delivery => {
    const found = deliveries[index]
    if (!found) throw new Error(`nothing was handed over at ${index}`)
    return found.delivery
  }
  return { bus, clock, faults, dropped, deliveries, delivery, take, subscribe, news }
}

describe("acknowledging", () => {
  test("a signal is settled by ack, once", async () => {
    const { bus, clock, delivery, subscribe, news } = setUp()
    subscribe()
    await bus.publish(numbered(1))
    expect(bus.subscriptions()).toMatchObject([{ inFlight: 1, delivered: 0 }])
    expect([delivery(0).ack(), delivery(0).ack(), bus.ack("p", "s0"), delivery(0).nack()]).toEqual([
      true,
      false,
      false,
      false,
    ])
    expect(bus.subscriptions()).toMatchObject([{ inFlight: 0, pending: 0, delivered: 1 }])
    clock.advance(1_000_000)
    expect([news(), clock.delays]).toEqual([["s0#1"], []])
  })

  test("by id, from outside the function", async () => {
    const { bus, subscribe } = setUp()
    subscribe()
    await bus.publish(numbered(2))
    expect([bus.ack("p", "s1"), bus.ack("p", "s1"), bus.ack("p", "s0"), bus.ack("p", "s9")]).toEqual([
      true,
      false,
      true,
      false,
    ])
    expect(() => bus.ack("nobody", "s0")).toThrow(expect.objectContaining({ code: "subscription_unknown" }))
  })

  test("each signal by itself: a later one says nothing about those before it", async () => {
    const { bus, clock, delivery, subscribe, news } = setUp({ ackDeadlineMs: 100 })
    subscribe()
    await bus.publish(numbered(3))
    delivery(2).ack()
    expect(news()).toEqual(["s0#1", "s1#1", "s2#1"])
    clock.advance(100)
    expect(news()).toEqual(["s0#2", "s1#2"])
  })

  test("two signals of one id are two signals", async () => {
    const { bus, delivery, subscribe } = setUp()
    subscribe()
    const [signal] = numbered(1)
    await bus.publish([signal as Signal, signal as Signal])
    expect([delivery(0).ack(), bus.ack("p", "s0"), bus.ack("p", "s0"), delivery(1).ack()]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test("a function that returns without a word is waited for until the deadline", async () => {
    const { bus, clock, subscribe, news } = setUp({ ackDeadlineMs: 100 })
    subscribe()
    await bus.publish(numbered(1))
    clock.advance(99)
    expect(news()).toEqual(["s0#1"])
    clock.advance(1)
    expect(news()).toEqual(["s0#2"])
  })

  test("on-return: it is enough that the function succeeds", async () => {
    const { bus, clock } = setUp()
    const got: unknown[] = []
    bus.subscribe(
      "**",
      async ({ data }, { attempt }) => {
        got.push([data, attempt])
        if (attempt === 1) throw new Error("not yet")
      },
      { persistent: true, id: "r", ack: "on-return", retry: { backoff: 10 } },
    )
    await bus.publish(numbered(1))
    await bus.drain()
    clock.advance(10)
    await bus.drain()
    expect(got).toEqual([
      [0, 1],
      [0, 2],
    ])
    expect(bus.subscriptions()).toMatchObject([{ delivered: 1, inFlight: 0, pending: 0 }])
  })

  test("an adapter acknowledges by delivering, and its errors say whether to try again", async () => {
    const outcomes: (Error | undefined)[] = [
      undefined,
      new DispatchError("dispatch_failed", "later", { retryAtMs: Date.UTC(2026, 0, 1) + 5_000 }),
      new DispatchError("dispatch_gone", "gone"),
    ]
    const sent: string[] = []
    const adapter: DispatchAdapter = {
      name: "sms",
      validate: () => ({}),
      deliver: async ({ id }, _, { attempt }) => {
        sent.push(`${id}#${attempt}`)
        const outcome = outcomes[sent.length - 1]
        if (outcome) throw outcome
      },
    }
    const { bus, clock } = setUp({}, { dispatcher: createDispatcher({ adapters: [adapter] }) })
    bus.subscribe("**", { to: "sms" }, { persistent: true, id: "sms", maxInFlight: 1 })
    await bus.publish(numbered(2))
    await bus.drain()
    expect(sent).toEqual(["s0#1", "s1#1"])
    clock.advance(4_999)
    expect(sent).toHaveLength(2)
    clock.advance(1)
    await bus.drain()
    expect(sent).toEqual(["s0#1", "s1#1", "s1#2"])
    expect(bus.deadLetters("sms")).toMatchObject([{ signal: { id: "s1" }, attempts: 2, reason: "gone" }])
  })

  test("an ack that comes after the deadline counts, a nack does not", async () => {
    const { bus, clock, delivery, subscribe, news } = setUp({ ackDeadlineMs: 100 })
    subscribe()
    await bus.publish(numbered(2))
    clock.advance(100)
    expect(news()).toEqual(["s0#1", "s1#1", "s0#2", "s1#2"])
    expect(delivery(0).nack("late")).toBe(false)
    expect([delivery(0).ack(), delivery(2).ack()]).toEqual([true, false])
    expect(bus.subscriptions()).toMatchObject([{ inFlight: 1, delivered: 1 }])
  })

  test("who has refused cannot acknowledge", async () => {
    const { bus, delivery, subscribe } = setUp()
    subscribe()
    await bus.publish(numbered(1))
    expect([delivery(0).nack("no"), delivery(0).ack(), delivery(0).nack("no")]).toEqual([true, false, false])
  })
})

describe("trying again", () => {
  test("after a wait that grows, and no more than so many times", async () => {
    const { bus, clock, delivery, subscribe, news, faults } = setUp({ retry: { maxAttempts: 4 } })
    subscribe()
    await bus.publish(numbered(1))
    for (const [index, ms] of [200, 400, 800].entries()) {
      delivery(index).nack(new Error(`no ${index}`))
      clock.advance(ms - 1)
      expect(news()).toHaveLength(1)
      clock.advance(1)
    }
    delivery(3).nack(new Error("the last"))
    expect([news(), clock.delays]).toEqual([["s0#4"], []])
    expect(bus.deadLetters("p")).toEqual([
      {
        signal: expect.objectContaining({ id: "s0" }),
        attempts: 4,
        reason: "the last",
        time: "2026-01-01T00:00:01.400Z",
      },
    ])
    expect(faults).toMatchObject([[{ message: "the last" }, { kind: "dead_letter", subscription: "p" }]])
  })

  test("as the subscriber asks", async () => {
    const { bus, clock, delivery, subscribe, news } = setUp({ retry: { backoff: (attempt) => attempt * 10 } })
    subscribe()
    await bus.publish(numbered(1))
    delivery(0).nack()
    clock.advance(10)
    delivery(1).nack()
    clock.advance(19)
    expect(news()).toEqual(["s0#1", "s0#2"])
    clock.advance(1)
    delivery(2).nack("later", { delayMs: 500 })
    clock.advance(500)
    delivery(3).nack("now", { delayMs: 0 })
    expect(news()).toEqual(["s0#3", "s0#4", "s0#5"])
  })

  test.each([Number.NaN, -1, 0])("a backoff of %d waits for no time that is no number", async (ms) => {
    const { bus, clock, delivery, subscribe, news } = setUp({ retry: { backoff: () => ms } })
    subscribe()
    await bus.publish(numbered(1))
    delivery(0).nack()
    clock.advance(200)
    expect(news()).toEqual(["s0#1", "s0#2"])
  })

  test("a backoff that throws is the usual one", async () => {
    const backoff = () => {
      throw new Error("broken")
    }
    const { bus, clock, delivery, subscribe, news } = setUp({ retry: { backoff } })
    subscribe()
    await bus.publish(numbered(1))
    delivery(0).nack()
    clock.advance(200)
    expect(news()).toEqual(["s0#1", "s0#2"])
  })

  test("those that wait leave their place to others", async () => {
    const { bus, clock, delivery, subscribe, news } = setUp({ maxInFlight: 1, retry: { backoff: 100 } })
    subscribe()
    await bus.publish(numbered(3))
    delivery(0).nack()
    expect(news()).toEqual(["s0#1", "s1#1"])
    clock.advance(100)
    delivery(1).ack()
    expect(news()).toEqual(["s0#2"])
    delivery(2).ack()
    expect(news()).toEqual(["s2#1"])
  })

  test("a function that throws has refused, whatever it throws", async () => {
    const thrown = [new Error("no"), null, undefined, "x", Object.create(null)]
    for (const each of thrown) {
      const { bus } = setUp()
      const throwing = () => {
        throw each
      }
      const rejecting = () => Promise.reject(each)
      for (const [id, dispatch] of Object.entries({ throwing, rejecting }))
        bus.subscribe("**", dispatch, { persistent: true, id, retry: { maxAttempts: 1 } })
      await bus.publish(numbered(1))
      await bus.drain()
      expect([bus.deadLetters("throwing").length, bus.deadLetters("rejecting").length]).toEqual([1, 1])
    }
  })

  test("one that never settles and never answers is aborted at its deadline", async () => {
    const { bus, clock } = setUp()
    const reasons: unknown[] = []
    bus.subscribe(
      "**",
      (_, { abort }) => {
        abort.addEventListener("abort", () => reasons.push(abort.reason))
        return new Promise(() => {})
      },
      { persistent: true, id: "stuck", ackDeadlineMs: 10, retry: { maxAttempts: 3 } },
    )
    await bus.publish(numbered(1))
    clock.advance(100)
    await bus.drain()
    expect(reasons).toMatchObject([{ code: "ack_timeout" }, { code: "ack_timeout" }, { code: "ack_timeout" }])
    expect(bus.deadLetters("stuck")).toMatchObject([{ attempts: 3, reason: expect.stringContaining("10 ms") }])
    expect(clock.delays).toEqual([])
  })
})

describe("in flight", () => {
  test("are no more than so many, handed over in order", async () => {
    const { bus, delivery, subscribe, news } = setUp({ maxInFlight: 2 })
    subscribe()
    await bus.publish(numbered(5))
    expect(news()).toEqual(["s0#1", "s1#1"])
    delivery(1).ack()
    expect(news()).toEqual(["s2#1"])
    delivery(0).ack()
    delivery(2).ack()
    expect(news()).toEqual(["s3#1", "s4#1"])
  })

  test("a function that acknowledges at once has them all in one publish", async () => {
    const { bus } = setUp()
    const got: unknown[] = []
    bus.subscribe("**", ({ data }, { ack }) => got.push(data) && ack(), {
      persistent: true,
      maxInFlight: 1,
    })
    expect(await bus.publish(numbered(3))).toMatchObject([{ delivered: 1 }, { delivered: 1 }, { delivered: 1 }])
    expect(got).toEqual([0, 1, 2])
  })
})

describe("dead letters", () => {
  test("are handed over again on demand, with all their tries, oldest first", async () => {
    const { bus, delivery, subscribe, news } = setUp({ retry: { maxAttempts: 1 } })
    subscribe()
    await bus.publish(numbered(3))
    for (const index of [2, 0, 1]) delivery(index).nack("no")
    expect(bus.deadLetters("p").map(({ signal }) => signal.id)).toEqual(["s2", "s0", "s1"])
    news()
    expect(bus.redrive("p", ["s1", "nobody"])).toBe(1)
    expect(news()).toEqual(["s1#1"])
    expect(bus.redrive("p")).toBe(2)
    expect(news()).toEqual(["s0#1", "s2#1"])
    expect(bus.deadLetters("p")).toEqual([])
    for (const index of [3, 4, 5]) expect(delivery(index).ack()).toBe(true)
    expect(bus.subscriptions()).toMatchObject([{ pending: 0, inFlight: 0, delivered: 3, failed: 3 }])
  })

  test("are given out in log order when one has to wait for the other", async () => {
    const { bus, delivery, subscribe, news } = setUp({ retry: { maxAttempts: 1 }, maxInFlight: 1 })
    subscribe()
    await bus.publish(numbered(3))
    for (const index of [0, 1, 2]) delivery(index).nack("no")
    news()
    bus.redrive("p")
    for (const index of [3, 4, 5]) delivery(index).ack()
    expect(news()).toEqual(["s0#1", "s1#1", "s2#1"])
  })

  test("may be forgotten", async () => {
    const { bus, delivery, subscribe } = setUp({ retry: { maxAttempts: 1 } })
    subscribe()
    await bus.publish(numbered(3))
    for (const index of [0, 1, 2]) delivery(index).nack("no")
    expect([bus.discard("p", ["s1"]), bus.deadLetters("p").length]).toEqual([1, 2])
    expect([bus.discard("p"), bus.deadLetters("p").length]).toEqual([2, 0])
  })

  test("are kept up to a limit; the oldest is dropped, and reported", async () => {
    const { bus, delivery, subscribe, dropped } = setUp({ retry: { maxAttempts: 1 }, maxDeadLetters: 2 })
    subscribe()
    await bus.publish(numbered(3))
    for (const index of [0, 1, 2]) delivery(index).nack("no")
    expect(bus.deadLetters("p").map(({ signal }) => signal.id)).toEqual(["s1", "s2"])
    expect(dropped).toMatchObject([{ signal: { id: "s0" }, subscription: "p", from: "dead_letters" }])
  })

  test("a late ack does not bring one back to life", async () => {
    const { bus, clock, delivery, subscribe } = setUp({ retry: { maxAttempts: 1 }, ackDeadlineMs: 10 })
    subscribe()
    await bus.publish(numbered(1))
    clock.advance(10)
    expect([delivery(0).ack(), bus.deadLetters("p").length]).toEqual([false, 1])
  })

  test("an error is kept in short", async () => {
    const { bus, delivery, subscribe } = setUp({ retry: { maxAttempts: 1 } })
    subscribe()
    await bus.publish(numbered(2))
    delivery(0).nack(new Error("x".repeat(1_000_000)))
    const hostile = new Error("x")
    Object.defineProperty(hostile, "message", {
      get: () => {
        throw new Error("worse")
      },
    })
    delivery(1).nack(hostile)
    expect(bus.deadLetters("p").map(({ reason }) => reason.length)).toEqual([1_000, expect.any(Number)])
  })
})

describe("starting", () => {
  const days = Array.from({ length: 4 }, (_, day) =>
    createSignal({ type: "a.b", source: "/test", id: `s${day}`, time: `2026-01-0${day + 1}T00:00:00Z` }),
  )
  test.each([
    ["origin" as const, ["s0#1", "s1#1", "s2#1", "s3#1"]],
    ["current" as const, []],
    [undefined, []],
    [{ time: "2026-01-03T00:00:00Z" }, ["s2#1", "s3#1"]],
    [{ id: "s1" }, ["s1#1", "s2#1", "s3#1"]],
    [{ after: "s1" }, ["s2#1", "s3#1"]],
  ])("from %j", async (startFrom, expected) => {
    const { bus, subscribe, news } = setUp(startFrom === undefined ? {} : { startFrom })
    await bus.publish(days)
    const { ready } = subscribe()
    expect(news()).toEqual(expected)
    expect(await ready).toEqual({ truncated: false })
    await bus.publish(numbered(1, 9))
    expect(news()).toEqual(["s9#1"])
  })

  test("takes of the log what the pattern and the guard let through", async () => {
    const { bus, take, news, faults } = setUp()
    await bus.publish([...numbered(3), createSignal({ type: "b", source: "/test" })])
    bus.subscribe("a.*", take, {
      persistent: true,
      startFrom: "origin",
      when: ({ data }) => {
        if (data === 0) throw new Error("broken guard")
        return data === 2
      },
    })
    expect(news()).toEqual(["s2#1"])
    expect(faults).toMatchObject([[{ message: "broken guard" }, { kind: "guard" }]])
  })

  test("says when the log no longer has all of it", async () => {
    const { bus, subscribe, news, faults } = setUp({ startFrom: "origin" }, { log: { maxSignals: 2 } })
    await bus.publish(numbered(3))
    expect(await subscribe().ready).toEqual({ truncated: true })
    expect(news()).toEqual(["s1#1", "s2#1"])
    expect(faults).toMatchObject([[{ code: "signal_not_held" }, { kind: "log", subscription: "p" }]])
  })

  test("from a signal that is not held is an error, and no subscription", async () => {
    const { bus, subscribe } = setUp({ startFrom: { id: "nobody" } })
    expect(subscribe).toThrow(expect.objectContaining({ code: "signal_not_held" }))
    expect(bus.subscriptions()).toEqual([])
  })

  test("from within a delivery misses nothing and has nothing twice", async () => {
    const { bus, take, news } = setUp()
    bus.subscribe("**", ({ id }) => {
      if (id !== "s1") return
      bus.subscribe("**", take, { persistent: true, startFrom: "origin" })
    })
    await bus.publish(numbered(4))
    expect(news()).toEqual(["s0#1", "s1#1", "s2#1", "s3#1"])
  })

  test.each<[string, Partial<PersistentOptions>]>([
    ["maxInFlight", { maxInFlight: 0 }],
    ["ackDeadlineMs", { ackDeadlineMs: 2 ** 31 }],
    ["maxDeadLetters", { maxDeadLetters: 0 }],
    ["retry.maxAttempts", { retry: { maxAttempts: 0 } }],
    ["retry.backoff", { retry: { backoff: -1 } }],
    // What a caller without types may pass.
    ["ack", { ack: "never" as "explicit" }],
  ])("a wrong %s is refused", (path, options) => {
    const { bus, subscribe } = setUp(options)
    expect(subscribe).toThrow(expect.objectContaining({ code: "subscription_invalid", path }))
    expect(bus.subscriptions()).toEqual([])
  })
})

describe("disconnect and reconnect", () => {
  test("goes on after what was acknowledged, in log order; what was handed over comes again, first", async () => {
    const { bus, clock, delivery, subscribe, take, news } = setUp({ maxInFlight: 3, retry: { backoff: 1_000 } })
    subscribe()
    await bus.publish(numbered(6))
    delivery(1).ack()
    delivery(0).nack("wait")
    bus.disconnect("p")
    await bus.publish(numbered(1, 6))
    expect(news()).toEqual(["s0#1", "s1#1", "s2#1", "s3#1", "s4#1"])
    expect(bus.subscriptions()).toMatchObject([{ connected: false, inFlight: 0, pending: 6 }])
    clock.advance(1_000_000)
    expect(news()).toEqual([])
    bus.reconnect("p", take)
    expect(news()).toEqual(["s0#2", "s2#1", "s3#1"])
    for (const index of [5, 6, 7]) delivery(index).ack()
    expect(news()).toEqual(["s4#1", "s5#1", "s6#1"])
  })

  test("takes nothing from the tries: what was taken back did not fail", async () => {
    const { bus, subscribe, take, news } = setUp({ retry: { maxAttempts: 1 } })
    subscribe()
    await bus.publish(numbered(1))
    for (let n = 0; n < 5; n++) bus.reconnect("p", take)
    expect(news()).toEqual(Array.from({ length: 6 }, () => "s0#1"))
    expect(bus.deadLetters("p")).toEqual([])
  })

  test("the one before is aborted; its late ack counts, its nack does not", async () => {
    const { bus, delivery, subscribe, take } = setUp()
    subscribe()
    await bus.publish(numbered(2))
    const { abort } = delivery(0)
    bus.reconnect("p", take)
    expect(abort.reason).toMatchObject({ code: "subscription_ended" })
    expect([delivery(0).nack(), delivery(0).ack(), delivery(2).ack()]).toEqual([false, true, false])
  })

  test("another kind of dispatch settles in its own way", async () => {
    const { bus, subscribe } = setUp()
    subscribe()
    await bus.publish(numbered(2))
    const got: unknown[] = []
    bus.reconnect("p", [({ data }: Signal) => got.push(data)])
    expect(got).toEqual([0, 1])
    expect(bus.subscriptions()).toMatchObject([{ delivered: 2, inFlight: 0, pending: 0 }])
  })

  test("from within a delivery", async () => {
    const { bus, take, news } = setUp()
    bus.subscribe("**", () => bus.reconnect("p", take), { persistent: true, id: "p" })
    await bus.publish(numbered(2))
    expect(news()).toEqual(["s0#1", "s1#1"])
  })

  test.each(["nobody", "ephemeral"])("%s is no persistent subscription", (id) => {
    const { bus } = setUp()
    bus.subscribe("**", () => {}, { id: "ephemeral" })
    const unknown = expect.objectContaining({ code: "subscription_unknown" })
    expect(() => bus.reconnect(id, () => {})).toThrow(unknown)
    expect(() => bus.disconnect(id)).toThrow(unknown)
    expect(() => bus.redrive(id)).toThrow(unknown)
  })

  test("an id that is taken is an error that says to reconnect", () => {
    const { subscribe } = setUp()
    subscribe()
    expect(subscribe).toThrow(
      expect.objectContaining({ code: "subscription_exists", message: expect.stringContaining("reconnect") }),
    )
  })

  test("a dispatch that is wrong leaves the one before in place", async () => {
    const { bus, subscribe, news } = setUp()
    subscribe()
    expect(() => bus.reconnect("p", { to: "nowhere" })).toThrow(expect.objectContaining({ code: "dispatch_invalid" }))
    await bus.publish(numbered(1))
    expect(news()).toEqual(["s0#1"])
  })
})

describe("when it is full", () => {
  test("wait: publish waits until one is settled", async () => {
    const { bus, delivery, subscribe, news } = setUp({ maxInFlight: 1, maxPending: 2 })
    subscribe()
    const published = bus.publish(numbered(4))
    let isDone = false
    void published.then(() => (isDone = true))
    await turn()
    expect([isDone, bus.subscriptions()[0]?.pending]).toEqual([false, 2])
    delivery(0).ack()
    await published
    expect(news()).toEqual(["s0#1", "s1#1"])
  })

  test("refuse: publish rejects, also while nobody is connected", async () => {
    const { bus, subscribe } = setUp({ maxPending: 2, whenFull: "refuse" })
    subscribe()
    bus.disconnect("p")
    await bus.publish(numbered(2))
    await expect(bus.publish(numbered(1, 2))).rejects.toMatchObject({ code: "bus_full" })
    expect((await bus.snapshot()).signals).toHaveLength(2)
  })

  test("drop-oldest: the oldest that is not in flight goes, waiting for another try or not", async () => {
    const { bus, delivery, subscribe, take, dropped, news } = setUp({
      maxInFlight: 2,
      maxPending: 2,
      whenFull: "drop-oldest",
      retry: { backoff: 1_000 },
    })
    subscribe()
    await bus.publish(numbered(2))
    delivery(0).nack("wait")
    await bus.publish(numbered(3, 2))
    expect(dropped.map(({ signal }) => signal.id)).toEqual(["s0"])
    expect(news()).toEqual(["s0#1", "s1#1", "s2#1"])
    bus.reconnect("p", take)
    expect(news()).toEqual(["s1#1", "s2#1"])
    expect(bus.subscriptions()).toMatchObject([{ pending: 2, inFlight: 2, dropped: 1 }])
  })

  test("what the log held when it began does not count", async () => {
    const { bus, subscribe, delivery, news } = setUp({
      startFrom: "origin",
      maxInFlight: 1,
      maxPending: 1,
      whenFull: "refuse",
    })
    await bus.publish(numbered(5))
    subscribe()
    await bus.publish(numbered(1, 5))
    await expect(bus.publish(numbered(1, 6))).rejects.toMatchObject({ code: "bus_full" })
    for (let index = 0; index < 6; index++) delivery(index).ack()
    expect(news()).toEqual(["s0#1", "s1#1", "s2#1", "s3#1", "s4#1", "s5#1"])
    expect(await bus.publish(numbered(1, 6))).toHaveLength(1)
  })

  test("nor does it when it has to be tried again", async () => {
    const { bus, clock, subscribe, delivery } = setUp({
      startFrom: "origin",
      maxInFlight: 1,
      maxPending: 1,
      whenFull: "refuse",
      retry: { backoff: 10 },
    })
    await bus.publish(numbered(3))
    subscribe()
    for (const index of [0, 1, 2]) delivery(index).nack("wait")
    clock.advance(10)
    await bus.publish(numbered(1, 3))
    await expect(bus.publish(numbered(1, 4))).rejects.toMatchObject({ code: "bus_full" })
    for (const index of [3, 4, 5]) delivery(index).ack()
    await expect(bus.publish(numbered(2, 4))).rejects.toMatchObject({ code: "bus_full", path: "signals[1]" })
  })
})

describe("middleware", () => {
  test("sees each try and each redrive, with what became of it", async () => {
    const log: unknown[] = []
    const middleware: Middleware = {
      beforeDispatch: ({ id }, { path, attempt }) => void log.push(`> ${path} ${id}#${attempt}`),
      afterDispatch: ({ id }, outcome, { path, attempt }) => {
        const final = "final" in outcome ? ` final ${outcome.final}` : ""
        log.push(`< ${path} ${id}#${attempt} ${outcome.kind}${final} ${outcome.durationMs}`)
      },
    }
    const { bus, clock, delivery, subscribe } = setUp(
      { retry: { maxAttempts: 2, backoff: 10 }, ackDeadlineMs: 100 },
      { middleware: [middleware] },
    )
    subscribe()
    await bus.publish(numbered(1))
    delivery(0).nack("no")
    clock.advance(110)
    bus.redrive("p")
    clock.advance(5)
    delivery(2).ack()
    expect(log).toEqual([
      "> persistent s0#1",
      "< persistent s0#1 failed final false 0",
      "> persistent s0#2",
      "< persistent s0#2 failed final true 100",
      "> redrive s0#1",
      "< redrive s0#1 delivered 5",
    ])
  })

  test("may change what the subscriber sees, which is acknowledged all the same", async () => {
    const { bus } = setUp({}, { middleware: [{ beforeDispatch: (given) => ({ ...given, data: "changed" }) }] })
    const got: unknown[] = []
    bus.subscribe("**", ({ data }, { ack }) => got.push(data, ack()), { persistent: true })
    await bus.publish(numbered(1))
    expect(got).toEqual(["changed", true])
  })

  test("skip counts as settled, halt as a failed try", async () => {
    const outcomes: unknown[] = []
    const { bus, clock, subscribe, news } = setUp(
      { retry: { maxAttempts: 2, backoff: 10 } },
      {
        middleware: [
          { afterDispatch: ({ id }, { kind }) => outcomes.push([id, kind]) },
          { beforeDispatch: ({ id }) => (id === "s0" ? skip() : id === "s1" ? halt("not allowed") : undefined) },
        ],
      },
    )
    subscribe()
    expect(await bus.publish(numbered(3))).toMatchObject([{ skipped: 1 }, { queued: 1 }, { queued: 1 }])
    clock.advance(10)
    expect(news()).toEqual(["s2#1"])
    expect(bus.deadLetters("p")).toMatchObject([{ signal: { id: "s1" }, attempts: 2, reason: "not allowed" }])
    expect(outcomes).toEqual([
      ["s0", "skipped"],
      ["s1", "halted"],
      ["s1", "halted"],
    ])
  })

  test("a deadline that passes while it is at it: the signal is not handed over late", async () => {
    let open = () => {}
    const outcomes: unknown[] = []
    const { bus, clock, subscribe, news } = setUp(
      { ackDeadlineMs: 100 },
      {
        middleware: [
          {
            beforeDispatch: ({ id }, { attempt }) =>
              id === "s0" && attempt === 1
                ? new Promise<undefined>((resolve) => (open = () => resolve(undefined)))
                : undefined,
            afterDispatch: (_, { kind }, { attempt }) => outcomes.push(`${attempt} ${kind}`),
          },
        ],
      },
    )
    subscribe()
    await bus.publish(numbered(2))
    clock.advance(100)
    expect([news(), outcomes]).toEqual([[], []])
    open()
    await turn()
    expect([news(), outcomes]).toEqual([["s0#2", "s1#1"], ["1 failed"]])
  })

  test("hooks that use the bus confuse nothing", async () => {
    const { bus, clock, subscribe, take, news } = setUp(
      { ackDeadlineMs: 100, retry: { maxAttempts: 2 } },
      {
        middleware: [
          {
            afterDispatch: ({ id }, { kind }) => {
              bus.ack("p", id)
              if (kind === "failed") bus.reconnect("p", take)
            },
          },
        ],
      },
    )
    subscribe()
    await bus.publish(numbered(2))
    clock.advance(1_000)
    expect(news()).toEqual(["s0#1", "s1#1"])
    expect(bus.subscriptions()).toMatchObject([{ delivered: 2, failed: 0, inFlight: 0, pending: 0 }])
  })
})

describe("unsubscribe and close", () => {
  test("from within a delivery: what is left is gone, and a late answer changes nothing", async () => {
    const { bus, clock } = setUp()
    const answers: unknown[] = []
    bus.subscribe(
      "**",
      (_, { ack, nack }) => {
        bus.unsubscribe("p")
        answers.push(ack(), nack())
      },
      { persistent: true, id: "p" },
    )
    await bus.publish(numbered(3))
    expect([answers, bus.subscriptions(), clock.delays]).toEqual([[false, false], [], []])
  })

  test("a closed bus hands over no more, and lets what it has handed over be settled", async () => {
    const { bus, clock } = setUp()
    const got: unknown[] = []
    bus.subscribe(
      "**",
      async ({ data }, { ack }) => {
        await turn()
        got.push(data, ack())
      },
      { persistent: true, maxInFlight: 1 },
    )
    await bus.publish(numbered(3))
    await bus.close()
    expect([got, clock.delays]).toEqual([[0, true], []])
    expect(() => bus.reconnect("p", () => {})).toThrow(expect.objectContaining({ code: "bus_closed" }))
  })
})
