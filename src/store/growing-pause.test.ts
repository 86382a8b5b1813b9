import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { GrowingPause } from "./growing-pause.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test("each rest is at most twice the one before, up to the longest, and at least half of that", async () => {
  const pause = new GrowingPause(20, 100)
  const most = [20, 40, 80, 100, 100]
  for (const ms of most) {
    expect(pause.ms).toBe(ms)
    const start = Date.now()
    const resting = pause.rest()
    await vi.advanceTimersToNextTimerAsync()
    await resting
    expect(Date.now() - start).toBeGreaterThanOrEqual(Math.floor(ms / 2))
    expect(Date.now() - start).toBeLessThanOrEqual(ms)
  }
})
