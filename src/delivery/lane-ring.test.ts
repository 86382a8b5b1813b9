import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { Lane, LaneShare } from "../store/deliveries.ts"
import type { LaneState } from "../store/lanes.ts"
import { LaneRing, type RingRules, type RingShare } from "./lane-ring.ts"

const MAX_LANES = 64

function ringOf(lanes: readonly Lane[]): LaneRing {
  const ring = new LaneRing()
  for (const lane of lanes) ring.add(lane)
  return ring
}

function lane(tenant: string, handler = "h", priority = 0): Lane {
  return { tenant, handler, priority }
}

/** Room for everything, tenants of one weight, version 1 of each handler. */
const rules: RingRules = { room: () => 1_000, roomFor: () => 1_000, weight: () => 1, version: () => 1 }

function count<Key>(keys: readonly Key[]): ReadonlyMap<Key, number> {
  const counts = new Map<Key, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

/** The share of a lane, which is the most urgent of its handler and tenant. */
function shareOf(ring: LaneRing, { tenant, handler, priority }: Lane): RingShare {
  const room = (name: string, of: string): number => (name === handler && of === tenant ? 10 : 0)
  for (let round = 0; round < 10; round++) {
    const share = ring.shares(1_000, { ...rules, room }).find((each) => each.priority === priority)
    if (share) return share
  }
  throw new Error(`no share for ${tenant} ${handler} ${priority}`)
}

const takesOf = (shares: readonly LaneShare[]): number => shares.reduce((sum, { take }) => sum + take, 0)

/** Some lanes: of up to 100 tenants, three handlers and three priorities. */
const manyLanes = fc.uniqueArray(
  fc.record({
    tenant: fc.integer({ min: 0, max: 99 }).map((n) => `t${n}`),
    handler: fc.constantFrom("a", "b", "c"),
    priority: fc.constantFrom(-10, 0, 10),
  }),
  { selector: ({ tenant, handler, priority }) => `${tenant} ${handler} ${priority}`, maxLength: 250, minLength: 1 },
)
const limits = fc.integer({ min: 1, max: 500 })
const weightOf = (tenant: string): number => [1, 1, 2, 4][Number(tenant.slice(1)) % 4] ?? 1

describe("what the ring knows", () => {
  test("is no more of the lanes behind one that a limit held back", () => {
    const others = [lane("a", "h", -10), lane("a", "h", 0), lane("a", "other", 10), lane("b", "h", 10)]
    const behind = [lane("a", "h", 5), lane("a", "h", 10)]
    const ring = ringOf([...others, ...behind])
    expect(ring.removeBehind(lane("a", "h", 0))).toEqual(behind)
    expect(ring.size).toBe(others.length)
    for (const each of others) expect(ring.has(each)).toBe(true)
    expect(ring.removeBehind(lane("nobody"))).toEqual([])
  })

  test("is each lane once, until a claim found it empty", () => {
    fc.assert(
      fc.property(manyLanes, fc.array(fc.nat(), { maxLength: 100 }), (some, removals) => {
        const lanes = some.map((each, n) => ({ ...each, handler: `h${n}` }))
        const ring = ringOf([...lanes, ...lanes])
        const left = new Set(lanes)
        for (const at of removals) {
          const gone = lanes[at % lanes.length]
          if (!gone || !left.delete(gone)) continue
          ring.add(gone)
          ring.remove(shareOf(ring, gone))
        }
        expect(ring.size).toBe(left.size)
        for (const each of lanes) expect(ring.has({ ...each })).toBe(left.has(each))
      }),
    )
  })

  test("stays when it is asked for shares", () => {
    const lanes = [lane("a"), lane("b", "h", 5), lane("b", "g")]
    const ring = ringOf(lanes)
    for (let n = 0; n < 5; n++) ring.shares(2, rules)
    expect(ring.size).toBe(3)
    for (const each of lanes) expect(ring.has(each)).toBe(true)
  })

  test("a lane that was heard of after the claim began is kept, though the claim found it empty", () => {
    const ring = ringOf([lane("a")])
    const before = shareOf(ring, lane("a"))
    ring.add(lane("a"))
    ring.remove(before)
    expect(ring.has(lane("a"))).toBe(true)
    ring.remove(shareOf(ring, lane("a")))
    expect(ring.size).toBe(0)
    ring.remove(before)
    expect(ring.shares(10, rules)).toEqual([])
  })

  test("an empty ring has nothing to offer", () => expect(new LaneRing().shares(10, rules)).toEqual([]))
})

describe("turns", () => {
  /** How many claims it takes until each of these lanes' tenants was offered something. */
  function claimsUntilAll(lanes: readonly Lane[], limit: number, weight: RingRules["weight"]): number {
    const ring = ringOf(lanes)
    const waiting = new Set(lanes.map(({ tenant }) => tenant))
    for (let claims = 1; claims <= lanes.length; claims++) {
      for (const { tenant } of ring.shares(limit, { ...rules, weight })) waiting.delete(tenant)
      if (waiting.size === 0) return claims
    }
    throw new Error(`${[...waiting].join(", ")} were offered nothing`)
  }

  test("every tenant is offered something within one round, whatever there is of the others", () => {
    fc.assert(
      fc.property(manyLanes, limits, (lanes, limit) => {
        const tenants = new Set(lanes.map(({ tenant }) => tenant)).size
        const inOneClaim = Math.min(MAX_LANES, limit)
        expect(claimsUntilAll(lanes, limit, rules.weight)).toBe(Math.ceil(tenants / inOneClaim))
        // One of weight 4 may take the place of four others.
        expect(claimsUntilAll(lanes, limit, weightOf)).toBeLessThanOrEqual(
          Math.ceil(tenants / Math.ceil(inOneClaim / 4)),
        )
      }),
    )
  })

  test("a tenant that comes later waits one round at most", () => {
    const ring = ringOf(Array.from({ length: 10 }, (_, n) => lane(`t${n}`)))
    ring.shares(5, rules)
    ring.add(lane("late"))
    const claims = Array.from({ length: 3 }, () => ring.shares(5, rules).map(({ tenant }) => tenant))
    expect(claims.flat().slice(0, 11)).toEqual(["t5", "t6", "t7", "t8", "t9", "t0", "t1", "t2", "t3", "t4", "late"])
  })

  test("lanes of one urgency take turns when the share is too small for all", () => {
    const handlers = ["a", "b", "c", "d"]
    const ring = ringOf(handlers.map((handler) => lane("t", handler)))
    const offered = Array.from({ length: 8 }, () => ring.shares(1, rules).map(({ handler }) => handler))
    expect(offered.flat()).toEqual([...handlers, ...handlers])
  })

  test("a lane is asked again and again until it is removed, so none is forgotten", () => {
    const ring = ringOf([lane("t")])
    for (let n = 0; n < 3; n++) expect(ring.shares(10, rules)).toHaveLength(1)
    ring.remove(shareOf(ring, lane("t")))
    expect(ring.shares(10, rules)).toEqual([])
  })
})

describe("shares", () => {
  test("go by the weights of the tenants, to one delivery", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(1, 2, 4), { minLength: 1, maxLength: MAX_LANES }), (weights) => {
        const tenants = weights.map((_, n) => lane(`t${n}`))
        const total = weights.reduce((sum, weight) => sum + weight, 0)
        const weight = (tenant: string): number => weights[Number(tenant.slice(1))] ?? 1
        // Enough that the smallest gets one by its weight.
        const limit = total * 3 + 1
        const shares = ringOf(tenants).shares(limit, { ...rules, weight })
        expect(shares).toHaveLength(weights.length)
        for (const { tenant, take } of shares) {
          expect(Math.abs(take - (limit * weight(tenant)) / total)).toBeLessThan(1)
        }
        expect(takesOf(shares)).toBeLessThanOrEqual(limit)
      }),
    )
  })

  test("are at least one delivery and at most what there is room for", () => {
    const room = fc.func(fc.integer({ min: 0, max: 20 }))
    fc.assert(
      fc.property(manyLanes, limits, room, (lanes, limit, roomFor) => {
        const shares = ringOf(lanes).shares(limit, { ...rules, weight: weightOf, room: roomFor })
        for (const { handler, tenant, take } of shares) {
          expect(take).toBeGreaterThanOrEqual(1)
          expect(take).toBeLessThanOrEqual(roomFor(handler, tenant))
        }
      }),
    )
  })

  test("of tenants of one weight are together not more than the worker can take", () => {
    fc.assert(
      fc.property(manyLanes, limits, (lanes, limit) => {
        expect(takesOf(ringOf(lanes).shares(limit, rules))).toBeLessThanOrEqual(limit)
      }),
    )
  })

  test("of tenants of any weight are together not more than the worker can take", () => {
    const lanes = ["big", "a", "b", "c", "d"].map((tenant) => lane(tenant))
    const weight = (tenant: string): number => (tenant === "big" ? 4 : 1)
    expect(takesOf(ringOf(lanes).shares(5, { ...rules, weight }))).toBeLessThanOrEqual(5)
  })

  test("name the version of the code, and lanes of code that is not here are passed over", () => {
    const ring = ringOf([lane("t", "here"), lane("t", "gone")])
    const version = (handler: string): number | undefined => (handler === "here" ? 7 : undefined)
    expect(ring.shares(10, { ...rules, version })).toMatchObject([{ ...lane("t", "here"), version: 7, take: 5 }])
  })
})

