import * as fc from "fast-check"
import { expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { type Breaker, type BreakerState, type BreakerVerdict, createBreaker } from "./breaker.ts"

const fail = () => Promise.reject(new Error("down"))
const succeed = () => Promise.resolve("up")

async function failTimes(breaker: Breaker, endpoint: string, times: number): Promise<void> {
  for (let made = 0; made < times; made++) await expect(breaker.run(endpoint, fail)).rejects.toThrow("down")
}

/** An attempt that ends when the test says so. */
function startAttempt(breaker: Breaker, endpoint: string) {
  let verdict: BreakerVerdict = "failing"
  let end: (verdict: BreakerVerdict) => void = () => {}
  let isAdmitted = false
  const attempt = () => {
    isAdmitted = true
    return new Promise<void>((resolve, reject) => {
      end = (told) => {
        verdict = told
        if (told === "alive") resolve()
        else reject(new Error(told))
      }
    })
  }
  const outcome = breaker.run(endpoint, attempt, () => verdict).catch((error: unknown) => error)
  return { isAdmitted, outcome, end: (told: BreakerVerdict) => end(told) }
}

test("five failures in a row open it for 30 seconds, and then it lets one trial through", async () => {
  const clock = new ManualClock()
  const breaker = createBreaker({ now: clock.now })
  await failTimes(breaker, "a", 4)
  expect(breaker.state("a")).toEqual({ kind: "closed", failures: 4 })
  await failTimes(breaker, "a", 1)
  const retryAtMs = clock.now() + 30_000
  expect(breaker.state("a")).toEqual({ kind: "open", retryAtMs })
  const refused = { code: "circuit_open", retryAtMs, message: expect.stringContaining("2026-01-01T00:00:30.000Z") }
  await expect(breaker.run("a", succeed)).rejects.toMatchObject(refused)
  expect(breaker.state("b")).toEqual({ kind: "closed", failures: 0 })

  clock.advance(30_000)
  expect(breaker.state("a")).toEqual({ kind: "half_open", trial: "waiting" })
  const trial = startAttempt(breaker, "a")
  expect(breaker.state("a")).toEqual({ kind: "half_open", trial: "under_way" })
  const others = Array.from({ length: 50 }, () => startAttempt(breaker, "a"))
  expect(others.filter(({ isAdmitted }) => isAdmitted)).toEqual([])
  expect(await others[0]?.outcome).toMatchObject({ code: "circuit_open", retryAtMs: clock.now() + 1_000 })
  trial.end("alive")
  await trial.outcome
  expect(breaker.state("a")).toEqual({ kind: "closed", failures: 0 })
})

test("a trial that fails opens it again", async () => {
  const clock = new ManualClock()
  const breaker = createBreaker({ failures: 1, openMs: 10, now: clock.now })
  await failTimes(breaker, "a", 1)
  clock.advance(10)
  await failTimes(breaker, "a", 1)
  expect(breaker.state("a")).toEqual({ kind: "open", retryAtMs: clock.now() + 10 })
})

test("a success ends the row of failures", async () => {
  const breaker = createBreaker({ failures: 2 })
  await failTimes(breaker, "a", 1)
  await breaker.run("a", succeed)
  await failTimes(breaker, "a", 1)
  expect(breaker.state("a")).toEqual({ kind: "closed", failures: 1 })
})

test("what it throws and what the attempt returns go through", async () => {
  const breaker = createBreaker()
  expect(await breaker.run("a", succeed)).toBe("up")
  const error = new Error("mine")
  await expect(breaker.run("a", () => Promise.reject(error))).rejects.toBe(error)
})

test("a verdict that throws does not keep the trial's place", async () => {
  const clock = new ManualClock()
  const breaker = createBreaker({ failures: 1, openMs: 10, now: clock.now })
  await failTimes(breaker, "a", 1)
  clock.advance(10)
  const broken = breaker.run("a", fail, () => {
    throw new Error("no verdict")
  })
  await expect(broken).rejects.toThrow("no verdict")
  expect(breaker.state("a")).toEqual({ kind: "half_open", trial: "waiting" })
})

test("a clock that is set back does not keep it open", async () => {
  const clock = new ManualClock()
  const breaker = createBreaker({ failures: 1, now: clock.now })
  await failTimes(breaker, "a", 1)
  clock.set(clock.now() - 3_600_000)
  expect(breaker.state("a")).toEqual({ kind: "half_open", trial: "waiting" })
})

test("it remembers so many endpoints, and forgets the one whose last failure is oldest", async () => {
  const breaker = createBreaker({ failures: 2, maxEndpoints: 2 })
  for (const endpoint of ["a", "b", "a", "c"]) await failTimes(breaker, endpoint, 1)
  expect(["a", "b", "c"].map(breaker.state)).toEqual([
    { kind: "open", retryAtMs: expect.any(Number) },
    { kind: "closed", failures: 0 },
    { kind: "closed", failures: 1 },
  ])
})

test("endpoints that work are not remembered and push none out", async () => {
  const breaker = createBreaker({ failures: 1, maxEndpoints: 1 })
  await failTimes(breaker, "a", 1)
  for (let made = 0; made < 100; made++) await breaker.run(`works ${made}`, succeed)
  expect(breaker.state("a").kind).toBe("open")
})

test.each([{ failures: 0 }, { openMs: -1 }, { maxEndpoints: 1.5 }, { failures: Number.NaN }])(
  "%j is refused",
  (options) => {
    const [path] = Object.keys(options)
    expect(() => createBreaker(options)).toThrow(expect.objectContaining({ code: "config_invalid", path }))
  },
)

type Event =
  | { readonly kind: "started"; readonly id: number; readonly atMs: number }
  | { readonly kind: "ended"; readonly id: number; readonly verdict: BreakerVerdict; readonly atMs: number }

const FAILURES = 3
const OPEN_MS = 100

/** What the history of one endpoint means, told without looking at how the breaker keeps it. */
function stateFrom(history: readonly Event[], nowMs: number): BreakerState {
  let row = 0
  let openedAt: number | undefined
  let trial: number | undefined
  for (const event of history) {
    if (event.kind === "started") {
      if (openedAt !== undefined) trial = event.id
    } else if (openedAt === undefined) {
      row = event.verdict === "alive" ? 0 : row + (event.verdict === "failing" ? 1 : 0)
      if (row === FAILURES) openedAt = event.atMs
    } else if (event.id === trial) {
      trial = undefined
      if (event.verdict === "failing") openedAt = event.atMs
      if (event.verdict === "alive") [row, openedAt] = [0, undefined]
    }
  }
  if (openedAt === undefined) return { kind: "closed", failures: row }
  if (nowMs < openedAt + OPEN_MS) return { kind: "open", retryAtMs: openedAt + OPEN_MS }
  return { kind: "half_open", trial: trial === undefined ? "waiting" : "under_way" }
}

test("it does what the history of each endpoint says, whatever is called when", async () => {
  const endpoint = fc.constantFrom("a", "b")
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("start" as const), endpoint }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("end" as const),
        which: fc.nat(),
        verdict: fc.constantFrom<BreakerVerdict[]>("alive", "failing", "failing", "failing", "unknown"),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(1, 50, 100, 250) }) },
  )
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), async (steps) => {
      const clock = new ManualClock()
      const breaker = createBreaker({ failures: FAILURES, openMs: OPEN_MS, now: clock.now })
      const histories = new Map<string, Event[]>([
        ["a", []],
        ["b", []],
      ])
      const open: { id: number; endpoint: string; attempt: ReturnType<typeof startAttempt> }[] = []
      let nextId = 0
      for (const step of steps) {
        if (step.kind === "wait") clock.advance(step.ms)
        if (step.kind === "start") {
          const history = histories.get(step.endpoint) ?? []
          const before = stateFrom(history, clock.now())
          const attempt = startAttempt(breaker, step.endpoint)
          const shouldPass = before.kind === "closed" || (before.kind === "half_open" && before.trial === "waiting")
          expect(attempt.isAdmitted).toBe(shouldPass)
          if (!shouldPass) expect(await attempt.outcome).toMatchObject({ code: "circuit_open" })
          if (shouldPass) open.push({ id: nextId, endpoint: step.endpoint, attempt })
          if (shouldPass) history.push({ kind: "started", id: nextId++, atMs: clock.now() })
        }
        if (step.kind === "end" && open.length > 0) {
          const [ended] = open.splice(step.which % open.length, 1)
          ended?.attempt.end(step.verdict)
          await ended?.attempt.outcome
          histories
            .get(ended?.endpoint ?? "")
            ?.push({ kind: "ended", id: ended?.id ?? -1, verdict: step.verdict, atMs: clock.now() })
        }
        for (const [endpoint, history] of histories) {
          const state = stateFrom(history, clock.now())
          seen.add(state.kind === "half_open" ? state.trial : state.kind)
          expect(breaker.state(endpoint)).toEqual(state)
        }
      }
    }),
    { numRuns: 1_000 },
  )
  expect([...seen].toSorted()).toEqual(["closed", "open", "under_way", "waiting"])
})
