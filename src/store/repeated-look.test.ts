import { describe, expect, test, vi } from "vitest"
import { RepeatedLook } from "./repeated-look.ts"

/** Looks that end when they are told to, each by its number. */
function looks(restMs: () => number | undefined = () => undefined) {
  const ends: (() => void)[] = []
  const errors: unknown[] = []
  const look = (): Promise<void> => new Promise((resolve) => void ends.push(resolve))
  const repeated = new RepeatedLook({ look, onError: (error) => void errors.push(error), restMs })
  return { repeated, ends, errors }
}

/** What was settled has been told. */
const told = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

describe("a repeated look", () => {
  test("asked for while one is under way comes once more after it, however often it was asked", async () => {
    const { repeated, ends } = looks()
    repeated.now()
    repeated.now()
    repeated.now()
    expect(ends).toHaveLength(1)
    ends[0]?.()
    await told()
    expect(ends).toHaveLength(2)
    ends[1]?.()
    await told()
    expect(ends).toHaveLength(2)
  })

  test("rests between looks, and one that fails keeps none from coming", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    try {
      const errors: unknown[] = []
      let count = 0
      const look = (): Promise<void> => (count++ === 0 ? Promise.reject(new Error("away")) : Promise.resolve())
      const repeated = new RepeatedLook({ look, onError: (error) => void errors.push(error), restMs: () => 500 })
      repeated.later()
      repeated.later()
      vi.advanceTimersByTime(499)
      expect(count).toBe(0)
      vi.advanceTimersByTime(1)
      expect(count).toBe(1)
      await told()
      expect(errors).toEqual([new Error("away")])
      vi.advanceTimersByTime(500)
      expect(count).toBe(2)
      await repeated.stop()
      vi.advanceTimersByTime(5_000)
      expect(count).toBe(2)
    } finally {
      vi.useRealTimers()
    }
  })

  test("that is stopped ends the one under way, and begins none", async () => {
    const { repeated, ends } = looks(() => 1)
    repeated.now()
    repeated.now()
    let isStopped = false
    const stopping = repeated.stop().then(() => (isStopped = true))
    await told()
    expect(isStopped).toBe(false)
    ends[0]?.()
    await stopping
    repeated.now()
    repeated.later()
    expect(ends).toHaveLength(1)
  })
})
