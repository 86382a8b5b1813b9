import * as fc from "fast-check"
import { expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { backoffMs, DEFAULT_RETRY, retry, type RetryOptions } from "./retry.ts"

const never = new AbortController().signal
const EXPIRED = new Error("time is over")

function optionsWith(clock: ManualClock, changes: Partial<RetryOptions> = {}): RetryOptions {
  return {
    policy: DEFAULT_RETRY,
    abort: never,
    clock,
    random: () => 0,
    verdict: () => ({ kind: "again" }),
    expired: () => EXPIRED,
    ...changes,
  }
}

/** Lets everything that is due in the promise queue run. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Plays a retry to its end, moving the clock to each wait. */
async function play(clock: ManualClock, work: Promise<unknown>): Promise<unknown> {
  const outcomes: unknown[] = []
  void work.then(
    (value) => outcomes.push({ value }),
    (error: unknown) => outcomes.push({ error }),
  )
  for (await settled(); outcomes.length === 0; await settled()) clock.advance(clock.delays[0] ?? 1)
  return outcomes[0]
}

test("it tries until it works, and waits longer each time", async () => {
  const clock = new ManualClock()
  const startedAt = clock.now()
  const triedAt: number[] = []
  const work = retry(async () => {
    triedAt.push(clock.now() - startedAt)
    if (triedAt.length < 4) throw new Error("not yet")
    return "done"
  }, optionsWith(clock))
  expect(await play(clock, work)).toEqual({ value: "done" })
  expect(triedAt).toEqual([0, 500, 1_500, 3_500])
  expect(clock.delays).toEqual([])
})

test("the last failure is what the caller sees", async () => {
  const clock = new ManualClock()
  let made = 0
  const work = retry(() => Promise.reject(new Error(`failure ${++made}`)), optionsWith(clock))
  expect(await play(clock, work)).toEqual({ error: new Error("failure 4") })
})

test("the verdict to stop ends it at once", async () => {
  const clock = new ManualClock()
  let made = 0
  const work = retry(() => Promise.reject(new Error(`failure ${++made}`)), {
    ...optionsWith(clock),
    verdict: () => ({ kind: "stop" }),
  })
  await expect(work).rejects.toThrow("failure 1")
  expect(clock.delays).toEqual([])
})

test("a wait that was asked for is kept, and chance only lengthens it", async () => {
  const clock = new ManualClock()
  const work = retry(() => Promise.reject(new Error("busy")), {
    ...optionsWith(clock, { random: () => 0.5 }),
    verdict: () => ({ kind: "again", atLeastMs: 7_000 }),
  })
  await clock.waitedFor(7_250)
  expect(await play(clock, work)).toEqual({ error: new Error("busy") })
})

test("a wait that does not fit into the time is not begun", async () => {
  const clock = new ManualClock()
  const work = retry(() => Promise.reject(new Error("busy")), {
    ...optionsWith(clock),
    verdict: () => ({ kind: "again", atLeastMs: DEFAULT_RETRY.totalMs }),
  })
  await expect(work).rejects.toThrow("busy")
  expect(clock.delays).toEqual([])
})

test("a try that does not end is told when the total time is over", async () => {
  const clock = new ManualClock()
  const work = retry(
    (abort) => new Promise((_, reject) => abort.addEventListener("abort", () => reject(abort.reason as Error))),
    optionsWith(clock, { verdict: () => ({ kind: "stop" }) }),
  )
  await clock.waitedFor(DEFAULT_RETRY.totalMs)
  clock.advance(DEFAULT_RETRY.totalMs)
  await expect(work).rejects.toBe(EXPIRED)
})

test("a caller who goes away during a wait gets the failure that led to it", async () => {
  const clock = new ManualClock()
  const caller = new AbortController()
  const work = retry(() => Promise.reject(new Error("busy")), optionsWith(clock, { abort: caller.signal }))
  await clock.waitedFor(500)
  caller.abort()
  await expect(work).rejects.toThrow("busy")
  expect(clock.delays).toEqual([])
})

test("a caller who is gone already is not served", async () => {
  let made = 0
  const work = retry(async () => made++, optionsWith(new ManualClock(), { abort: AbortSignal.abort(EXPIRED) }))
  await expect(work).rejects.toBe(EXPIRED)
  expect(made).toBe(0)
})

test("a clock that is set back does not make it wait for longer than the total", async () => {
  const clock = new ManualClock()
  const work = retry(async () => {
    clock.set(clock.now() - 3_600_000)
    throw new Error("busy")
  }, optionsWith(clock))
  expect(await play(clock, work)).toEqual({ error: new Error("busy") })
})

test("never more tries, longer waits or more time than the policy says", async () => {
  const policy = fc.record({
    maxAttempts: fc.integer({ min: 1, max: 8 }),
    baseDelayMs: fc.integer({ min: 0, max: 5_000 }),
    maxDelayMs: fc.integer({ min: 0, max: 20_000 }),
    totalMs: fc.integer({ min: 1, max: 60_000 }),
  })
  const failures = fc.array(fc.record({ takesMs: fc.nat(2_000), atLeastMs: fc.nat(40_000) }), { maxLength: 10 })
  await fc.assert(
    fc.asyncProperty(
      policy,
      failures,
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      async (policy, failures, chance) => {
        const clock = new ManualClock()
        const startedAt = clock.now()
        const asked: number[] = []
        const gaps: number[] = []
        let made = 0
        let endedAt = startedAt
        const attempt = async () => {
          if (made > 0) gaps.push(clock.now() - endedAt)
          const failure = failures[made++]
          if (!failure) return
          clock.set(clock.now() + failure.takesMs)
          endedAt = clock.now()
          asked.push(failure.atLeastMs)
          throw new Error("busy")
        }
        const verdict = () => ({ kind: "again" as const, atLeastMs: asked.at(-1) ?? 0 })
        await play(clock, retry(attempt, optionsWith(clock, { policy, verdict, random: () => chance })))
        expect(made).toBeLessThanOrEqual(policy.maxAttempts)
        gaps.forEach((gap, index) => {
          expect(gap).toBeGreaterThanOrEqual((asked[index] ?? 0) - 1e-6)
          expect(gap).toBeLessThanOrEqual(Math.max(policy.maxDelayMs, (asked[index] ?? 0) + policy.baseDelayMs) + 1e-6)
        })
        const waited = gaps.reduce((sum, gap) => sum + gap, 0)
        expect(waited).toBeLessThan(policy.totalMs)
        expect(clock.delays).toEqual([])
      },
    ),
    { numRuns: 200 },
  )
})

test("backoff lies between half and all of the doubled delay", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (failures, chance) => {
        const full = Math.min(500 * 2 ** (failures - 1), 10_000)
        const wait = backoffMs(failures, DEFAULT_RETRY, () => chance)
        expect(wait).toBeGreaterThanOrEqual(full / 2)
        expect(wait).toBeLessThanOrEqual(full)
      },
    ),
  )
})
