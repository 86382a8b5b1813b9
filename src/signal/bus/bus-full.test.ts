import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { createBus } from "./bus-in-process.ts"
import type { BusOptions } from "./bus-options.ts"
import { createSignal, type Signal } from "../signal.ts"
import type { DroppedSignal } from "./subscription.ts"

function numbered(count: number, from = 0): readonly Signal[] {
  return Array.from({ length: count }, (_, n) => createSignal({ type: "a.b", source: "/test", data: from + n }))
}

/** Lets everything happen that waits for nothing but promises. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A bus, and a subscriber that finishes a signal when it is told to. */
function setUp(options: BusOptions = {}) {
  const clock = new ManualClock()
  const dropped: DroppedSignal[] = []
  const bus = createBus({ clock, onDrop: (each) => dropped.push(each), onError: () => {}, ...options })
  const got: unknown[] = []
  const finish: (() => void)[] = []
  const slow = ({ data }: Signal) => {
    got.push(data)
    return new Promise<void>((resolve) => finish.push(resolve))
  }
  const finishNext = async () => {
    finish.shift()?.()
    await turn()
  }
  return { bus, clock, dropped, got, slow, finishNext }
}

describe("wait", () => {
  test("publish waits until there is room, and those behind it wait too, in order", async () => {
    const { bus, got, slow, finishNext } = setUp()
    bus.subscribe("**", slow, { maxPending: 1 })
    const quick: unknown[] = []
    bus.subscribe("**", ({ data }) => quick.push(data))
    const done: unknown[] = []
    for (const signal of numbered(4)) void bus.publish(signal).then(() => done.push(signal.data))
    await turn()
    expect([done, quick]).toEqual([
      [0, 1],
      [0, 1],
    ])
    await finishNext()
    expect([done, quick]).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ])
    for (let n = 0; n < 4; n++) await finishNext()
    expect([done, got, quick]).toEqual([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ])
  })

  test("not for ever: the signal is refused whole, and the publishes behind it go on", async () => {
    const { bus, clock, slow } = setUp({ waitTimeoutMs: 500 })
    const { id } = bus.subscribe("**", slow, { maxPending: 1 })
    const quick: unknown[] = []
    bus.subscribe("**", ({ data }) => quick.push(data))
    await bus.publish(numbered(2))
    const refused = bus.publish(numbered(1, 2))
    const behind = bus.publish(numbered(1, 3))
    const settled = Promise.allSettled([refused, behind])
    bus.unsubscribe("nobody")
    clock.advance(500)
    await turn()
    bus.unsubscribe(id)
    expect(await settled).toMatchObject([{ reason: { code: "bus_full", path: "signals[0]" } }, { value: [{}] }])
    expect(quick).toEqual([0, 1, 3])
  })

  test("of several signals those before the one that found no room are published", async () => {
    const { bus, clock, slow } = setUp({ waitTimeoutMs: 500 })
    bus.subscribe("**", slow, { maxPending: 1 })
    const published = bus.publish(numbered(5))
    const settled = Promise.allSettled([published])
    await turn()
    clock.advance(500)
    expect(await settled).toMatchObject([{ reason: { code: "bus_full", path: "signals[2]" } }])
    expect((await bus.snapshot()).signals.map(({ data }) => data)).toEqual([0, 1])
  })

  test("the end of the subscription ends the wait", async () => {
    const { bus, clock, slow } = setUp()
    const { id } = bus.subscribe("**", slow, { maxPending: 1 })
    const published = bus.publish(numbered(5))
    await turn()
    bus.unsubscribe(id)
    expect(await published).toHaveLength(5)
    expect(clock.delays).toEqual([])
  })

  test("closing the bus ends the wait, with an error", async () => {
    const { bus, clock, slow } = setUp()
    bus.subscribe("**", slow, { maxPending: 1 })
    const published = bus.publish(numbered(5))
    const behind = bus.publish(numbered(1, 5))
    const settled = Promise.allSettled([published, behind])
    await turn()
    const closed = bus.close()
    await turn()
    clock.advance(10_000)
    await closed
    expect(await settled).toMatchObject([{ reason: { code: "bus_closed" } }, { reason: { code: "bus_closed" } }])
    expect(clock.delays).toEqual([])
  })

  test("a subscriber that publishes into its own full queue gets an error, and goes on", async () => {
    const { bus, clock } = setUp({ waitTimeoutMs: 500 })
    const errors: unknown[] = []
    const got: unknown[] = []
    bus.subscribe(
      "**",
      async ({ data }) => {
        got.push(data)
        if (data === 0) await bus.publish(numbered(3, 10)).catch((error: unknown) => errors.push(error))
      },
      { maxPending: 1 },
    )
    await bus.publish(numbered(1))
    await turn()
    clock.advance(500)
    await bus.drain()
    expect(errors).toMatchObject([{ code: "bus_full" }])
    expect(got).toEqual([0, 10])
  })

  test("so many signals may wait in publishes, and no more", async () => {
    const { bus, slow } = setUp({ maxWaiting: 2 })
    bus.subscribe("**", slow, { maxPending: 1 })
    const published = numbered(6).map((signal) => bus.publish(signal))
    const settled = Promise.allSettled(published)
    await turn()
    for (const { id } of bus.subscriptions()) bus.unsubscribe(id)
    expect((await settled).map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "fulfilled",
      "rejected",
    ])
    await expect(published[5]).rejects.toMatchObject({ code: "bus_full" })
  })
})

