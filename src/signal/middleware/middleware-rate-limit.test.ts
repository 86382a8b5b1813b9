import fc from "fast-check"
import { expect, test } from "vitest"
import { createBus } from "../bus/bus-in-process.ts"
import { middlewareContract } from "./middleware-contract.ts"
import { rateLimit } from "./middleware-rate-limit.ts"
import { createSignal } from "../signal.ts"

middlewareContract("rate limit", () => rateLimit({ limit: 2, windowMs: 1_000 }), { test, expect })

function setUp(options: Parameters<typeof rateLimit>[0]) {
  let ms = 0
  const bus = createBus({ middleware: [rateLimit({ now: () => ms, ...options })] })
  return {
    /** Whether a signal of this source is let through at this time. */
    publish: async (at: number, source = "/a") => {
      ms = at
      return bus.publish(createSignal({ type: "a.b", source })).then(
        () => true,
        (error: { code: string }) => {
          if (error.code !== "rate_limited") throw error
          return false
        },
      )
    },
  }
}

test("so many are let through, and the next when the first is old enough", async () => {
  const { publish } = setUp({ limit: 2, windowMs: 100 })
  expect([await publish(0), await publish(60), await publish(99), await publish(100), await publish(159)]).toEqual([
    true,
    true,
    false,
    true,
    false,
  ])
  expect(await publish(160)).toBe(true)
})

test("no window ever has more than the limit, and none is refused without need", async () => {
  const gaps = fc.array(fc.integer({ min: -20, max: 60 }), { minLength: 1, maxLength: 80 })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), gaps, async (limit, list) => {
      const windowMs = 100
      const { publish } = setUp({ limit, windowMs })
      const let_through: number[] = []
      let at = 0
      let latest = 0
      for (const gap of list) {
        at = Math.max(0, at + gap)
        latest = Math.max(latest, at)
        const recent = let_through.filter((time) => time > latest - windowMs).length
        const passed = await publish(at)
        expect(passed).toBe(recent < limit)
        if (passed) let_through.push(latest)
      }
    }),
  )
})

test("keys are counted apart", async () => {
  const { publish } = setUp({ limit: 1, windowMs: 100 })
  expect([await publish(0, "/a"), await publish(0, "/b"), await publish(1, "/a")]).toEqual([true, true, false])
  const byType = setUp({ limit: 1, windowMs: 100, key: ({ type }) => type })
  expect([await byType.publish(0, "/a"), await byType.publish(0, "/b")]).toEqual([true, false])
})

test("keys are limited: quiet ones make room, and while none is quiet, new ones are refused", async () => {
  const { publish } = setUp({ limit: 1, windowMs: 100, maxKeys: 2 })
  expect([await publish(0, "/a"), await publish(50, "/b"), await publish(60, "/c")]).toEqual([true, true, false])
  expect(await publish(70, "/a")).toBe(false)
  expect([await publish(150, "/c"), await publish(151, "/d"), await publish(152, "/c")]).toEqual([true, true, false])
})

test("what was refused does not count against the key", async () => {
  const { publish } = setUp({ limit: 1, windowMs: 100 })
  await publish(0)
  for (let ms = 1; ms < 100; ms++) expect(await publish(ms)).toBe(false)
  expect(await publish(100)).toBe(true)
})

test.each([
  { limit: 0, windowMs: 1 },
  { limit: 1, windowMs: -5 },
  { limit: 1, windowMs: 1, maxKeys: 0.5 },
])("%j is refused", (options) => {
  expect(() => rateLimit(options)).toThrow(expect.objectContaining({ code: "config_invalid" }))
})
