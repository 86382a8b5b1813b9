import fc from "fast-check"
import { expect, test } from "vitest"
import { idGenerator, newId } from "./id.ts"

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test("an id is a UUIDv7 that holds the time", () => {
  const id = idGenerator({ now: () => 0x0192_f0c1_a2b3 })()
  expect(id).toMatch(UUID_V7)
  expect(id.startsWith("0192f0c1-a2b3-7")).toBe(true)
})

test("ids of one millisecond rise, also past the counter's end", () => {
  const next = idGenerator({ now: () => 1_700_000_000_000 })
  const ids = Array.from({ length: 10_000 }, next)
  expect(ids).toEqual(ids.toSorted())
  expect(new Set(ids).size).toBe(10_000)
})

test("ids rise whatever the clock does", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 45 }), { minLength: 2, maxLength: 50 }), (times) => {
      const clock = [...times]
      const next = idGenerator({ now: () => clock.shift() ?? 0 })
      const ids = times.map(next)
      expect(ids.every((id, index) => UUID_V7.test(id) && (index === 0 || id > (ids[index - 1] ?? "")))).toBe(true)
    }),
  )
})

test("ids of the process are unique and in order", () => {
  const ids = Array.from({ length: 1_000 }, newId)
  expect(ids).toEqual([...new Set(ids)].toSorted())
})

test("random bits stand behind version, counter and variant", () => {
  const next = idGenerator({ now: () => 1, random: (bytes) => void bytes.fill(0xff) })
  expect([next(), next()]).toEqual(["00000000-0001-77ff-bfff-ffffffffffff", "00000000-0001-7800-bfff-ffffffffffff"])
})
