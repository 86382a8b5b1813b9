import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { Admission, DEFAULT_EMIT_QUEUE } from "./admission.ts"

const WAIT_MS = 1_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
})
afterEach(() => {
  vi.useRealTimers()
})

function admission(limit: number, whenFull: "wait" | "refuse" = "wait"): Admission {
  return new Admission({ limit, whenFull, waitMs: WAIT_MS })
}

/** Lets everybody who was admitted go on. */
const turn = (): Promise<void> => Promise.resolve()

/** A call of emit, as far as admission sees it. */
interface Call {
  readonly places: number
  state: "waiting" | "in" | "refused"
}

/** Enters, or waits in line, the way emit does. */
function call(it: Admission, places: number): Call {
  const made: Call = { places, state: it.tryEnter(places) ? "in" : "waiting" }
  if (made.state === "waiting")
    void it.wait(places).then(
      () => (made.state = "in"),
      () => (made.state = "refused"),
    )
  return made
}

function sum(calls: readonly Call[]): number {
  return calls.reduce((total, { places }) => total + places, 0)
}

describe("places", () => {
  test("are taken up to the limit, and are free again after all left", () => {
    const it = admission(3)
    expect([it.tryEnter(2), it.tryEnter(2), it.tryEnter(1)]).toEqual([true, false, true])
    expect(it.load).toEqual({ underWay: 3, waiting: 0 })
    it.leave(2)
    it.leave(1)
    expect(it.load).toEqual({ underWay: 0, waiting: 0 })
  })

  test("a call that is larger than the limit gets in alone", async () => {
    const it = admission(3)
    const small = call(it, 1)
    const large = call(it, 50)
    const behind = call(it, 1)
    expect([small.state, large.state, behind.state]).toEqual(["in", "waiting", "waiting"])
    it.leave(1)
    await turn()
    expect([large.state, behind.state]).toEqual(["in", "waiting"])
    it.leave(50)
    await turn()
    expect(behind.state).toBe("in")
  })

  test("nobody overtakes the line, though there were room", async () => {
    const it = admission(3)
    call(it, 2)
    const large = call(it, 3)
    expect(it.tryEnter(1)).toBe(false)
    const small = call(it, 1)
    it.leave(2)
    await turn()
    expect([large.state, small.state]).toEqual(["in", "waiting"])
  })

  test("are taken at once by a caller who must not wait, and others wait for them to be given back", async () => {
    const it = admission(2)
    it.enter(5)
    const other = call(it, 1)
    expect([other.state, it.load.underWay]).toEqual(["waiting", 5])
    it.leave(5)
    await turn()
    expect([other.state, it.load.underWay]).toEqual(["in", 1])
  })

  /** What may happen: a call of so many places comes, or one of those under way ends. */
  const events = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant("come" as const), places: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ kind: fc.constant("end" as const), which: fc.nat() }),
    ),
    { maxLength: 60 },
  )

  test("whoever comes and goes: never above the limit, in order, and nobody waits where there is room", async () => {
    const inAnyOrder = fc.asyncProperty(fc.integer({ min: 1, max: 10 }), events, async (limit, happens) => {
      const it = admission(limit)
      const calls: Call[] = []
      const ended = new Set<Call>()
      const under = (): readonly Call[] => calls.filter((each) => each.state === "in" && !ended.has(each))
      for (const event of happens) {
        if (event.kind === "come") calls.push(call(it, event.places))
        else {
          const ending = under()[event.which % Math.max(1, under().length)]
          if (ending) {
            ended.add(ending)
            it.leave(ending.places)
          }
        }
        await turn()
        const waiting = calls.filter(({ state }) => state === "waiting")
        expect(it.load).toEqual({ underWay: sum(under()), waiting: waiting.length })
        expect(sum(under()) <= limit || under().length === 1).toBe(true)
        // In order: whoever is in came before all who wait.
        const firstWaiting = calls.findIndex(({ state }) => state === "waiting")
        if (firstWaiting >= 0) {
          expect(calls.slice(firstWaiting).every(({ state }) => state === "waiting")).toBe(true)
          expect(sum(under()) > 0 && sum(under()) + (calls[firstWaiting]?.places ?? 0) > limit).toBe(true)
        }
      }
      while (under().length > 0) {
        for (const ending of under()) {
          ended.add(ending)
          it.leave(ending.places)
        }
        await turn()
      }
      expect(it.load).toEqual({ underWay: 0, waiting: 0 })
      expect(calls.every((each) => ended.has(each))).toBe(true)
    })
    await fc.assert(inAnyOrder, { numRuns: 300 })
  })
})

describe("a call that finds no room", () => {
  test("is refused at once where the fleet is told so, with what to do", async () => {
    const it = admission(2, "refuse")
    it.tryEnter(2)
    await expect(it.wait(1)).rejects.toMatchObject({
      code: "emit_queue_full",
      message: expect.stringMatching(/at most 2 .*emitMany/),
    })
    expect(it.load).toEqual({ underWay: 2, waiting: 0 })
  })

  test("waits so long and no longer", async () => {
    const it = admission(1)
    it.tryEnter(1)
    const late = call(it, 1)
    await vi.advanceTimersByTimeAsync(WAIT_MS - 1)
    expect(late.state).toBe("waiting")
    await vi.advanceTimersByTimeAsync(1)
    expect(late.state).toBe("refused")
    expect(it.load).toEqual({ underWay: 1, waiting: 0 })
    it.leave(1)
    expect(it.load.underWay).toBe(0)
  })

  test("is not refused later when it got in in time", async () => {
    const it = admission(1)
    it.tryEnter(1)
    const lucky = call(it, 1)
    await vi.advanceTimersByTimeAsync(WAIT_MS - 1)
    it.leave(1)
    await vi.advanceTimersByTimeAsync(WAIT_MS)
    expect(lucky.state).toBe("in")
    expect(vi.getTimerCount()).toBe(0)
  })

  test("is refused at once when the line is ten times as long as the limit", async () => {
    const it = admission(2)
    it.tryEnter(2)
    const line = Array.from({ length: 20 }, () => call(it, 1))
    await expect(it.wait(1)).rejects.toMatchObject({ code: "emit_queue_full" })
    expect(line.every(({ state }) => state === "waiting")).toBe(true)
  })

  test("when the first in line gives up, those behind it get in where there is room for them", async () => {
    const it = admission(3)
    call(it, 2)
    const large = call(it, 3)
    await vi.advanceTimersByTimeAsync(WAIT_MS / 2)
    const small = call(it, 1)
    await vi.advanceTimersByTimeAsync(WAIT_MS / 2)
    expect([large.state, small.state]).toEqual(["refused", "in"])
  })
})

test("by default 10,000 are under way, and others wait for 10 seconds", () => {
  expect(DEFAULT_EMIT_QUEUE).toEqual({ limit: 10_000, whenFull: "wait", waitMs: 10_000 })
})
