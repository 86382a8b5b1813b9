import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { newId } from "../signal/id.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Held } from "./held.ts"
import { LaneRing } from "./lane-ring.ts"
import { LocalQueue } from "./local-queue.ts"
import { LazyAbort } from "./run-context.ts"

const ALPHA = 4

function queueOf(concurrency: number, weight: (tenant: string) => number = () => 1): LocalQueue {
  return new LocalQueue({ concurrency, weight })
}

/** A delivery that is held. */
function held(tenant: string, handler = "h", attempt = 1): Held {
  const id = newId()
  const signal: StoredSignal = {
    specversion: "1.0",
    id,
    type: "a.b",
    source: "app",
    time: "2026-01-01T00:00:00.000Z",
    data: {},
    tenant,
    metadata: { schema_version: 1, correlation_id: id, causation_id: null },
    visibility: "internal",
    dedupeKey: null,
    sourceEventId: null,
  }
  const numbers = { attempt, leaseToken: attempt, priority: 0, waitMs: 0 }
  const delivery = { tenant, signalId: id, handler, flowKey: null, replayId: null, lostBy: null, ...numbers }
  return { delivery, signal, schema: "", abort: new LazyAbort(), since: 0 }
}

/** Room is kept for it, and it comes. */
function come(queue: LocalQueue, tenant: string, handler = "h", attempt = 1): Held {
  const each = held(tenant, handler, attempt)
  queue.reserve(handler, tenant)
  queue.push(each)
  return each
}

const alone = (): number => 1

/** Begins as much as may begin now; whose each call was, in order. */
function beginAll(queue: LocalQueue): readonly string[] {
  const tenants: string[] = []
  for (let batch = queue.next(alone); batch; batch = queue.next(alone)) tenants.push(batch[0].delivery.tenant)
  return tenants
}

describe("slots", () => {
  test("there are as many as were asked for", () => {
    const queue = queueOf(3, () => 100)
    for (let n = 0; n < 5; n++) come(queue, "a")
    expect(beginAll(queue)).toHaveLength(3)
    expect([queue.running, queue.waiting]).toEqual([3, 2])
    queue.finish("a", "h", 10)
    expect(beginAll(queue)).toHaveLength(1)
  })

  test("tenants take turns, each in the order in which its deliveries came", () => {
    const queue = queueOf(100)
    const [a1, a2, b1, a3, b2] = ["a", "a", "b", "a", "b"].map((tenant) => come(queue, tenant))
    const begun = Array.from({ length: 5 }, () => queue.next(alone)?.[0])
    expect(begun).toEqual([a1, b1, a2, b2, a3])
  })

  test("one tenant alone leaves the last fifth free, by its weight", () => {
    const many = fc.record({ concurrency: fc.integer({ min: 1, max: 200 }), weight: fc.constantFrom(1, 2, 4) })
    fc.assert(
      fc.property(many, ({ concurrency, weight }) => {
        const queue = queueOf(concurrency, () => weight)
        for (let n = 0; n < concurrency + 5; n++) come(queue, "hog")
        beginAll(queue)
        // It begins as long as it has less than alpha times what is free.
        const alpha = ALPHA * weight
        expect(queue.running).toBe(Math.ceil((alpha * concurrency) / (1 + alpha)))
        if (concurrency <= alpha) return
        expect(queue.running).toBeLessThan(concurrency)
        come(queue, "small")
        expect(beginAll(queue)).toEqual(["small"])
      }),
    )
  })

  test("a tenant that may not begin holds up no other", () => {
    const queue = queueOf(5)
    for (let n = 0; n < 10; n++) come(queue, "hog")
    beginAll(queue)
    const small = come(queue, "small")
    expect(queue.next(alone)).toEqual([small])
  })
})