describe("urgency", () => {
  test("a tenant is offered only the most urgent of the lanes there is room for", () => {
    const able = fc.func(fc.boolean())
    fc.assert(
      fc.property(manyLanes, limits, able, (lanes, limit, isAble) => {
        const room = (handler: string, tenant: string): number => (isAble(handler, tenant) ? 100 : 0)
        const shares = ringOf(lanes).shares(limit, { ...rules, room })
        for (const { tenant, priority, handler } of shares) {
          const candidates = lanes.filter((each) => each.tenant === tenant && isAble(each.handler, tenant))
          expect(priority).toBe(Math.min(...candidates.map((each) => each.priority)))
          expect(isAble(handler, tenant)).toBe(true)
        }
      }),
    )
  })

  test("of one tenant takes nothing from another", () => {
    const ring = ringOf([lane("urgent", "h", -100), lane("calm", "h", 100)])
    expect(count(ring.shares(10, rules).map(({ tenant }) => tenant))).toEqual(
      new Map([
        ["urgent", 1],
        ["calm", 1],
      ]),
    )
  })

  test("a less urgent lane has its turn when the more urgent one is empty", () => {
    const ring = ringOf([lane("t", "h", 0), lane("t", "h", -5)])
    expect(ring.shares(10, rules)).toMatchObject([{ priority: -5 }])
    ring.remove(shareOf(ring, lane("t", "h", -5)))
    expect(ring.shares(10, rules)).toMatchObject([{ priority: 0 }])
  })
})

