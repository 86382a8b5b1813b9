import fc from "fast-check"
import { expect, test, vi } from "vitest"
import { Turns } from "./turns.ts"

/** A piece of work that ends when told. */
function work(): { readonly run: () => Promise<void>; readonly finish: () => void } {
  let finish: () => void = () => undefined
  const done = new Promise<void>((resolve) => (finish = resolve))
  return { run: () => done, finish: () => finish() }
}

test("gives the result of the work, and its error", async () => {
  const turns = new Turns(1, 1_000, "advice")
  expect(await turns.run(async () => 7)).toBe(7)
  await expect(turns.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no")
  expect(await turns.run(async () => 8)).toBe(8)
})

test("never lets more run than the limit, admits in order of arrival, and runs all", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(fc.nat({ max: 3 })), async (limit, lengths) => {
      const turns = new Turns(limit, 1_000, "advice")
      const begun: number[] = []
      let running = 0
      const all = lengths.map((length, index) =>
        turns.run(async () => {
          begun.push(index)
          running += 1
          expect(running).toBeLessThanOrEqual(limit)
          for (let step = 0; step < length; step += 1) await Promise.resolve()
          running -= 1
        }),
      )
      await Promise.all(all)
      expect(begun).toEqual(lengths.map((_, index) => index))
    }),
  )
})

test("refuses who waited too long, and their turn does not get lost", async () => {
  vi.useFakeTimers()
  try {
    const turns = new Turns(1, 1_000, "because of the advice")
    const first = work()
    const running = turns.run(first.run)
    const late = turns.run(async () => "late")
    const refused = expect(late).rejects.toMatchObject({
      code: "database_busy",
      message: "waited 1000 ms in vain; because of the advice",
    })
    await vi.advanceTimersByTimeAsync(1_000)
    await refused
    first.finish()
    await running
    expect(await turns.run(async () => "next")).toBe("next")
  } finally {
    vi.useRealTimers()
  }
})

test("tells how many have a turn and how many wait", async () => {
  const turns = new Turns(1, 1_000, "advice")
  expect(turns.use()).toEqual({ taken: 0, waiting: 0 })
  const first = work()
  const all = [turns.run(first.run), turns.run(async () => undefined), turns.run(async () => undefined)]
  expect(turns.use()).toEqual({ taken: 1, waiting: 2 })
  first.finish()
  await Promise.all(all)
  expect(turns.use()).toEqual({ taken: 0, waiting: 0 })
})

test("close waits for who runs and who waits, refuses who comes after, and may be called twice", async () => {
  const turns = new Turns(1, 1_000, "advice")
  const first = work()
  const ended: string[] = []
  void turns.run(first.run).then(() => ended.push("first"))
  void turns.run(async () => undefined).then(() => ended.push("second"))
  const closed = [turns.close(), turns.close()]
  await expect(turns.run(async () => "after")).rejects.toMatchObject({ code: "fleet_stopped" })
  expect(ended).toEqual([])
  first.finish()
  await Promise.all(closed)
  expect(ended).toEqual(["first", "second"])
})

test("close of turns that nobody has resolves at once", async () => {
  await expect(new Turns(1, 1_000, "advice").close()).resolves.toBeUndefined()
})
