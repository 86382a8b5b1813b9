import { expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { deadline, orAborted, waitUnlessAborted } from "./deadline.ts"

const over = new Error("over")
const gone = new Error("gone")

test("a deadline fires when the time is over", () => {
  const clock = new ManualClock()
  const { abort } = deadline({ outer: new AbortController().signal, ms: 10, clock, expired: () => over })
  clock.advance(9)
  expect(abort.aborted).toBe(false)
  clock.advance(1)
  expect(abort.reason).toBe(over)
})

test("a deadline fires when the outer signal does, or had already", () => {
  const clock = new ManualClock()
  const outer = new AbortController()
  const before = deadline({ outer: outer.signal, ms: 10, clock, expired: () => over })
  outer.abort(gone)
  const after = deadline({ outer: outer.signal, ms: 10, clock, expired: () => over })
  expect([before.abort.reason, after.abort.reason]).toEqual([gone, gone])
})

test("a deadline that was ended never fires", () => {
  const clock = new ManualClock()
  const outer = new AbortController()
  const { abort, end } = deadline({ outer: outer.signal, ms: 10, clock, expired: () => over })
  end()
  clock.advance(10)
  outer.abort(gone)
  expect(abort.aborted).toBe(false)
  expect(clock.delays).toEqual([])
})

test("work that does not heed the signal is left behind", async () => {
  const controller = new AbortController()
  const work = orAborted(new Promise(() => {}), controller.signal)
  controller.abort(gone)
  await expect(work).rejects.toBe(gone)
  await expect(orAborted(new Promise(() => {}), controller.signal)).rejects.toBe(gone)
})

test("work that ends in time gives what it gives", async () => {
  const { signal } = new AbortController()
  expect(await orAborted(Promise.resolve("done"), signal)).toBe("done")
  await expect(orAborted(Promise.reject(over), signal)).rejects.toBe(over)
})

test("a wait is true when the time has passed, and false as soon as the signal fires", async () => {
  const clock = new ManualClock()
  const controller = new AbortController()
  const passed = waitUnlessAborted(10, controller.signal, clock)
  clock.advance(10)
  expect(await passed).toBe(true)
  const cut = waitUnlessAborted(10, controller.signal, clock)
  controller.abort(gone)
  expect(await cut).toBe(false)
  expect(await waitUnlessAborted(10, controller.signal, clock)).toBe(false)
  expect(clock.delays).toEqual([])
})
