import { setTimeout as sleep } from "node:timers/promises"
import { expect, onTestFinished, test } from "vitest"
import { Machine } from "./machine.ts"
import { patchGlobals } from "./patched-globals.ts"
import { Random } from "./random.ts"
import { BEGINNING_MS, VirtualTime } from "./virtual-time.ts"

/** A time with one machine, until the test ends. */
function simulated() {
  onTestFinished(patchGlobals())
  const time = new VirtualTime()
  return { time, machine: new Machine("A1", new Random(1)) }
}

/** Timers are up to two milliseconds late, as real ones are. */
const LATE_MS = 2

test("what waits on a machine goes on when its time has come, and no real time passes", async () => {
  const { time, machine } = simulated()
  const began = performance.now()
  const order: string[] = []
  time.on(machine, () => {
    setTimeout(() => order.push("timer"), 60_000)
    setImmediate(() => order.push("immediate"))
    const interval = setInterval(() => order.push("interval"), 20_000)
    setTimeout(() => clearInterval(interval), 50_000)
    void sleep(55_000).then(() => order.push("sleep"))
  })
  await time.advance(59_000)
  expect(order).toEqual(["immediate", "interval", "interval", "sleep"])
  await time.advance(1_000 + LATE_MS)
  expect(order.at(-1)).toBe("timer")
  expect(performance.now() - began).toBeLessThan(30_000)
})

test("a sleep that is aborted ends at once", async () => {
  const { time, machine } = simulated()
  const abort = new AbortController()
  const slept = time.on(machine, () => sleep(1_000, undefined, { signal: abort.signal }))
  const ended = expect(slept).rejects.toThrow("aborted")
  abort.abort()
  await ended
})

test("a machine's clock may be wrong, and what it measures times with is not", async () => {
  const { time, machine } = simulated()
  machine.clockOffsetMs = -3_600_000
  await time.advance(1_500)
  expect(time.on(machine, () => Date.now())).toBe(BEGINNING_MS + 1_500 - 3_600_000)
  expect(time.on(machine, () => performance.now())).toBe(1_500)
})

test("nothing of a machine runs when it is dead, and it waits while it stands still", async () => {
  const { time, machine } = simulated()
  const other = new Machine("B1", new Random(2))
  const ran: string[] = []
  time.on(machine, () => setTimeout(() => ran.push("late"), 100))
  time.on(other, () => setTimeout(() => ran.push("never"), 100))
  machine.stalledUntil = time.now + 5_000
  other.isAlive = false
  await time.advance(4_900)
  expect(ran).toEqual([])
  await time.advance(200)
  expect(ran).toEqual(["late"])
})

test("code outside of a simulation keeps its own time", async () => {
  const before = Date.now()
  const { time } = simulated()
  await time.advance(1_000_000_000)
  expect(Date.now() - before).toBeLessThan(1_000_000)
  await new Promise((resolve) => void setTimeout(resolve, 1))
  await sleep(1)
})

test("the same seed draws the same, and a branch does not depend on what was drawn before", () => {
  const [one, other] = [new Random(7), new Random(7)]
  expect([one.next(), one.whole(1, 10)]).toEqual([other.next(), other.whole(1, 10)])
  one.next()
  expect(one.branch("network").next()).toBe(other.branch("network").next())
  expect(one.branch("script").next()).not.toBe(other.branch("network").next())
})