describe("room", () => {
  test("for one tenant ends before all is taken, so that there is some for another", () => {
    const many = fc.record({ concurrency: fc.integer({ min: 3, max: 200 }), weight: fc.constantFrom(1, 2) })
    fc.assert(
      fc.property(many, ({ concurrency, weight }) => {
        const queue = queueOf(concurrency, () => weight)
        let taken = 0
        for (let room = queue.room("h", "hog"); room > 0; room = queue.room("h", "hog")) {
          for (let n = 0; n < room; n++) come(queue, "hog")
          taken += room
          expect(taken).toBeLessThanOrEqual(2 * concurrency)
        }
        // There is room for the slots, and as much again to wait.
        if (2 * concurrency > ALPHA * weight) expect(queue.room("h", "small")).toBeGreaterThan(0)
        expect(queue.waiting).toBe(taken)
      }),
    )
  })

  test("is more for a tenant of more weight", () => {
    const queue = queueOf(100, (tenant) => (tenant === "enterprise" ? 4 : 1))
    expect(queue.room("h", "enterprise")).toBeGreaterThan(queue.room("h", "standard"))
  })

  test("is more for a handler that is fast, and less for one that is slow", () => {
    const queue = queueOf(10)
    const before = queue.room("fast", "a")
    for (let n = 0; n < 100; n++) {
      for (const [handler, durationMs] of [
        ["fast", 0.1],
        ["slow", 10_000],
      ] as const) {
        come(queue, "a", handler)
        queue.next(alone)
        queue.finish("a", handler, durationMs)
      }
    }
    expect(queue.room("fast", "a")).toBeGreaterThan(before)
    expect(queue.room("slow", "a")).toBeLessThan(before)
    // A slow one is not claimed ahead at all: what it cannot begin is left to other processes.
    expect(queue.room("slow", "a")).toBeLessThanOrEqual(10)
    expect(queue.limit).toBeGreaterThan(100)
    expect(queue.limit).toBeLessThanOrEqual(500)
  })

  test("that was kept and is not needed is given back", () => {
    const queue = queueOf(10)
    const [room, limit] = [queue.room("h", "a"), queue.limit]
    for (let n = 0; n < 5; n++) queue.reserve("h", "a")
    expect([queue.waiting, queue.room("h", "a") < room]).toEqual([5, true])
    for (let n = 0; n < 5; n++) queue.unreserve("h", "a")
    expect([queue.waiting, queue.room("h", "a"), queue.limit]).toEqual([0, room, limit])
  })

  test("is given back for all that has not begun when the queue is cleared; what runs goes on", () => {
    const queue = queueOf(2, () => 100)
    const all = Array.from({ length: 6 }, (_, n) => come(queue, `t${n % 3}`, `h${n % 2}`))
    const begun = [queue.next(alone), queue.next(alone)].flatMap((batch) => batch ?? [])
    queue.reserve("h0", "late")
    const left = queue.clear()
    expect(new Set([...begun, ...left])).toEqual(new Set(all))
    // Room is still kept for the one that was announced.
    expect([queue.waiting, queue.running]).toEqual([1, 2])
    queue.unreserve("h0", "late")
    expect(queue.next(alone)).toBeUndefined()
    for (const { delivery } of begun) queue.finish(delivery.tenant, delivery.handler, 1)
    expect([queue.waiting, queue.running]).toEqual([0, 0])
  })
})

describe("batches", () => {
  test("take the tenant's other deliveries of the handler along, in order, up to the size", () => {
    const queue = queueOf(10)
    const all = Array.from({ length: 5 }, () => come(queue, "a"))
    expect(queue.next(() => 3)).toEqual(all.slice(0, 3))
    expect(queue.next(() => 3)).toEqual(all.slice(3))
    expect([queue.running, queue.waiting]).toEqual([2, 0])
  })

  test("leave other handlers and other tenants where they are", () => {
    const queue = queueOf(10)
    const [first, other, second] = [come(queue, "a"), come(queue, "a", "other"), come(queue, "a")]
    const foreign = come(queue, "b")
    expect(queue.next(() => 9)).toEqual([first, second])
    expect(queue.next(() => 9)).toEqual([foreign])
    expect(queue.next(() => 9)).toEqual([other])
  })

  test("leave alone what failed before", () => {
    const queue = queueOf(10)
    const failed = come(queue, "a", "h", 2)
    const [first, again, second] = [come(queue, "a"), come(queue, "a", "h", 3), come(queue, "a")]
    expect(queue.next(() => 9)).toEqual([failed])
    expect(queue.next(() => 9)).toEqual([first, second])
    expect(queue.next(() => 9)).toEqual([again])
  })

  test("take one slot", () => {
    const queue = queueOf(1)
    for (let n = 0; n < 4; n++) come(queue, "a")
    expect(queue.next(() => 2)).toHaveLength(2)
    expect(queue.next(() => 2)).toBeUndefined()
    queue.finish("a", "h", 1)
    expect(queue.next(() => 2)).toHaveLength(2)
  })
})

