import { describe, expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { createBus } from "./bus-in-process.ts"
import type { StartFrom } from "./bus-log.ts"
import { halt, type Middleware, skip } from "../middleware/middleware.ts"
import { createSignal, type Signal } from "../signal.ts"

const signals = ["a.one", "b.one", "a.two", "b.two", "a.three"].map((type, day) =>
  createSignal({ type, source: "/test", id: type, time: `2026-01-0${day + 1}T00:00:00Z`, data: day }),
)

async function filled(maxSignals: number, middleware: readonly Middleware[] = []) {
  const bus = createBus({ log: { maxSignals }, middleware, clock: new ManualClock() })
  await bus.publish(signals)
  return bus
}

const typesOf = (list: readonly Signal[]) => list.map(({ type }) => type)

describe("replay", () => {
  test.each<[what: string, from: StartFrom | undefined, expected: readonly string[]]>([
    ["everything by default", undefined, ["a.one", "a.two", "a.three"]],
    ["from the origin", "origin", ["a.one", "a.two", "a.three"]],
    ["from now on, which is nothing", "current", []],
    ["from a time", { time: "2026-01-03T00:00:00Z" }, ["a.two", "a.three"]],
    ["from a signal", { id: "b.one" }, ["a.two", "a.three"]],
    ["behind a signal", { after: "a.two" }, ["a.three"]],
  ])("%s", async (_, from, expected) => {
    const bus = await filled(100)
    const replay = await bus.replay({ pattern: "a.*", ...(from !== undefined && { from }) })
    expect(typesOf(replay.signals)).toEqual(expected)
    expect(replay.truncated).toBe(false)
  })

  test("says when what was asked for is no longer held", async () => {
    const bus = await filled(3)
    expect(await bus.replay()).toMatchObject({ truncated: true, signals: signals.slice(2) })
    expect(await bus.replay({ from: { time: "2026-01-01T00:00:00Z" } })).toMatchObject({ truncated: true })
    expect(await bus.replay({ from: { time: "2026-01-03T00:00:00Z" } })).toMatchObject({ truncated: false })
    await expect(bus.replay({ from: { id: "a.one" } })).rejects.toMatchObject({ code: "signal_not_held" })
  })

  test("has no limit of its own", async () => {
    const bus = createBus()
    for (let n = 0; n < 5; n++)
      await bus.publish(Array.from({ length: 1_000 }, () => createSignal({ type: "many", source: "/test" })))
    expect((await bus.replay({ pattern: "many" })).signals).toHaveLength(5_000)
  })

  test("delivers to nobody", async () => {
    const bus = createBus()
    const got: unknown[] = []
    bus.subscribe("**", () => got.push(1))
    await bus.publish(signals)
    await bus.replay()
    expect(got).toHaveLength(5)
  })

  test("a pattern that does not parse is an error", async () => {
    const bus = await filled(10)
    await expect(bus.replay({ pattern: "a..b" })).rejects.toMatchObject({ code: "pattern_invalid" })
  })
})

describe("snapshot", () => {
  test("later publishes do not change it, nor can its reader", async () => {
    const bus = await filled(100)
    const snapshot = await bus.snapshot({ pattern: "a.*" })
    await bus.publish(createSignal({ type: "a.four", source: "/test" }))
    expect(snapshot).toEqual({
      pattern: "a.*",
      time: "2026-01-01T00:00:00.000Z",
      nextSequence: 5,
      signals: [signals[0], signals[2], signals[4]],
      truncated: false,
    })
    expect(Object.isFrozen(snapshot) && Object.isFrozen(snapshot.signals)).toBe(true)
  })

  test("is of one moment, however long middleware takes", async () => {
    const bus = await filled(5, [{ beforeDispatch: () => Promise.resolve() }])
    const taken = bus.snapshot()
    void bus.publish(signals)
    expect((await taken).signals).toEqual(signals)
  })

  test("says when the log has lost signals", async () => {
    expect(await (await filled(2)).snapshot()).toMatchObject({ truncated: true })
  })
})

describe("middleware sees what is read", () => {
  test("it may change a signal, and leave one out", async () => {
    const bus = await filled(100, [
      {
        beforeDispatch: (signal, { path, principal, pattern }) => {
          if (path !== "replay" && path !== "snapshot") return undefined
          if (principal !== "auditor") return skip("not yours")
          return { ...signal, data: `${path} ${pattern} ${signal.type}` }
        },
      },
    ])
    expect((await bus.replay()).signals).toEqual([])
    const { signals: replayed } = await bus.replay({ pattern: "a.*", principal: "auditor" })
    expect(replayed.map(({ data }) => data)).toEqual(["replay a.* a.one", "replay a.* a.two", "replay a.* a.three"])
    const { signals: taken } = await bus.snapshot({ principal: "auditor" })
    expect(taken[0]?.data).toBe("snapshot ** a.one")
  })

  test("it may refuse, and hears of the outcome", async () => {
    const outcomes: unknown[] = []
    const bus = await filled(100, [
      {
        afterDispatch: (signal, { kind }, { path }) => outcomes.push([path, signal.type, kind]),
      },
      { beforeDispatch: ({ type }) => (type === "b.one" ? halt("no") : type === "a.one" ? skip() : undefined) },
    ])
    await expect(bus.replay()).rejects.toMatchObject({ code: "signal_halted", message: "no" })
    await bus.snapshot({ pattern: "a.*" })
    expect(outcomes).toEqual([
      ["replay", "a.one", "skipped"],
      ["replay", "b.one", "halted"],
      ["snapshot", "a.one", "skipped"],
      ["snapshot", "a.two", "delivered"],
      ["snapshot", "a.three", "delivered"],
    ])
  })
})
