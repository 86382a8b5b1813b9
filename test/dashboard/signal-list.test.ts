import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { ApiError, type PageRequest, type SignalPage } from "../../dashboard/api.ts"
import { SignalList } from "../../dashboard/signal-list.ts"
import { numbers, page, row, rows } from "./signal-row.ts"

interface Asked {
  readonly request: PageRequest
  readonly answer: (answer: SignalPage | Error) => Promise<void>
}

/** A list whose pages are answered by hand. */
function handFed(): {
  readonly list: SignalList
  readonly asked: readonly Asked[]
  readonly reader: { holds: boolean }
} {
  const asked: Asked[] = []
  const reader = { holds: false }
  const list = new SignalList({
    isHeld: () => reader.holds,
    onChange: () => {},
    fetchPage: (request) =>
      new Promise((resolve, reject) => {
        const answer = async (answered: SignalPage | Error): Promise<void> => {
          if (answered instanceof Error) reject(answered)
          else resolve(answered)
          await vi.advanceTimersByTimeAsync(0)
        }
        asked.push({ request, answer })
      }),
  })
  return { list, asked, reader }
}

function refused(status: number): ApiError {
  return new ApiError({ status, code: "c", title: "t", detail: "d" })
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test("news that come while a page is under way are not undone by it", async () => {
  const { list, asked } = handFed()
  list.reset(null)
  list.take({ kind: "moved", changes: [{ signalId: row(2).id, deliveries: row(2, "done").deliveries }] })
  list.take({ kind: "arrived", rows: [row(4)] })
  await asked[0]?.answer(page(3))
  expect(numbers(list.state.shown)).toEqual([4, 3, 2, 1])
  expect(list.state.shown[2]?.deliveries[0]?.status).toBe("done")
})

test("news that come while an older page is under way are not undone by it", async () => {
  const { list, asked } = handFed()
  list.reset(null)
  await asked[0]?.answer(page(150))
  const loaded = list.loadOlder()
  expect(asked[1]?.request).toMatchObject({ before: row(51).id, limit: 100 })
  list.take({ kind: "moved", changes: [{ signalId: row(7).id, deliveries: row(7, "done").deliveries }] })
  await asked[1]?.answer(page(150, 51))
  await loaded
  expect(list.state.shown).toHaveLength(150)
  expect(list.state.shown.find(({ id }) => id === row(7).id)?.deliveries[0]?.status).toBe("done")
})

test("a page of the filter before is not shown", async () => {
  const { list, asked } = handFed()
  list.reset("order.*")
  list.reset("lead.*")
  expect(asked[0]?.request.abort.aborted).toBe(true)
  await asked[1]?.answer(page(2))
  await asked[0]?.answer(page(50))
  expect(numbers(list.state.shown)).toEqual([2, 1])
  expect(asked.map(({ request }) => request.pattern)).toEqual(["order.*", "lead.*"])
})

test("an older page is not appended to a list that began anew", async () => {
  const { list, asked } = handFed()
  list.reset(null)
  await asked[0]?.answer(page(150))
  const loaded = list.loadOlder()
  await vi.advanceTimersByTimeAsync(1_000)
  list.refresh()
  await asked[2]?.answer(page(900))
  await asked[1]?.answer(page(150, 51))
  await loaded
  expect(numbers(list.state.shown)).toEqual(numbers(rows(801, 900)).toReversed())
})

test("however often the newest page is asked for, one is read after the one under way", async () => {
  const { list, asked } = handFed()
  list.reset(null)
  for (let times = 0; times < 5; times++) list.refresh()
  await asked[0]?.answer(page(3))
  await vi.advanceTimersByTimeAsync(10_000)
  expect(asked).toHaveLength(2)
})

test("a page read again has as many rows as are shown, up to 300", async () => {
  const { list, asked } = handFed()
  list.reset(null)
  await asked[0]?.answer(page(3))
  list.take({ kind: "arrived", rows: rows(4, 180) })
  await vi.advanceTimersByTimeAsync(1_000)
  list.refresh()
  expect(asked[1]?.request.limit).toBe(180)
})

test.each([0, 500, 503])("a failure with status %i is told and tried again, later each time", async (status) => {
  const { list, asked } = handFed()
  list.reset(null)
  await asked[0]?.answer(refused(status))
  expect(list.problem?.error.status).toBe(status)
  await vi.advanceTimersByTimeAsync(2_000)
  await asked[1]?.answer(refused(status))
  await vi.advanceTimersByTimeAsync(3_999)
  expect(asked).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(1)
  await asked[2]?.answer(page(1))
  expect(list.problem).toBeUndefined()
})

test("a refusal is not tried again by itself", async () => {
  const { list, asked } = handFed()
  list.reset("a..b")
  await asked[0]?.answer(refused(422))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toHaveLength(1)
  list.problem?.retry()
  expect(asked).toHaveLength(2)
})

test("release reads the newest page when what waits does not reach the rows", async () => {
  const { list, asked, reader } = handFed()
  list.reset(null)
  await asked[0]?.answer(page(3))
  await vi.advanceTimersByTimeAsync(1_000)
  reader.holds = true
  list.refresh()
  await asked[1]?.answer(page(500))
  expect(numbers(list.state.shown)).toEqual([3, 2, 1])
  await vi.advanceTimersByTimeAsync(1_000)
  list.release()
  await asked[2]?.answer(page(500))
  expect(numbers(list.state.shown)).toEqual(numbers(rows(401, 500)).toReversed())
  expect(list.state).toMatchObject({ waiting: 0, torn: false })
})
