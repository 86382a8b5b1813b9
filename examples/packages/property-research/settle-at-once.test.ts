import { expect, test } from "vitest"
import { settleAtOnce } from "./settle-at-once.ts"

const never = new AbortController().signal

/** Tasks that are ended by hand, and who of them was begun. */
function handTasks(count: number) {
  const begun: number[] = []
  const ends: ((value: string) => void)[] = []
  const tasks = Array.from({ length: count }, (_, place) => (abort: AbortSignal) => {
    begun.push(place)
    return new Promise<string>((resolve, reject) => {
      ends[place] = resolve
      abort.addEventListener("abort", () => reject(abort.reason as Error))
    })
  })
  return { tasks, begun, end: (place: number) => ends[place]?.(`task ${place}`) }
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

test("no more than the limit run at once, and the next begins when one ends", async () => {
  const { tasks, begun, end } = handTasks(5)
  const all = settleAtOnce(tasks, { limit: 2, timeoutMs: 60_000, abort: never })
  expect(begun).toEqual([0, 1])
  end(1)
  await turn()
  expect(begun).toEqual([0, 1, 2])
  for (const place of [0, 2, 3, 4]) {
    end(place)
    await turn()
  }
  expect(begun).toEqual([0, 1, 2, 3, 4])
  await all
})

test("what came of each stands in the order of the tasks, failures among them", async () => {
  const tasks = [async () => "a", () => Promise.reject(new Error("b failed")), async () => "c"]
  expect(await settleAtOnce(tasks, { limit: 3, timeoutMs: 60_000, abort: never })).toEqual([
    { status: "fulfilled", value: "a" },
    { status: "rejected", reason: new Error("b failed") },
    { status: "fulfilled", value: "c" },
  ])
})

test("one that takes too long is told to end, and harms no other", async () => {
  const { tasks } = handTasks(1)
  const settled = await settleAtOnce([...tasks, async () => "quick"], { limit: 2, timeoutMs: 10, abort: never })
  expect(settled).toMatchObject([
    { status: "rejected", reason: { name: "TimeoutError" } },
    { status: "fulfilled", value: "quick" },
  ])
})

test("when all are to end, those that run are told, and none begins any more", async () => {
  const { tasks, begun } = handTasks(3)
  const controller = new AbortController()
  const all = settleAtOnce(tasks, { limit: 1, timeoutMs: 60_000, abort: controller.signal })
  controller.abort(new Error("stop"))
  await expect(all).rejects.toThrow("stop")
  expect(begun).toEqual([0])
})
