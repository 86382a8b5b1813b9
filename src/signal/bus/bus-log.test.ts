import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { BusLog } from "./bus-log.ts"
import { createSignal, type Signal } from "../signal.ts"

function signalAt(time: string, id = time): Signal {
  return createSignal({ type: "a.b", source: "/test", id, time })
}

function filled(max: number, times: readonly string[]): BusLog {
  const log = new BusLog(max)
  for (const [index, time] of times.entries()) log.append(signalAt(time, String(index)))
  return log
}

const TIMES = ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"]

test("it holds the newest signals under their numbers, whatever its size", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 60 }), (max, count) => {
      const log = new BusLog(max)
      const signals = Array.from({ length: count }, (_, n) => signalAt("2026-01-01T00:00:00Z", `s${n}`))
      expect(signals.map((signal) => log.append(signal))).toEqual(signals.map((_, n) => n))
      const oldest = Math.max(0, count - max)
      const held = signals.map((signal, sequence) => ({ sequence, signal })).slice(oldest)
      expect([...log.from(0)]).toEqual(held)
      expect([log.oldest, log.next]).toEqual([oldest, count])
      for (const [sequence, signal] of signals.entries()) {
        expect(log.at(sequence)).toBe(sequence >= oldest ? signal : undefined)
        expect(log.find(signal.id)).toBe(sequence >= oldest ? sequence : undefined)
      }
      expect(log.at(count)).toBeUndefined()
    }),
  )
})

test("what is read does not change when more is added", () => {
  const log = filled(10, TIMES)
  const reading = log.from(0)
  reading.next()
  log.append(signalAt("2026-01-04T00:00:00Z"))
  expect([...reading]).toHaveLength(2)
})

describe("where to start", () => {
  test("the origin is the oldest held, and says when there was more", () => {
    expect(filled(10, TIMES).position("origin")).toEqual({ sequence: 0, truncated: false })
    expect(filled(2, TIMES).position("origin")).toEqual({ sequence: 1, truncated: true })
    expect(filled(0, TIMES).position("origin")).toEqual({ sequence: 3, truncated: true })
    expect(new BusLog(5).position("origin")).toEqual({ sequence: 0, truncated: false })
  })

  test("current is behind the newest", () => {
    expect(filled(2, TIMES).position("current")).toEqual({ sequence: 3, truncated: false })
  })

  test("an id is that signal, after is the one behind it", () => {
    expect(filled(2, TIMES).position({ id: "1" })).toEqual({ sequence: 1, truncated: false })
    expect(filled(2, TIMES).position({ after: "2" })).toEqual({ sequence: 3, truncated: false })
  })

  test.each([{ id: "0" }, { after: "0" }, { id: "never" }])("%j is not held, which is an error", (from) => {
    expect(() => filled(2, TIMES).position(from)).toThrow(expect.objectContaining({ code: "signal_not_held" }))
  })

  test("a time is the first signal held that is not earlier, to the last digit and in any zone", () => {
    const log = filled(10, ["2026-01-01T00:00:00.0000001Z", "2026-01-01T00:00:00.0000003Z", ...TIMES.slice(1)])
    expect(log.position({ time: "2026-01-01T00:00:00.0000002Z" }).sequence).toBe(1)
    expect(log.position({ time: "2026-01-02T01:00:00+01:00" }).sequence).toBe(2)
    expect(log.position({ time: new Date("2026-01-02T00:00:00.001Z") }).sequence).toBe(3)
    expect(log.position({ time: "2027-01-01T00:00:00Z" })).toEqual({ sequence: 4, truncated: false })
  })

  test("a time says when a signal of it is gone, also one that was out of order", () => {
    const log = filled(2, ["2026-01-05T00:00:00.000Z", ...TIMES])
    expect(log.position({ time: "2026-01-05T00:00:00Z" })).toEqual({ sequence: 4, truncated: true })
    expect(log.position({ time: "2026-01-05T00:00:00.001Z" })).toEqual({ sequence: 4, truncated: false })
  })

  test("times of every form are compared as times", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...FORMS), { minLength: 1 }), fc.constantFrom(...FORMS), (times, from) => {
        const log = filled(3, times)
        const gone = times.slice(0, -3).some((time) => Date.parse(time) >= Date.parse(from))
        expect(log.position({ time: from }).truncated).toBe(gone)
      }),
    )
  })

  test.each(["yesterday", { time: "x" }, { time: new Date(Number.NaN) }, {}, null])("%j is refused", (from) => {
    // Whatever a caller without types may pass.
    expect(() => filled(2, TIMES).position(from as "origin")).toThrow(
      expect.objectContaining({ code: "query_invalid" }),
    )
  })
})

const FORMS = [
  "2026-01-01T00:00:00Z",
  "2026-01-01T00:00:00.000Z",
  "2026-01-01T00:00:00.001Z",
  "2026-01-01T01:00:00.001+01:00",
  "2026-01-01T00:00:00.1Z",
  "2025-12-31T23:00:00-02:00",
]
