import { expect, test } from "vitest"
import { RecentCache } from "./recent-cache.ts"

const newCache = (limit: number) => new RecentCache<readonly number[]>(limit, (list) => 1 + list.length)

test("it keeps what is used, and never more than its limit", () => {
  const cache = newCache(20)
  const kept = () => Array.from({ length: 100 }, (_, at) => cache.get(`k${at}`)).filter((items) => items !== undefined)
  for (let at = 0; at < 100; at++) {
    cache.set(`k${at}`, [at])
    expect(cache.get("k0")).toEqual([0])
  }
  expect(kept().length).toBeGreaterThan(0)
  expect(kept().length).toBeLessThanOrEqual(10)
})

test("what counts more than half of the limit is not kept", () => {
  const cache = newCache(10)
  cache.set("fits", [1, 2, 3, 4])
  cache.set("too long", [1, 2, 3, 4, 5])
  expect([cache.get("fits"), cache.get("too long")]).toEqual([[1, 2, 3, 4], undefined])
})

test("a limit of 0 keeps nothing, and clear drops all", () => {
  const none = newCache(0)
  none.set("a", [])
  expect(none.get("a")).toBeUndefined()
  const cache = newCache(100)
  cache.set("a", [1])
  cache.clear()
  expect(cache.get("a")).toBeUndefined()
})
