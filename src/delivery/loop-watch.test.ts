import { describe, expect, test } from "vitest"
import type { MarkedCall } from "./loop-mark.ts"
import { LOOKS_PER_LEASE, LoopWatch } from "./loop-watch.ts"

const call: MarkedCall = { serial: 7, handler: 0, signalIds: [] }

/** At which of so many looks at a loop that stands still leases are kept, and whether the call is blamed. */
function stalls(watch: LoopWatch, looks: number, callAt: (look: number) => MarkedCall | undefined) {
  const found: (readonly [number, boolean])[] = []
  for (let at = 0; at <= looks; at += 1) {
    const stall = watch.look({ tick: 1, call: callAt(at) })
    if (!stall) continue
    watch.kept()
    found.push([at, stall.blamed !== undefined])
  }
  return found
}

describe("a loop that stands still", () => {
  test("has its leases kept after a sixth of a lease, and then every third", () => {
    expect(stalls(new LoopWatch(), LOOKS_PER_LEASE, () => undefined)).toEqual([
      [4, false],
      [12, false],
      [20, false],
    ])
  })

  test("is the fault of a call that does not get to its first await, from the second time on", () => {
    expect(stalls(new LoopWatch(), LOOKS_PER_LEASE, () => call)).toEqual([
      [4, false],
      [12, true],
      [20, true],
    ])
  })

  test("is no call's fault when each gets on", () => {
    const found = stalls(new LoopWatch(), LOOKS_PER_LEASE, (at) => ({ ...call, serial: Math.floor(at / 6) }))
    expect(found.every(([, isBlamed]) => !isBlamed)).toBe(true)
  })

  test("is looked after again at the next look while that fails", () => {
    const watch = new LoopWatch()
    const due = [0, 1, 2, 3, 4, 5, 6].filter(() => watch.look({ tick: 1, call: undefined }))
    expect(due).toEqual([4, 5, 6])
  })

  test("and goes round again is forgotten", () => {
    const watch = new LoopWatch()
    stalls(watch, LOOKS_PER_LEASE, () => call)
    expect(watch.look({ tick: 2, call })).toBeUndefined()
    expect(stalls(watch, 4, () => undefined)).toEqual([[4, false]])
  })
})

test("a loop that goes round is left alone, however long", () => {
  const watch = new LoopWatch()
  const looks = Array.from({ length: 100 }, (_, at) => watch.look({ tick: Math.floor(at / 2), call }))
  expect(looks.every((stall) => stall === undefined)).toBe(true)
})
