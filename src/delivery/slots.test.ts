import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parseSlots } from "./slots.ts"

const slotsOf = (cron: string, timeZone = "UTC") => parseSlots("test", cron, timeZone)

/** The slots of a span, as UTC. */
function slotsIn(cron: string, timeZone: string, from: string, to: string): readonly string[] {
  const slots = slotsOf(cron, timeZone)
  const found: string[] = []
  for (let at = slots.after(Date.parse(from) - 1); at < Date.parse(to); at = slots.after(at))
    found.push(new Date(at).toISOString().slice(0, 16))
  return found
}

describe("when clocks go forward (Berlin, 2026-03-29, 02:00 becomes 03:00)", () => {
  const night = (cron: string) => slotsIn(cron, "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T02:30:00Z")

  test("a fixed time in the gap comes at its end", () => {
    expect(night("30 2 * * *")).toEqual(["2026-03-29T01:00"])
    expect(night("15,45 2 * * *")).toEqual(["2026-03-29T01:00"])
  })
  test("what repeats leaves the gap out", () => {
    expect(night("*/30 * * * *")).toEqual(
      ["00:00", "00:30", "01:00", "01:30", "02:00"].map((time) => `2026-03-29T${time}`),
    )
    expect(night("*/30 2 * * *")).toEqual([])
  })
})

describe("when clocks go back (Berlin, 2026-10-25, 03:00 becomes 02:00)", () => {
  const night = (cron: string) => slotsIn(cron, "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T02:30:00Z")

  test("a fixed time that comes twice is one slot, the first", () => {
    expect(night("30 2 * * *")).toEqual(["2026-10-25T00:30"])
    expect(night("30 2,14 * * *")).toEqual(["2026-10-25T00:30"])
  })
  test("what repeats goes on through the hour that comes twice", () => {
    expect(night("*/30 2 * * *")).toEqual(["00:00", "00:30", "01:00", "01:30"].map((time) => `2026-10-25T${time}`))
  })
})

test("days of month and of week are either, or both with a plus", () => {
  const days = (cron: string) =>
    slotsIn(cron, "UTC", "2026-06-01T00:00:00Z", "2026-06-20T00:00:00Z").map((slot) => slot.slice(8, 10))
  expect(days("0 0 8 * FRI")).toEqual(["05", "08", "12", "19"])
  expect(days("0 0 8 * +MON")).toEqual(["08"])
  expect(days("0 0 * * MON#2")).toEqual(["08"])
})

test("six fields begin with seconds", () => {
  const first = slotsOf("*/20 0 12 * * *").first(4)
  expect(first.map((at) => new Date(at).toISOString().slice(11, 19))).toEqual([
    "12:00:00",
    "12:00:20",
    "12:00:40",
    "12:00:00",
  ])
})

test("after leaves out the moment itself, upTo does not", () => {
  const slots = slotsOf("0 3 * * *")
  const slot = Date.parse("2026-05-05T03:00:00Z")
  const day = 86_400_000
  expect(slots.after(slot)).toBe(slot + day)
  expect(slots.after(slot - 1)).toBe(slot)
  expect(slots.upTo(slot, 3)).toEqual([slot - 2 * day, slot - day, slot])
  expect(slots.upTo(slot - 1, 1)).toEqual([slot - day])
})

test("from whichever moment they are asked for, forwards or backwards, slots are the same", () => {
  const zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"]
  const crons = ["30 2 * * *", "*/15 * * * *", "*/20 1-3 * * *", "30 2,14 * * *", "0 0 L * *", "@daily"]
  const changes = ["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31"]
  const input = {
    zone: fc.constantFrom(...zones),
    cron: fc.constantFrom(...crons),
    start: fc.constantFrom(...changes),
    offsets: fc.tuple(fc.integer({ max: 144_000_000, min: 0 }), fc.integer({ max: 144_000_000, min: 0 })),
  }
  fc.assert(
    fc.property(fc.record(input), ({ zone, cron, start, offsets }) => {
      const slots = slotsOf(cron, zone)
      const [early = 0, late = 0] = offsets.map((ms) => Date.parse(`${start}T00:00:00Z`) + ms).toSorted((a, b) => a - b)
      const between: number[] = []
      for (let at = slots.after(early); at <= late; at = slots.after(at)) between.push(at)
      expect(slots.upTo(late, between.length + 1).slice(1)).toEqual(between)
      expect(slots.upTo(late, 1)[0]).toBeLessThanOrEqual(late)
      expect(slots.after(late)).toBeGreaterThan(late)
    }),
    { numRuns: 200 },
  )
})
