import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  emptyList,
  type ListState,
  LIVE_ROWS,
  MAX_ROWS,
  type News,
  released,
  withNewest,
  withNews,
  withOlder,
} from "../../dashboard/list-state.ts"
import { numbers, page, row, rows } from "./signal-row.ts"

const PAGE = 100

function arrived(...numbers: readonly number[]): News {
  return { kind: "arrived", rows: numbers.map((number) => row(number)) }
}

function moved(number: number): News {
  const { id, deliveries } = row(number, "done")
  return { kind: "moved", changes: [{ signalId: id, deliveries }] }
}

const of3 = withNewest(emptyList, page(3), false)

describe("while the list follows", () => {
  test("new signals come first", () => {
    expect(numbers(withNews(of3, arrived(4, 5), false).shown)).toEqual([5, 4, 3, 2, 1])
  })

  test("one that was committed late stands in its place", () => {
    expect(numbers(withNews(withNews(of3, arrived(5), false), arrived(4), false).shown)).toEqual([5, 4, 3, 2, 1])
  })

  test("a signal that comes twice is there once, as it came last", () => {
    const twice: News = { kind: "arrived", rows: [row(3, "done")] }
    const { shown } = withNews(of3, twice, false)
    expect(numbers(shown)).toEqual([3, 2, 1])
    expect(shown[0]?.deliveries[0]?.status).toBe("done")
  })

  test("the oldest rows leave, and can be loaded again", () => {
    const state = withNews(of3, { kind: "arrived", rows: rows(4, LIVE_ROWS + 2) }, false)
    expect(state.shown).toHaveLength(LIVE_ROWS)
    expect(state.next).toBe(row(3).id)
    expect(numbers(withOlder(state, page(2)).shown).slice(-3)).toEqual([3, 2, 1])
  })

  test("a signal older than what is shown waits for its page", () => {
    const state = withNewest(emptyList, page(300), false)
    expect(withNews(state, arrived(50), false)).toBe(state)
  })

  test("a delivery that moved changes its row and no other", () => {
    const { shown } = withNews(of3, moved(2), false)
    expect(shown[1]?.deliveries[0]?.status).toBe("done")
    expect(shown[0]).toBe(of3.shown[0])
  })

  test("news of signals not in the list change nothing", () => {
    expect(withNews(of3, moved(9), false)).toBe(of3)
  })
})

describe("the newest page, read again,", () => {
  test("replaces the rows it covers and leaves the older ones", () => {
    const state = withNews(withNewest(emptyList, page(150), false), moved(60), false)
    const again = withNewest(state, page(170), false)
    expect(numbers(again.shown)).toEqual(numbers(rows(51, 170)).toReversed())
    expect(again.next).toBe(row(51).id)
  })

  test("replaces everything when there is a gap to the rows", () => {
    const again = withNewest(withNewest(emptyList, page(150), false), page(500), false)
    expect(numbers(again.shown)).toEqual(numbers(rows(401, 500)).toReversed())
    expect(again.next).toBe(row(401).id)
  })
})

describe("while the reader holds the list", () => {
  test("new signals wait and are counted once", () => {
    const state = withNews(withNews(of3, arrived(4, 5), true), arrived(5, 6), true)
    expect(numbers(state.shown)).toEqual([3, 2, 1])
    expect(state.waiting).toBe(3)
  })

  test("shown rows are kept up to date", () => {
    expect(withNews(of3, moved(2), true).shown[1]?.deliveries[0]?.status).toBe("done")
  })

  test("what waited is shown on release, with what moved meanwhile", () => {
    const state = released(withNews(withNews(of3, arrived(4), true), moved(4), true))
    expect(numbers(state.shown)).toEqual([4, 3, 2, 1])
    expect(state.shown[0]?.deliveries[0]?.status).toBe("done")
    expect(state.waiting).toBe(0)
  })

  test("more than fits is counted, and release shows the newest without a gap", () => {
    const state = withNews(of3, { kind: "arrived", rows: rows(4, 1_000) }, true)
    expect(state.waiting).toBe(997)
    const { shown, next } = released(state)
    expect(numbers(shown)).toEqual(numbers(rows(701, 1_000)).toReversed())
    expect(next).toBe(row(701).id)
  })

  test("a newest page that does not reach the rows leaves a gap, which release does not hide", () => {
    const state = withNewest(of3, page(500), true)
    expect(state).toMatchObject({ torn: true, waiting: 100 })
    expect(released(state)).toBe(state)
    expect(numbers(withNewest(state, page(500), false).shown)).toEqual(numbers(page(500).signals))
  })

  test("older pages push out the newest rows at the limit, and those come back only with the newest page", () => {
    const total = MAX_ROWS + 2 * PAGE
    let state: ListState = withNewest(emptyList, page(total), true)
    while (state.next !== null) state = withOlder(state, page(total, Number(state.next.slice(3))))
    expect(state.shown).toHaveLength(MAX_ROWS)
    expect(state.torn).toBe(true)
    expect(withNews(state, arrived(total + 1), false).waiting).toBe(1)
  })
})

test("whatever comes in whatever order, the list is a piece of history without a gap, newest first", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("arrive" as const), count: fc.integer({ min: 1, max: 250 }), held: fc.boolean() }),
    fc.record({ do: fc.constant("repeat" as const), back: fc.integer({ min: 0, max: 400 }), held: fc.boolean() }),
    fc.record({ do: fc.constant("miss" as const), count: fc.integer({ min: 1, max: 250 }), held: fc.boolean() }),
    fc.record({ do: fc.constant("older" as const) }),
    fc.record({ do: fc.constant("release" as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let total = 150
      let state = withNewest(emptyList, page(total), false)
      for (const each of steps) {
        if (each.do === "arrive") {
          state = withNews(state, { kind: "arrived", rows: rows(total + 1, total + each.count) }, each.held)
          total += each.count
        } else if (each.do === "repeat") {
          state = withNews(state, arrived(Math.max(1, total - each.back)), each.held)
        } else if (each.do === "miss") {
          // The feed breaks, signals are stored, the feed comes back and the newest page is read.
          total += each.count
          state = withNewest(state, page(total), each.held)
        } else if (each.do === "older" && state.next !== null) {
          state = withOlder(state, page(total, Number(state.next.slice(3))))
        } else if (each.do === "release") {
          state = state.torn ? withNewest(state, page(total), false) : released(state)
        }
        const shown = numbers(state.shown)
        expect(shown).toEqual(Array.from(shown, (_, index) => (shown[0] ?? 0) - index))
        expect(shown.length).toBeLessThanOrEqual(MAX_ROWS)
        expect(state.next).toBe(shown.at(-1) === 1 ? null : state.shown.at(-1)?.id)
        if (state.waiting === 0 && !state.torn) expect(shown[0]).toBe(total)
      }
    }),
  )
})