describe("drop-oldest", () => {
  test("the oldest that waits goes, and is reported; publish does not wait", async () => {
    const { bus, dropped, got, slow, finishNext } = setUp()
    bus.subscribe("**", slow, { id: "slow", maxPending: 2, whenFull: "drop-oldest" })
    await bus.publish(numbered(5))
    expect(dropped.map(({ signal, subscription, from }) => [signal.data, subscription, from])).toEqual([
      [1, "slow", "pending"],
      [2, "slow", "pending"],
    ])
    for (let n = 0; n < 3; n++) await finishNext()
    expect(got).toEqual([0, 3, 4])
    expect(bus.subscriptions()).toMatchObject([{ delivered: 3, dropped: 2 }])
  })

  test("without onDrop, onError hears of it", async () => {
    const errors: unknown[] = []
    const clock = new ManualClock()
    const bus = createBus({ clock, onError: (error) => errors.push(error) })
    bus.subscribe("**", () => new Promise(() => {}), { maxPending: 1, whenFull: "drop-oldest" })
    await bus.publish(numbered(3))
    expect(errors).toMatchObject([{ code: "signal_dropped" }])
  })

  test("an onDrop that throws is reported, and nothing else happens", async () => {
    const errors: unknown[] = []
    const bus = createBus({
      clock: new ManualClock(),
      onError: (error) => errors.push(error),
      onDrop: () => {
        throw new Error("broken")
      },
    })
    bus.subscribe("**", () => new Promise(() => {}), { maxPending: 1, whenFull: "drop-oldest" })
    expect(await bus.publish(numbered(3))).toHaveLength(3)
    expect(errors).toMatchObject([{ message: "broken" }])
  })
})

describe("refuse", () => {
  test("publish rejects, and nobody gets the signal", async () => {
    const { bus, slow } = setUp()
    bus.subscribe("**", slow, { id: "slow", maxPending: 1, whenFull: "refuse" })
    const quick: unknown[] = []
    bus.subscribe("**", ({ data }) => quick.push(data))
    await bus.publish(numbered(2))
    await expect(bus.publish(numbered(1, 2)[0] as Signal)).rejects.toMatchObject({
      code: "bus_full",
      message: expect.stringContaining("slow"),
    })
    expect(quick).toEqual([0, 1])
    expect((await bus.snapshot()).signals).toHaveLength(2)
  })

  test("of several signals those before the first that did not fit are published", async () => {
    const { bus, slow } = setUp()
    bus.subscribe("**", slow, { maxPending: 2, whenFull: "refuse" })
    await expect(bus.publish(numbered(5))).rejects.toMatchObject({ code: "bus_full", path: "signals[3]" })
    expect((await bus.snapshot()).signals.map(({ data }) => data)).toEqual([0, 1, 2])
  })

  test("a function that returns at once is never full", async () => {
    const { bus } = setUp()
    const got: unknown[] = []
    bus.subscribe("**", ({ data }) => got.push(data), { maxPending: 1, whenFull: "refuse" })
    await bus.publish(numbered(50))
    expect(got).toHaveLength(50)
  })

  test("a subscriber that is waited for does not make others wait for one that refuses", async () => {
    const { bus, clock, slow } = setUp()
    bus.subscribe("**", slow, { maxPending: 1 })
    bus.subscribe("**", slow, { maxPending: 1, whenFull: "refuse" })
    await bus.publish(numbered(1))
    await bus.publish(numbered(1, 1))
    await expect(bus.publish(numbered(1, 2)[0] as Signal)).rejects.toMatchObject({ code: "bus_full" })
    expect(clock.delays.filter((ms) => ms === 30_000)).toEqual([])
  })
})

test("no policy loses a signal without a word, and each keeps the order", async () => {
  const policies = fc.constantFrom("wait" as const, "drop-oldest" as const, "refuse" as const)
  const steps = fc.array(fc.constantFrom("publish", "finish"), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(policies, fc.integer({ min: 1, max: 4 }), steps, async (whenFull, maxPending, list) => {
      const { bus, dropped, got, slow, finishNext } = setUp()
      bus.subscribe("**", slow, { maxPending, whenFull })
      let count = 0
      const results: Promise<unknown>[] = []
      for (const step of list) {
        if (step === "finish") await finishNext()
        else results.push(bus.publish(numbered(1, count++)).catch((error: unknown) => error))
        expect(bus.subscriptions()[0]?.pending).toBeLessThanOrEqual(maxPending)
      }
      for (let n = 0; n <= list.length; n++) await finishNext()
      const settled = await Promise.all(results)
      const refused = settled.flatMap((result, n) => (result instanceof Error ? [n] : []))
      const lost = dropped.map(({ signal }) => signal.data as number)
      const all = [...(got as number[]), ...refused, ...lost].toSorted((a, b) => a - b)
      expect(all).toEqual(Array.from({ length: count }, (_, n) => n))
      expect(got).toEqual((got as number[]).toSorted((a, b) => a - b))
    }),
  )
})
