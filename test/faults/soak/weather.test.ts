import { expect, test } from "vitest"
import { FAULTS, RESTART } from "./faults.ts"
import { percentile } from "./figures.ts"
import { FAULT_EVERY_MS, RESTART_EVERY_MS } from "./plan.ts"
import { forecast } from "./weather.ts"

const HOUR_MS = 3_600_000
const CALM = [600_000, 1_800_000] as const

function faultsOf(seed: number, forMs = HOUR_MS) {
  return forecast({ seed, forMs, noRestarts: CALM })
}

test("the same seed brings the same faults with the same chances, another seed others", () => {
  const told = (seed: number): readonly unknown[] =>
    faultsOf(seed).map(({ fault, at, chance }) => [fault.name, at, chance.next()])
  expect(told(7)).toEqual(told(7))
  expect(told(7)).not.toEqual(told(8))
})

test("a shorter soak begins as the longer one does", () => {
  const names = (forMs: number): readonly string[] => faultsOf(7, forMs).map(({ fault }) => fault.name)
  expect(names(HOUR_MS).slice(0, 36)).toEqual(names(180_000))
})

test("there is a fault every five seconds, and in an hour each kind of them", () => {
  const faults = faultsOf(1)
  expect(faults.map(({ at }) => at)).toEqual(Array.from({ length: 720 }, (_, n) => (n + 1) * FAULT_EVERY_MS))
  expect(new Set(faults.map(({ fault }) => fault))).toEqual(new Set(FAULTS))
})

test("Postgres is restarted now and then, not too often, and not around the idle transaction", () => {
  const restarts = faultsOf(1).flatMap(({ fault, at }) => (fault.name === RESTART ? at : []))
  expect(restarts.length).toBeGreaterThan(5)
  expect(restarts.filter((at) => at >= CALM[0] && at < CALM[1])).toEqual([])
  const gaps = restarts.slice(1).map((at, n) => at - (restarts[n] ?? 0))
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(RESTART_EVERY_MS)
})

test("a percentile is one of the values, and null of none", () => {
  const values = [5, 1, 4, 2, 3]
  expect([0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([3, 5, 5])
  expect(percentile([], 0.5)).toBeNull()
})