/** What may happen to the queue. */
const events = fc.array(
  fc.record({
    kind: fc.constantFrom("come", "come", "reserve", "unreserve", "next", "next", "finish", "clear"),
    tenant: fc.constantFrom("a", "b", "c"),
    handler: fc.constantFrom("h", "g"),
    attempt: fc.constantFrom(1, 1, 2),
    durationMs: fc.constantFrom(0, 1, 50, 5_000),
  }),
  { maxLength: 120 },
)

test("whatever happens, counts are right, limits hold and no delivery is lost or begun twice", () => {
  const run = fc.property(
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 3 }),
    events,
    (slots, size, all) => {
      const queue = queueOf(slots)
      const waiting = new Set<Held>()
      const running: (readonly Held[])[] = []
      const reserved: (readonly [string, string])[] = []
      for (const { kind, tenant, handler, attempt, durationMs } of all) {
        if (kind === "come") waiting.add(come(queue, tenant, handler, attempt))
        if (kind === "reserve") {
          queue.reserve(handler, tenant)
          reserved.push([handler, tenant])
        }
        const [back] = kind === "unreserve" ? reserved.splice(0, 1) : []
        if (back) queue.unreserve(...back)
        const batch = kind === "next" ? queue.next(() => size) : undefined
        if (batch) {
          for (const each of batch) expect(waiting.delete(each)).toBe(true)
          expect(new Set(batch.map(({ delivery }) => `${delivery.tenant} ${delivery.handler}`)).size).toBe(1)
          expect(batch.length).toBeLessThanOrEqual(size)
          running.push(batch)
        }
        const ended = kind === "finish" ? running.shift()?.[0]?.delivery : undefined
        if (ended) queue.finish(ended.tenant, ended.handler, durationMs)
        if (kind === "clear") {
          expect(new Set(queue.clear())).toEqual(waiting)
          waiting.clear()
        }
        expect([queue.running, queue.waiting]).toEqual([running.length, waiting.size + reserved.length])
        expect(queue.running).toBeLessThanOrEqual(slots)
        expect(queue.limit).toBeGreaterThanOrEqual(0)
        expect(queue.limit).toBeLessThanOrEqual(500)
        expect(queue.room(handler, tenant)).toBeGreaterThanOrEqual(0)
      }
      // With every slot free, whatever waits can begin.
      for (const [first] of running.splice(0)) if (first) queue.finish(first.delivery.tenant, first.delivery.handler, 1)
      while (waiting.size > 0) {
        const batch = queue.next(() => size)
        expect(batch).toBeDefined()
        for (const each of batch ?? []) waiting.delete(each)
        if (batch) queue.finish(batch[0].delivery.tenant, batch[0].delivery.handler, 1)
      }
      for (const back of reserved) queue.unreserve(...back)
      expect([queue.running, queue.waiting]).toEqual([0, 0])
    },
  )
  fc.assert(run, { numRuns: 500 })
})

test("one claim brings no more of a slow handler than there is room for, however many tenants have it", () => {
  const queue = queueOf(100)
  const ring = new LaneRing()
  // A fast handler makes the limit of a claim large.
  for (let n = 0; n < 200; n++) {
    come(queue, "t0", "fast")
    queue.next(alone)
    queue.finish("t0", "fast", 0.1)
  }
  for (let n = 0; n < 100; n++) {
    come(queue, "t0", "slow")
    queue.next(alone)
    queue.finish("t0", "slow", 10_000)
  }
  for (let n = 0; n < 60; n++) ring.add({ handler: "slow", tenant: `t${n}`, priority: 0 })
  const room = (handler: string, tenant: string): number => queue.room(handler, tenant)
  const roomFor = (handler: string): number => queue.roomFor(handler)
  const shares = ring.shares(queue.limit, { room, roomFor, weight: () => 1, version: () => 1 })
  const claimed = shares.reduce((sum, { take }) => sum + take, 0)
  // For the slots, and next to nothing ahead.
  expect(claimed).toBeLessThanOrEqual(110)
})
