import { describe, expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { createBus } from "../bus/bus-in-process.ts"
import type { BusOptions } from "../bus/bus-options.ts"
import { halt, type Middleware, skip } from "./middleware.ts"
import { createSignal, type Signal } from "../signal.ts"
import type { FaultPlace } from "../bus/subscription.ts"

function signal(type: string, data: unknown = null): Signal {
  return createSignal({ type, source: "/test", data })
}

/** Lets everything happen that waits for nothing but promises. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

function setUp(middleware: readonly Middleware[], options: BusOptions = {}) {
  const faults: [unknown, FaultPlace][] = []
  const clock = new ManualClock()
  const bus = createBus({ clock, middleware, onError: (error, place) => faults.push([error, place]), ...options })
  return { bus, clock, faults }
}

/** Middleware that notes each of its hooks. */
function noting(name: string, log: string[], more: Middleware = {}): Middleware {
  return {
    name,
    beforePublish: ({ type }) => void log.push(`${name} > publish ${type}`),
    afterPublish: ({ type }, { kind }) => log.push(`${name} < publish ${type} ${kind}`),
    beforeDispatch: ({ type }, { subscription }) => void log.push(`${name} > dispatch ${type} ${subscription}`),
    afterDispatch: ({ type }, { kind }, { subscription }) =>
      log.push(`${name} < dispatch ${type} ${subscription} ${kind}`),
    ...more,
  }
}

test("before hooks run first to last, after hooks last to first, around publish and each dispatch", async () => {
  const log: string[] = []
  const { bus } = setUp([noting("outer", log), noting("inner", log)])
  bus.subscribe("a", () => log.push("handler"), { id: "s" })
  await bus.publish(signal("a"))
  expect(log).toEqual([
    "outer > publish a",
    "inner > publish a",
    "outer > dispatch a s",
    "inner > dispatch a s",
    "handler",
    "inner < dispatch a s delivered",
    "outer < dispatch a s delivered",
    "inner < publish a published",
    "outer < publish a published",
  ])
})

test("synchronous middleware leaves synchronous delivery synchronous", () => {
  const got: unknown[] = []
  const { bus } = setUp([noting("m", [])])
  bus.subscribe("a", () => got.push(1))
  void bus.publish(signal("a"))
  expect(got).toEqual([1])
})

describe("beforePublish", () => {
  test("may go on with another signal: it is logged, routed and delivered in place of the first", async () => {
    const { bus } = setUp([{ beforePublish: (given) => ({ ...given, type: "b", data: { more: true } }) }])
    const got: Signal[] = []
    bus.subscribe("b", (each) => got.push(each))
    const given = signal("a")
    const result = await bus.publish(given)
    expect(got).toEqual([{ ...given, type: "b", data: { more: true } }])
    expect(Object.isFrozen(got[0])).toBe(true)
    expect(result.signal).toBe(got[0])
    expect((await bus.snapshot()).signals).toEqual(got)
  })

  const now = ({ type }: Signal) => (type === "debug" ? skip("no debug") : undefined)
  const later = (given: Signal) => Promise.resolve(now(given))
  test.each([
    ["at once", now],
    ["later", later],
  ])("may leave a signal out, alone among others, %s", async (_, beforePublish) => {
    const log: string[] = []
    const deciding = { beforePublish, afterPublish: ({ type }: Signal) => log.push(`decider < ${type}`) }
    const { bus } = setUp([noting("outer", log), deciding, noting("inner", log)])
    const got: string[] = []
    bus.subscribe("**", ({ type }) => got.push(type))
    const results = await bus.publish([signal("a"), signal("debug"), signal("b")])
    expect(results.map(({ kind }) => kind)).toEqual(["published", "skipped", "published"])
    expect(results[1]).toMatchObject({ reason: "no debug", signal: { type: "debug" } })
    expect(got).toEqual(["a", "b"])
    expect(log.filter((line) => line.includes("debug"))).toEqual([
      "outer > publish debug",
      "outer < publish debug skipped",
    ])
  })

  test.each([
    ["a text", halt("closed"), { code: "signal_halted", message: "closed" }],
    ["an error", halt(new RangeError("too much")), { name: "RangeError", message: "too much" }],
    ["nothing in particular", halt(null), { code: "signal_halted" }],
  ])("may refuse with %s: nothing of the call is published", async (_, verdict, error) => {
    const log: string[] = []
    const { bus } = setUp([
      noting("outer", log),
      { beforePublish: ({ type }) => (type === "bad" ? verdict : undefined) },
      noting("inner", log),
    ])
    const got: unknown[] = []
    bus.subscribe("**", () => got.push(1))
    await expect(bus.publish([signal("a"), signal("bad"), signal("b")])).rejects.toMatchObject(error)
    expect(got).toEqual([])
    expect((await bus.snapshot()).signals).toEqual([])
    expect(log).toEqual([
      "outer > publish a",
      "inner > publish a",
      "outer > publish bad",
      "inner < publish a halted",
      "outer < publish a halted",
      "outer < publish bad halted",
    ])
  })

  test("one that throws, at once or later, refuses with its error", async () => {
    const error = new Error("broken")
    const throws = () => {
      throw error
    }
    for (const beforePublish of [throws, () => Promise.reject(error)])
      await expect(setUp([{ beforePublish }]).bus.publish(signal("a"))).rejects.toBe(error)
  })

  test.each([true, false, null, 7, "skip", {}, { kind: "maybe" }, { specversion: "1.0" }])(
    "the answer %j is none, and refuses",
    async (answer) => {
      // What a hook without types may answer.
      const { bus } = setUp([{ name: "odd", beforePublish: () => answer as unknown as undefined }])
      await expect(bus.publish(signal("a"))).rejects.toMatchObject({
        code: "middleware_invalid",
        message: expect.stringContaining("odd"),
      })
    },
  )

  test("a signal with another id refuses", async () => {
    const { bus } = setUp([{ beforePublish: () => signal("a") }])
    await expect(bus.publish(signal("a"))).rejects.toMatchObject({ code: "middleware_invalid" })
  })

  test("one that never answers is given up, and the publishes behind it go on", async () => {
    const { bus, clock } = setUp(
      [{ name: "stuck", beforePublish: ({ type }) => (type === "a" ? new Promise<undefined>(() => {}) : undefined) }],
      { middlewareTimeoutMs: 100 },
    )
    const settled = Promise.allSettled([bus.publish(signal("a")), bus.publish(signal("b"))])
    clock.advance(100)
    expect(await settled).toMatchObject([
      { reason: { code: "middleware_timeout", message: expect.stringContaining("stuck") } },
      { value: { kind: "published" } },
    ])
  })

  test("knows who publishes", async () => {
    const principals: unknown[] = []
    const { bus } = setUp([{ beforePublish: (_, { principal }) => void principals.push(principal) }])
    await bus.publish(signal("a"), { principal: "alice" })
    await bus.publish([signal("a")])
    expect(principals).toEqual(["alice", undefined])
  })
})

describe("afterPublish", () => {
  test("sees the counts and the time it took", async () => {
    const outcomes: unknown[] = []
    const { bus, clock } = setUp([{ afterPublish: (_, outcome) => outcomes.push(outcome) }])
    bus.subscribe("**", () => clock.advance(7))
    bus.subscribe("**", () => Promise.reject(new Error("no")))
    await bus.publish(signal("a"))
    const counts = { matched: 2, delivered: 1, queued: 1, failed: 0, skipped: 0 }
    expect(outcomes).toEqual([{ kind: "published", ...counts, durationMs: 7 }])
  })

  test("publish resolves after it, and one that publishes itself is no deadlock", async () => {
    const got: string[] = []
    const { bus } = setUp([
      {
        afterPublish: async ({ type }) => {
          if (type !== "audit") await bus.publish(signal("audit"))
          got.push(`after ${type}`)
        },
      },
    ])
    bus.subscribe("**", ({ type }) => got.push(type))
    await bus.publish(signal("a"))
    expect(got).toEqual(["a", "audit", "after audit", "after a"])
  })

  test("one that throws, or takes for ever, is reported and changes nothing", async () => {
    const { bus, clock, faults } = setUp([
      { name: "fine", afterPublish: () => {} },
      { name: "late", afterPublish: () => new Promise(() => {}) },
      { name: "later", afterPublish: () => Promise.reject(new Error("later")) },
      {
        name: "now",
        afterPublish: () => {
          throw new Error("now")
        },
      },
    ])
    const published = bus.publish(signal("a"))
    await turn()
    clock.advance(5_000)
    expect(await published).toMatchObject({ kind: "published" })
    expect(faults).toMatchObject([
      [{ message: "now" }, { kind: "middleware", middleware: "now" }],
      [{ message: "later" }, { middleware: "later" }],
      [{ code: "middleware_timeout" }, { middleware: "late" }],
    ])
  })
})

describe("beforeDispatch", () => {
  test("may change the signal for one subscriber alone", async () => {
    const { bus } = setUp([
      { beforeDispatch: (given, { subscription }) => (subscription === "s" ? { ...given, data: "for s" } : undefined) },
    ])
    const got: unknown[] = []
    bus.subscribe("a", ({ data }) => got.push(data), { id: "s" })
    bus.subscribe("a", ({ data }) => got.push(data), { id: "t" })
    await bus.publish(signal("a", "for all"))
    expect(got).toEqual(["for s", "for all"])
    expect((await bus.snapshot()).signals).toMatchObject([{ data: "for all" }])
  })

  test("may pass a subscriber by", async () => {
    const log: string[] = []
    const { bus } = setUp([
      noting("outer", log),
      { beforeDispatch: (_, { subscription }) => (subscription === "s" ? skip("not for s") : undefined) },
    ])
    bus.subscribe("a", () => log.push("s"), { id: "s" })
    bus.subscribe("a", () => log.push("t"), { id: "t" })
    expect(await bus.publish(signal("a"))).toMatchObject({ delivered: 1, skipped: 1 })
    expect(log).toContain("outer < dispatch a s skipped")
    expect(log).toContain("t")
    expect(log).not.toContain("s")
  })

  test("may keep a signal from all who do not have it yet", async () => {
    const log: string[] = []
    const { bus, faults } = setUp([
      noting("outer", log),
      { beforeDispatch: (_, { subscription }) => (subscription === "second" ? halt("leaks") : undefined) },
    ])
    const got: string[] = []
    for (const id of ["first", "second", "third"]) bus.subscribe("a", () => got.push(id), { id })
    bus.subscribe("a", (_, { ack }) => (got.push("persistent"), ack()), { id: "p", persistent: true, priority: -1 })
    expect(await bus.publish(signal("a"))).toMatchObject({ matched: 4, delivered: 2, failed: 1, skipped: 1 })
    expect(got).toEqual(["first", "persistent"])
    expect(log).toContain("outer < dispatch a second halted")
    expect(log.filter((line) => line.includes("third"))).toEqual([])
    expect(faults).toMatchObject([[{ message: "leaks" }, { kind: "middleware", subscription: "second" }]])
    expect(await bus.publish(signal("b"))).toMatchObject({ kind: "published" })
  })

  test("a signal that waits in a queue is kept back too", async () => {
    let isHalted = false
    const { bus } = setUp([
      { beforeDispatch: (_, { subscription }) => (isHalted && subscription === "quick" ? halt("no") : undefined) },
    ])
    const got: unknown[] = []
    let open = () => {}
    bus.subscribe(
      "**",
      ({ data }) => {
        got.push(data)
        return new Promise<void>((resolve) => (open = resolve))
      },
      { id: "slow" },
    )
    bus.subscribe("**", () => {}, { id: "quick" })
    await bus.publish(signal("a", 1))
    isHalted = true
    await bus.publish(signal("a", 2))
    open()
    await turn()
    expect(got).toEqual([1])
  })

  test("one that is async keeps the order, also with several at once", async () => {
    const waits = [3, 0, 1]
    const { bus } = setUp([
      {
        beforeDispatch: async ({ data }) => {
          for (let n = 0; n < (waits[Number(data)] ?? 0); n++) await turn()
        },
      },
    ])
    const got: unknown[] = []
    bus.subscribe("**", ({ data }) => got.push(data), { maxInFlight: 3 })
    bus.subscribe("**", ({ data }, { ack }) => (got.push(`p${data as number}`), ack()), { persistent: true })
    await bus.publish([0, 1, 2].map((n) => signal("a", n)))
    await bus.drain()
    expect(got.filter((each) => typeof each === "number")).toEqual([0, 1, 2])
    expect(got.filter((each) => typeof each === "string")).toEqual(["p0", "p1", "p2"])
  })

  test("knows the subscription, its pattern and who receives", async () => {
    const contexts: unknown[] = []
    const { bus } = setUp([{ beforeDispatch: (_, context) => void contexts.push(context) }])
    bus.subscribe("a.*", () => {}, { id: "s", principal: "alice" })
    await bus.publish(signal("a.b"))
    expect(contexts).toEqual([{ path: "publish", subscription: "s", pattern: "a.*", principal: "alice", attempt: 1 }])
  })

  test("a subscription that ended while its signal was with the hooks gets nothing", async () => {
    const outcomes: unknown[] = []
    const { bus } = setUp([{ beforeDispatch: () => turn(), afterDispatch: (_, { kind }) => outcomes.push(kind) }])
    const got: unknown[] = []
    const { id } = bus.subscribe("**", () => got.push(1))
    await bus.publish(signal("a"))
    bus.unsubscribe(id)
    await bus.drain()
    expect([got, outcomes]).toEqual([[], ["skipped"]])
  })
})

describe("afterDispatch", () => {
  test("sees what became of it, and how long it took", async () => {
    const outcomes: unknown[] = []
    const { bus, clock } = setUp([
      { afterDispatch: (_, outcome, { subscription }) => outcomes.push([subscription, outcome]) },
    ])
    const error = new Error("no")
    bus.subscribe("a", () => clock.advance(3), { id: "good" })
    bus.subscribe("a", () => Promise.reject(error), { id: "bad" })
    await bus.publish(signal("a"))
    await bus.drain()
    expect(outcomes).toEqual([
      ["good", { kind: "delivered", durationMs: 3 }],
      ["bad", { kind: "failed", error, final: true, durationMs: 0 }],
    ])
  })

  test("one that throws is reported, and the next signal comes", async () => {
    const { bus, faults } = setUp([
      {
        afterDispatch: () => {
          throw new Error("broken")
        },
      },
    ])
    const got: unknown[] = []
    bus.subscribe("**", () => got.push(1))
    await bus.publish([signal("a"), signal("b")])
    expect(got).toHaveLength(2)
    expect(faults).toMatchObject([
      [{ message: "broken" }, { kind: "middleware", middleware: "middleware 1" }],
      [{}, {}],
    ])
  })
})

test("hooks keep their this", async () => {
  class Counting implements Middleware {
    count = 0
    beforePublish(): undefined {
      this.count++
    }
  }
  const counting = new Counting()
  await setUp([counting]).bus.publish(signal("a"))
  expect(counting.count).toBe(1)
})