describe("where lanes begin", () => {
  const LATE_MS = 3_000
  const found = (of: Lane, dueForMs: number | null): LaneState => ({
    ...of,
    isDue: dueForMs !== null,
    dueForMs,
    dueInMs: null,
  })
  const sinceOf = (ring: LaneRing, of: Lane): number => shareOf(ring, of).sinceMs ?? Number.NaN

  /** The second of two looks in a row. */
  function look(ring: LaneRing, lanes: readonly LaneState[], askedAt: number): void {
    ring.looked({ lanes, askedAt: askedAt - 1_000 })
    ring.looked({ lanes, askedAt })
  }

  test("is not known before somebody looked twice, nor when that is seldom", () => {
    const ring = ringOf([lane("a")])
    const now = performance.now()
    for (const askedAt of [now - 30_000, now - 20_000, now]) {
      expect(shareOf(ring, lane("a"))).not.toHaveProperty("sinceMs")
      ring.looked({ lanes: [], askedAt })
    }
    expect(shareOf(ring, lane("a"))).not.toHaveProperty("sinceMs")
    ring.looked({ lanes: [], askedAt: now + 1_000 })
    expect(shareOf(ring, lane("a"))).toHaveProperty("sinceMs")
  })

  test("is at the first that was due, with some time for what is committed late", () => {
    const ring = ringOf([lane("a"), lane("b")])
    const askedAt = performance.now()
    look(ring, [found(lane("a"), 60_000), found(lane("b"), 0)], askedAt)
    const passed = (): number => performance.now() - askedAt
    expect(sinceOf(ring, lane("a"))).toBeGreaterThanOrEqual(60_000 + LATE_MS)
    expect(sinceOf(ring, lane("a"))).toBeLessThanOrEqual(60_000 + LATE_MS + passed())
    expect(sinceOf(ring, lane("b"))).toBeLessThanOrEqual(LATE_MS + passed())
  })

  test("is at the look itself where nothing was due or nothing was at all, and moves on with the next", () => {
    const ring = ringOf([lane("held"), lane("empty"), lane("other", "h", 10)])
    const minuteAgo = performance.now() - 60_000
    look(ring, [found(lane("held"), null), found(lane("other"), 999)], minuteAgo)
    for (const each of [lane("held"), lane("empty"), lane("other", "h", 10)]) {
      expect(sinceOf(ring, each)).toBeGreaterThanOrEqual(60_000 + LATE_MS)
      expect(sinceOf(ring, each)).toBeLessThan(60_000 + LATE_MS + 30_000)
    }
    look(ring, [], performance.now())
    expect(sinceOf(ring, lane("held"))).toBeLessThan(30_000)
  })
})
