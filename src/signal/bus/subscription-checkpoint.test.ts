import { describe, expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { createBus } from "./bus-in-process.ts"
import type { BusOptions } from "./bus-options.ts"
import { createSignal, type Signal } from "../signal.ts"
import type { Delivery } from "./subscription.ts"
import { type Checkpoint, type CheckpointStore, memoryCheckpoints } from "./subscription-checkpoint.ts"

function numbered(count: number, from = 0): readonly Signal[] {
  return Array.from({ length: count }, (_, n) =>
    createSignal({ type: "a.b", source: "/test", id: `s${from + n}`, data: from + n }),
  )
}

/** Lets everything happen that waits for nothing but promises. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

function setUp(options: BusOptions) {
  const faults: unknown[] = []
  const bus = createBus({ clock: new ManualClock(), onError: (error) => faults.push(error), ...options })
  const got: unknown[] = []
  const deliveries: Delivery[] = []
  const take = ({ data }: Signal, delivery: Delivery) => {
    got.push(data)
    deliveries.push(delivery)
  }
  return { bus, faults, got, deliveries, take }
}

/** A store that answers when it is told to, and counts. */
function slowStore() {
  const saved: Checkpoint[] = []
  const waiting: (() => void)[] = []
  let failures: Error[] = []
  const later = async () => {
    await new Promise<void>((resolve) => waiting.push(resolve))
    const failure = failures.shift()
    if (failure) throw failure
  }
  const store: CheckpointStore = {
    load: async () => {
      await later()
      return saved.at(-1)
    },
    save: async (_, checkpoint) => {
      await later()
      saved.push(checkpoint)
    },
    remove: later,
  }
  const answer = async () => {
    waiting.shift()?.()
    await turn()
  }
  return { store, saved, answer, waiting, failWith: (...errors: Error[]) => (failures = errors) }
}

test("a checkpoint is plain JSON: the place, what is open before it, and the dead letters", async () => {
  const { store, saved, answer } = slowStore()
  const { bus, deliveries, take } = setUp({ checkpoints: store })
  bus.subscribe("**", take, { persistent: true, id: "p", retry: { maxAttempts: 1 } })
  await answer()
  await bus.publish(numbered(4))
  deliveries[2]?.ack()
  deliveries[1]?.nack("broken")
  await turn()
  await answer()
  await answer()
  const checkpoint = saved.at(-1)
  expect(JSON.parse(JSON.stringify(checkpoint))).toEqual({
    after: "s2",
    open: ["s0"],
    deadLetters: [
      {
        signal: numbered(2)[1],
        attempts: 1,
        reason: "expected the subscriber to take the signal, but it refused",
        time: "2026-01-01T00:00:00.000Z",
      },
    ].map((letter) => ({ ...letter, signal: expect.objectContaining({ id: "s1" }) })),
  })
})

test("what settles while a checkpoint is being saved is saved together, with the next one", async () => {
  const { store, saved, answer, waiting } = slowStore()
  const { bus, deliveries, take } = setUp({ checkpoints: store })
  bus.subscribe("**", take, { persistent: true, id: "p" })
  await answer()
  await bus.publish(numbered(100))
  await turn()
  for (const delivery of deliveries) delivery.ack()
  expect(waiting).toHaveLength(1)
  await answer()
  await answer()
  expect(saved.map(({ after }) => after)).toEqual([null, "s99"])
  expect(waiting).toEqual([])
})

test("signals published while the checkpoint is being read come behind those of the log, and are limited", async () => {
  const { store, answer } = slowStore()
  const { bus, got, take } = setUp({ checkpoints: store })
  await bus.publish(numbered(2))
  const { ready } = bus.subscribe("**", take, {
    persistent: true,
    id: "p",
    startFrom: "origin",
    maxPending: 2,
    whenFull: "refuse",
  })
  await bus.publish(numbered(2, 2))
  await expect(bus.publish(numbered(1, 4))).rejects.toMatchObject({ code: "bus_full" })
  expect([got, bus.subscriptions()[0]?.pending]).toEqual([[], 2])
  await answer()
  await ready
  expect(got).toEqual([0, 1, 2, 3])
})

test("a full subscription drops of what came while it reads, too", async () => {
  const { store, answer } = slowStore()
  const dropped: unknown[] = []
  const { bus, got, take } = setUp({ checkpoints: store, onDrop: ({ signal }) => dropped.push(signal.data) })
  bus.subscribe("**", take, { persistent: true, id: "p", maxPending: 2, whenFull: "drop-oldest" })
  await bus.publish(numbered(3))
  await answer()
  expect([dropped, got]).toEqual([[0], [1, 2]])
})

describe("what can go wrong with the store", () => {
  test("a checkpoint that cannot be read: there is no subscription, and whoever waits hears of it", async () => {
    const { store, answer, failWith } = slowStore()
    const { bus, faults, got, take } = setUp({ checkpoints: store })
    failWith(new Error("disk"))
    const { ready } = bus.subscribe("**", take, { persistent: true, id: "p" })
    const settled = Promise.allSettled([ready])
    await answer()
    expect(await settled).toMatchObject([{ reason: { message: "disk" } }])
    await bus.publish(numbered(1))
    expect([got, bus.subscriptions()]).toEqual([[], []])
    expect(faults).toMatchObject([{ message: "disk" }])
  })

  test.each([
    [
      "throws at once",
      {
        load: () => {
          throw new Error("disk")
        },
      },
    ],
    // What a store may hold that something else wrote to.
    ["holds something else", { load: () => ({ after: null }) as unknown as Checkpoint }],
  ])("a store that %s: the same", async (_, broken) => {
    const { bus, faults, got, take } = setUp({ checkpoints: { ...memoryCheckpoints(), ...broken } })
    await expect(bus.subscribe("**", take, { persistent: true, id: "p" }).ready).rejects.toThrow()
    await bus.publish(numbered(1))
    expect([got, bus.subscriptions(), faults.length]).toEqual([[], [], 1])
  })

  test("one that cannot be saved is reported, and saved with the next change", async () => {
    const { store, saved, answer, failWith } = slowStore()
    const { bus, faults, deliveries, take } = setUp({ checkpoints: store })
    bus.subscribe("**", take, { persistent: true, id: "p" })
    await answer()
    failWith(new Error("disk full"))
    await answer()
    expect([faults, saved]).toMatchObject([[{ message: "disk full" }], []])
    await bus.publish(numbered(1))
    deliveries[0]?.ack()
    await turn()
    await answer()
    expect(saved).toMatchObject([{ after: "s0" }])
  })

  test("close saves what is not saved, and what is still open stays open", async () => {
    const checkpoints = memoryCheckpoints()
    const { bus, deliveries, take } = setUp({ checkpoints })
    bus.subscribe("**", take, { persistent: true, id: "p" })
    const signals = numbered(3)
    await bus.publish(signals)
    deliveries[1]?.ack()
    await bus.close()
    expect(await checkpoints.load("p")).toMatchObject({ after: "s1", open: ["s0"] })
    deliveries[0]?.ack()
    await turn()
    expect(await checkpoints.load("p")).toMatchObject({ after: "s1", open: ["s0"] })
    const next = setUp({ checkpoints, log: { signals } })
    next.bus.subscribe("**", next.take, { persistent: true, id: "p" })
    expect(next.got).toEqual([0, 2])
  })

  test("close waits until it is saved, and tries once more what failed before", async () => {
    const { store, saved, answer, failWith } = slowStore()
    const { bus, take } = setUp({ checkpoints: store })
    bus.subscribe("**", take, { persistent: true, id: "p" })
    await answer()
    failWith(new Error("disk full"))
    await answer()
    let isClosed = false
    void bus.close().then(() => (isClosed = true))
    await turn()
    await turn()
    expect([isClosed, saved]).toEqual([false, []])
    await answer()
    expect([isClosed, saved.length]).toEqual([true, 1])
  })

  test("an ack that comes at any moment of closing never spoils the checkpoint", async () => {
    for (let turns = 0; turns < 20; turns++) {
      const saved: Checkpoint[] = []
      const { bus, deliveries, take } = setUp({
        checkpoints: { load: () => undefined, save: (_, checkpoint) => void saved.push(checkpoint), remove: () => {} },
      })
      bus.subscribe("**", take, { persistent: true, id: "p" })
      await bus.publish(numbered(3))
      const closed = bus.close()
      for (let n = 0; n < turns; n++) await Promise.resolve()
      const isAcknowledged = deliveries[2]?.ack() ?? false
      await closed
      await turn()
      const open = saved.at(-1)?.after === "s2" ? ["s0", "s1"] : []
      expect(saved.at(-1)).toEqual({ after: isAcknowledged && open.length > 0 ? "s2" : null, open, deadLetters: [] })
    }
  })

  test("unsubscribe takes the checkpoint out, also while one is being saved", async () => {
    const { store, saved, answer, waiting } = slowStore()
    const { bus, take } = setUp({ checkpoints: store })
    bus.subscribe("**", take, { persistent: true, id: "p" })
    await answer()
    bus.unsubscribe("p")
    await answer()
    expect(waiting).toHaveLength(1)
    await answer()
    await bus.drain()
    expect([saved.length, waiting]).toEqual([1, []])
  })
})

describe("what the log no longer has", () => {
  test("the place: it goes on with all that is held, and says so", async () => {
    const checkpoints = memoryCheckpoints()
    void checkpoints.save("p", { after: "gone", open: [], deadLetters: [] })
    const { bus, faults, got, take } = setUp({ checkpoints, log: { signals: numbered(2) } })
    const { ready } = bus.subscribe("**", take, { persistent: true, id: "p" })
    expect(await ready).toEqual({ truncated: true })
    expect(got).toEqual([0, 1])
    expect(faults).toMatchObject([{ code: "signal_not_held" }])
  })

  test("an open signal: it goes on with the others, and says so", async () => {
    const checkpoints = memoryCheckpoints()
    void checkpoints.save("p", { after: "s2", open: ["s1", "gone"], deadLetters: [] })
    const { bus, got, take } = setUp({ checkpoints, log: { signals: numbered(4) } })
    const { ready } = bus.subscribe("**", take, { persistent: true, id: "p" })
    expect(await ready).toEqual({ truncated: true })
    expect(got).toEqual([1, 3])
  })

  test("the signal of a dead letter: it is in the letter", async () => {
    const checkpoints = memoryCheckpoints()
    const [signal] = numbered(1)
    const letter = { signal: signal as Signal, attempts: 5, reason: "no", time: "2026-01-01T00:00:00Z" }
    void checkpoints.save("p", { after: null, open: [], deadLetters: [letter] })
    const { bus, got, take } = setUp({ checkpoints })
    bus.subscribe("**", take, { persistent: true, id: "p" })
    expect(bus.deadLetters("p")).toEqual([letter])
    bus.redrive("p")
    expect(got).toEqual([0])
  })
})

test("a checkpoint goes before startFrom", () => {
  const checkpoints = memoryCheckpoints()
  void checkpoints.save("p", { after: "s1", open: [], deadLetters: [] })
  const { bus, got, take } = setUp({ checkpoints, log: { signals: numbered(4) } })
  bus.subscribe("**", take, { persistent: true, id: "p", startFrom: "origin" })
  expect(got).toEqual([2, 3])
})

test("a subscription that was never settled goes on from where it began", async () => {
  const checkpoints = memoryCheckpoints()
  const first = setUp({ checkpoints, log: { signals: numbered(2) } })
  first.bus.subscribe("**", first.take, { persistent: true, id: "p" })
  await first.bus.publish(numbered(2, 2))
  await turn()
  const second = setUp({ checkpoints, log: { signals: numbered(4) } })
  second.bus.subscribe("**", second.take, { persistent: true, id: "p" })
  expect(second.got).toEqual([2, 3])
})
