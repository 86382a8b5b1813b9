import { describe, expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { createBus } from "./bus-in-process.ts"
import type { BusOptions } from "./bus-options.ts"
import { createSignal, type Signal } from "../signal.ts"
import type { FaultPlace, SubscribeOptions } from "./subscription.ts"

function signal(type: string, data: unknown = null): Signal {
  return createSignal({ type, source: "/test", data })
}

function numbered(count: number, type = "a.b"): readonly Signal[] {
  return Array.from({ length: count }, (_, n) => signal(type, n))
}

/** A bus that keeps what it reports. */
function setUp(options: BusOptions = {}) {
  const faults: [unknown, FaultPlace][] = []
  const clock = new ManualClock()
  const bus = createBus({ clock, onError: (error, place) => faults.push([error, place]), ...options })
  return { bus, clock, faults }
}

/** Lets everything happen that waits for nothing but promises. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A promise to settle by hand. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

describe("publish and subscribe", () => {
  test("each subscriber whose pattern fits gets the signal, before publish returns when it is a function", () => {
    const { bus } = setUp()
    const got: string[] = []
    bus.subscribe("order.*", () => got.push("order.*"))
    bus.subscribe("order.created", () => got.push("order.created"))
    bus.subscribe("**", () => got.push("**"))
    bus.subscribe("invoice.*", () => got.push("invoice.*"))
    void bus.publish(signal("order.created"))
    expect(got).toEqual(["order.created", "order.*", "**"])
  })

  test("priority goes first, and a guard decides for each signal", async () => {
    const { bus } = setUp()
    const got: string[] = []
    bus.subscribe("a.b", () => got.push("usual"))
    bus.subscribe("**", () => got.push("first"), { priority: 10 })
    bus.subscribe("a.b", () => got.push("guarded"), { when: ({ data }) => data === 1 })
    await bus.publish(signal("a.b", 1))
    await bus.publish(signal("a.b", 2))
    expect(got).toEqual(["first", "usual", "guarded", "first", "usual"])
  })

  test("the result says what became of the signal", async () => {
    const { bus } = setUp()
    bus.subscribe("a.b", () => {})
    bus.subscribe("a.b", async () => {})
    bus.subscribe("a.b", () => {
      throw new Error("no")
    })
    const given = signal("a.b")
    expect(await bus.publish(given)).toEqual({
      kind: "published",
      signal: given,
      sequence: 0,
      matched: 3,
      delivered: 1,
      queued: 1,
      failed: 1,
      skipped: 0,
    })
    expect(await bus.publish(signal("nobody.listens"))).toMatchObject({ sequence: 1, matched: 0 })
  })

  test("several signals are published in order, with a result for each", async () => {
    const { bus } = setUp()
    const got: unknown[] = []
    bus.subscribe("**", ({ data }) => got.push(data))
    const results = await bus.publish(numbered(3))
    expect(results.map((result) => result.kind === "published" && result.sequence)).toEqual([0, 1, 2])
    expect(got).toEqual([0, 1, 2])
    expect(await bus.publish([])).toEqual([])
  })

  test("a signal that is not frozen is checked and copied; a frozen one goes through as it is", async () => {
    const { bus } = setUp()
    const got: Signal[] = []
    bus.subscribe("**", (given) => got.push(given))
    const loose = { ...signal("a.b"), data: { tags: ["a"] } }
    await bus.publish(loose)
    loose.data.tags.push("later")
    expect(got[0]?.data).toEqual({ tags: ["a"] })
    expect(Object.isFrozen(got[0])).toBe(true)
    const frozen = signal("a.b")
    await bus.publish(frozen)
    expect(got[1]).toBe(frozen)
  })

  test("what is no signal is refused, and with it the others of the call", async () => {
    const { bus } = setUp()
    const got: unknown[] = []
    bus.subscribe("**", () => got.push(1))
    const broken = { ...signal("a.b"), type: "a..b" }
    await expect(bus.publish(broken)).rejects.toMatchObject({ code: "signal_invalid" })
    await expect(bus.publish([signal("a.b"), broken])).rejects.toMatchObject({ code: "signal_invalid" })
    // What a caller without types may pass.
    await expect(bus.publish(Object.freeze({ type: "a.b" }) as unknown as Signal)).rejects.toMatchObject({
      code: "signal_invalid",
    })
    await expect(bus.publish(null as unknown as Signal)).rejects.toMatchObject({ code: "signal_invalid" })
    expect(got).toEqual([])
  })

  test("unsubscribe ends it, once", async () => {
    const { bus } = setUp()
    const got: unknown[] = []
    const { id } = bus.subscribe("**", () => got.push(1))
    expect(bus.unsubscribe(id)).toBe(true)
    expect(bus.unsubscribe(id)).toBe(false)
    await bus.publish(signal("a.b"))
    expect(got).toEqual([])
  })

  test("adapters and lists take signals too", async () => {
    const { bus } = setUp()
    const got: string[] = []
    bus.subscribe("**", [() => got.push("one"), [() => got.push("two")]])
    expect(await bus.publish(signal("a.b"))).toMatchObject({ delivered: 1 })
    expect(got).toEqual(["one", "two"])
  })

  test.each([
    ["a pattern", "a..b", {}, "pattern_invalid"],
    ["a priority", "a", { priority: 101 }, "route_invalid"],
    ["a queue", "a", { maxPending: 0 }, "subscription_invalid"],
    ["a policy", "a", { whenFull: "drop" }, "subscription_invalid"],
    ["a time", "a", { timeoutMs: Number.NaN }, "subscription_invalid"],
    ["an id", "a", { id: "" }, "subscription_invalid"],
    ["a taken id", "a", { id: "taken" }, "subscription_exists"],
  ])("%s that is wrong is refused, and nothing stays behind", (_, pattern, options, code) => {
    const { bus } = setUp()
    bus.subscribe("x", () => {}, { id: "taken" })
    // What a caller without types may pass.
    expect(() => bus.subscribe(pattern, () => {}, options as SubscribeOptions)).toThrow(
      expect.objectContaining({ code }),
    )
    expect(() => bus.subscribe("a", { to: "nowhere" })).toThrow(expect.objectContaining({ code: "dispatch_invalid" }))
    expect(bus.subscriptions().map(({ id }) => id)).toEqual(["taken"])
  })
})

describe("order", () => {
  test("an async subscriber gets one signal after the other, as they were published", async () => {
    const { bus } = setUp()
    const log: string[] = []
    bus.subscribe("**", async ({ data }) => {
      log.push(`begin ${data as number}`)
      await Promise.resolve()
      log.push(`end ${data as number}`)
    })
    await bus.publish(numbered(3))
    await bus.drain()
    expect(log).toEqual(["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"])
  })

  test("with maxInFlight it has several at once, begun in order", async () => {
    const { bus } = setUp()
    const gates = numbered(5).map(gate)
    const begun: unknown[] = []
    bus.subscribe(
      "**",
      ({ data }) => {
        begun.push(data)
        return gates[Number(data)]?.opened
      },
      { maxInFlight: 2 },
    )
    await bus.publish(numbered(5))
    expect(begun).toEqual([0, 1])
    gates[1]?.open()
    await turn()
    expect(begun).toEqual([0, 1, 2])
    for (const each of gates) each.open()
    await bus.drain()
    expect(begun).toEqual([0, 1, 2, 3, 4])
  })

  test("calls of publish that are not awaited keep their order", async () => {
    const { bus } = setUp({ middleware: [{ beforePublish: () => Promise.resolve() }] })
    const got: unknown[] = []
    bus.subscribe("**", ({ data }) => got.push(data))
    await Promise.all(numbered(20).map((each) => bus.publish(each)))
    expect(got).toEqual(Array.from({ length: 20 }, (_, n) => n))
  })

  test("a signal published from within a subscriber comes behind the one it has, for everybody", async () => {
    const { bus } = setUp()
    const got: string[] = []
    bus.subscribe("**", ({ type }) => {
      got.push(`first ${type}`)
      if (type === "a") void bus.publish(signal("b"))
    })
    bus.subscribe("**", ({ type }) => got.push(`second ${type}`))
    await bus.publish([signal("a"), signal("c")])
    await bus.drain()
    expect(got).toEqual(["first a", "second a", "first c", "second c", "first b", "second b"])
    expect((await bus.snapshot()).signals.map(({ type }) => type)).toEqual(["a", "c", "b"])
  })

  test("a subscriber that publishes while its queue is worked off is not entered twice", async () => {
    const { bus } = setUp()
    const log: string[] = []
    bus.subscribe("**", async ({ type }) => {
      log.push(`begin ${type}`)
      if (type === "b") void bus.publish(signal("c"))
      await Promise.resolve()
      log.push(`end ${type}`)
    })
    await bus.publish([signal("a"), signal("b")])
    await bus.drain()
    expect(log).toEqual(["begin a", "end a", "begin b", "end b", "begin c", "end c"])
  })

  test("a handler may await its own publish", async () => {
    const { bus } = setUp()
    const got: string[] = []
    bus.subscribe("a", async () => {
      await bus.publish(signal("b"))
      got.push("after b")
    })
    bus.subscribe("b", () => got.push("b"))
    await bus.publish(signal("a"))
    await bus.drain()
    expect(got).toEqual(["b", "after b"])
  })
})

describe("hostile subscribers", () => {
  test("one that throws harms nobody else, whatever it throws", async () => {
    const { bus, faults } = setUp()
    const thrown = [new Error("no"), null, undefined, "text", Object.create(null)]
    const got: unknown[] = []
    for (const each of thrown) {
      bus.subscribe("**", () => {
        throw each
      })
      bus.subscribe("**", () => Promise.reject(each))
    }
    bus.subscribe("**", () => got.push(1))
    expect(await bus.publish(signal("a"))).toMatchObject({ delivered: 1, failed: thrown.length, queued: thrown.length })
    await bus.drain()
    expect(got).toEqual([1])
    expect(faults).toHaveLength(2 * thrown.length)
    expect(faults[0]).toMatchObject([{ message: "no" }, { kind: "subscriber", signal: { type: "a" } }])
  })

  test("one that never settles is aborted when its time is over, and has the next signal then", async () => {
    const { bus, clock, faults } = setUp()
    const got: unknown[] = []
    const reasons: unknown[] = []
    bus.subscribe(
      "**",
      ({ data }, { abort }) => {
        got.push(data)
        abort.addEventListener("abort", () => reasons.push(abort.reason))
        return new Promise(() => {})
      },
      { timeoutMs: 100 },
    )
    await bus.publish(numbered(2))
    clock.advance(100)
    await turn()
    expect(got).toEqual([0, 1])
    expect(reasons).toMatchObject([{ code: "dispatch_failed" }])
    expect(faults).toMatchObject([[{ code: "dispatch_failed" }, { kind: "subscriber" }]])
  })

  test("one that unsubscribes itself or another while a signal is being delivered", async () => {
    const { bus } = setUp()
    const got: string[] = []
    const own = bus.subscribe("**", () => {
      got.push("own")
      bus.unsubscribe(own.id)
      bus.unsubscribe(other.id)
    })
    const other = bus.subscribe("**", () => got.push("other"))
    bus.subscribe("**", () => got.push("last"))
    expect(await bus.publish(signal("a"))).toMatchObject({ matched: 3, delivered: 2, skipped: 1 })
    await bus.publish(signal("b"))
    expect(got).toEqual(["own", "last", "last"])
  })

  test("one that unsubscribes while it is at work is aborted, and what waited is gone", async () => {
    const { bus, faults } = setUp()
    const got: unknown[] = []
    let isAborted = false
    const { id } = bus.subscribe("**", async ({ data }, { abort }) => {
      got.push(data)
      await Promise.resolve()
      bus.unsubscribe(id)
      isAborted = abort.aborted
    })
    await bus.publish(numbered(3))
    await bus.drain()
    expect([got, isAborted, faults]).toEqual([[0], true, []])
  })

  test("one that subscribes others has them from the next signal on", async () => {
    const { bus } = setUp()
    const got: string[] = []
    bus.subscribe("**", ({ type }) => {
      if (type === "a") bus.subscribe("**", (later) => got.push(later.type))
    })
    await bus.publish([signal("a"), signal("b")])
    expect(got).toEqual(["b"])
  })

  test("one that publishes without end lets others have their turn", async () => {
    const { bus, clock } = setUp()
    let count = 0
    bus.subscribe("**", () => {
      if (++count < 10_000) void bus.publish(signal("a"))
    })
    await bus.publish(signal("a"))
    expect(count).toBeLessThan(2_000)
    while (clock.delays.includes(0)) clock.advance(0)
    await bus.drain()
    expect(count).toBe(10_000)
  })

  test("a guard that throws counts as no, and is reported; one that subscribes is refused", async () => {
    const { bus, faults } = setUp()
    const got: unknown[] = []
    bus.subscribe("a", () => got.push(1), {
      when: () => {
        throw new Error("broken guard")
      },
    })
    bus.subscribe("b", () => got.push(2), { when: () => Boolean(bus.subscribe("x", () => {})) })
    await bus.publish([signal("a"), signal("b")])
    expect(got).toEqual([])
    expect(faults).toMatchObject([
      [{ message: "broken guard" }, { kind: "guard", signal: { type: "a" } }],
      [{ code: "subscription_invalid" }, { kind: "guard" }],
    ])
    expect(bus.subscriptions()).toHaveLength(2)
  })

  test("an onError that throws disturbs nothing", async () => {
    const bus = createBus({
      onError: () => {
        throw new Error("worse")
      },
    })
    const got: unknown[] = []
    bus.subscribe("**", () => {
      throw new Error("no")
    })
    bus.subscribe("**", () => got.push(1))
    expect(await bus.publish(signal("a"))).toMatchObject({ delivered: 1, failed: 1 })
    expect(got).toEqual([1])
  })
})

describe("close", () => {
  test("refuses to publish and subscribe, and may be called twice", async () => {
    const { bus } = setUp()
    await Promise.all([bus.close(), bus.close()])
    await expect(bus.publish(signal("a"))).rejects.toMatchObject({ code: "bus_closed" })
    expect(() => bus.subscribe("**", () => {})).toThrow(expect.objectContaining({ code: "bus_closed" }))
  })

  test("lets what is under way finish", async () => {
    const { bus, clock } = setUp()
    const got: unknown[] = []
    bus.subscribe("**", async ({ data }) => {
      await Promise.resolve()
      got.push(data)
    })
    await bus.publish(numbered(3))
    await bus.close()
    expect(got).toEqual([0, 1, 2])
    expect(clock.delays).toEqual([])
  })

  test("waits no longer than it may: then it aborts, and reports what was left", async () => {
    const dropped: unknown[] = []
    const { bus, clock } = setUp({ closeTimeoutMs: 50, onDrop: ({ signal: { data } }) => dropped.push(data) })
    let isAborted = false
    bus.subscribe("**", (_signal, { abort }) => {
      abort.addEventListener("abort", () => (isAborted = true))
      return new Promise(() => {})
    })
    await bus.publish(numbered(3))
    const closed = bus.close()
    clock.advance(50)
    await closed
    expect([dropped, isAborted]).toEqual([[1, 2], true])
    expect(clock.delays).toEqual([])
  })
})

test("subscriptions are listed with how they stand", async () => {
  const { bus } = setUp()
  const { opened, open } = gate()
  bus.subscribe("a", () => opened, { id: "slow" })
  bus.subscribe("b", () => Promise.reject(new Error("no")), { id: "broken" })
  await bus.publish([signal("a"), signal("a"), signal("a"), signal("b")])
  const zero = { deadLetters: 0, skipped: 0, dropped: 0 }
  expect(bus.subscriptions()[0]).toEqual({
    id: "slow",
    pattern: "a",
    persistent: false,
    connected: true,
    pending: 2,
    inFlight: 1,
    delivered: 0,
    failed: 0,
    ...zero,
  })
  open()
  await bus.drain()
  expect(bus.subscriptions()).toMatchObject([
    { pending: 0, inFlight: 0, delivered: 3, failed: 0, ...zero },
    { pending: 0, inFlight: 0, delivered: 0, failed: 1, ...zero },
  ])
})

test.each([{ maxWaiting: 0 }, { waitTimeoutMs: 1.5 }, { log: { maxSignals: -1 } }, { middlewareTimeoutMs: 0 }])(
  "the option %j is refused",
  (options) => {
    expect(() => createBus(options)).toThrow(expect.objectContaining({ code: "config_invalid" }))
  },
)
