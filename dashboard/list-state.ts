import type { DeliveryRow, SignalPage, SignalRow } from "./api.ts"

/**
 * The list of signals. `shown` is one piece of history without a gap, newest first. What arrives while
 * the reader holds the list still is counted in `waiting`, and the newest of it kept in `held`.
 */
export interface ListState {
  readonly shown: readonly SignalRow[]
  /** Leads to what is older than `shown`; null when nothing is. */
  readonly next: string | null
  readonly held: readonly SignalRow[]
  readonly waiting: number
  /** Whether there may be signals between `shown` and what is newest that are in neither list. */
  readonly torn: boolean
  readonly loaded: boolean
}

/** Deliveries of a signal that moved. */
export interface Moved {
  readonly signalId: string
  readonly deliveries: readonly DeliveryRow[]
}

/** News of the live feed. */
export type News =
  | { readonly kind: "arrived"; readonly rows: readonly SignalRow[] }
  | { readonly kind: "moved"; readonly changes: readonly Moved[] }

/** Most rows while the list follows what is new. */
export const LIVE_ROWS = 300
/** Most rows after older ones were loaded; beyond it the newest leave. */
export const MAX_ROWS = 1_000

/** Nothing read yet. */
export const emptyList: ListState = { shown: [], next: null, held: [], waiting: 0, torn: false, loaded: false }

/** Takes in news. `holding` says that the reader wants shown rows to stay where they are. */
export function withNews(state: ListState, news: News, holding: boolean): ListState {
  return news.kind === "arrived" ? withArrived(state, news.rows, holding) : withMoved(state, news.changes)
}

/**
 * Takes in the newest page: in place of the rows it covers and of those it leaves a gap to, or beside the
 * rows when the reader holds the list still.
 */
export function withNewest(state: ListState, page: SignalPage, holding: boolean): ListState {
  if (holding && state.loaded) return withNewestHeld(state, page)
  const oldest = page.signals.at(-1)?.id ?? ""
  const reachesShown = page.next !== null && oldest <= (state.shown[0]?.id ?? "")
  const older = reachesShown ? state.shown.filter(({ id }) => id < oldest) : []
  const next = older.length === 0 ? page.next : state.next
  return trim({ shown: merge(older, page.signals), next, held: [], waiting: 0, torn: false, loaded: true })
}

/** Takes in the page after the oldest row shown. */
export function withOlder(state: ListState, page: SignalPage): ListState {
  const shown = merge(state.shown, page.signals)
  const excess = Math.max(0, shown.length - MAX_ROWS)
  return { ...state, shown: shown.slice(excess), next: page.next, torn: state.torn || excess > 0 }
}

/** Shows what was held back. When `torn`, only the newest page can: the state is returned as it is. */
export function released(state: ListState): ListState {
  if (state.torn) return state
  const complete = state.waiting === state.held.length
  const shown = complete ? merge(state.shown, state.held) : state.held
  const next = complete ? state.next : (state.held.at(-1)?.id ?? null)
  return trim({ ...state, shown, next, held: [], waiting: 0 })
}

function withArrived(state: ListState, rows: readonly SignalRow[], holding: boolean): ListState {
  const sorted = merge([], rows)
  const known = new Set(state.shown.map(({ id }) => id))
  const updated = replace(
    state.shown,
    sorted.filter(({ id }) => known.has(id)),
  )
  const fresh = sorted.filter(({ id }) => !known.has(id) && isInReach(state, id))
  if (fresh.length === 0) return updated === state.shown ? state : { ...state, shown: updated }
  const waiting = hold({ ...state, shown: updated }, fresh)
  return holding ? waiting : released(waiting)
}

/** A signal older than the oldest row belongs to a page that was not asked for, unless that row is the first of all. */
function isInReach({ shown, next }: ListState, id: string): boolean {
  return next === null || id > (shown.at(-1)?.id ?? "")
}

function hold(state: ListState, rows: readonly SignalRow[]): ListState {
  const known = new Set(state.held.map(({ id }) => id))
  const unknown = rows.filter(({ id }) => !known.has(id))
  return {
    ...state,
    held: merge(state.held, rows).slice(0, LIVE_ROWS),
    waiting: state.waiting + unknown.length,
  }
}

function withNewestHeld(state: ListState, page: SignalPage): ListState {
  const newestShown = state.shown[0]?.id ?? ""
  const reachesShown = page.next === null || page.signals.some(({ id }) => id <= newestShown)
  return withArrived({ ...state, torn: state.torn || !reachesShown }, page.signals, true)
}

function withMoved(state: ListState, changes: readonly Moved[]): ListState {
  const byId = new Map(changes.map(({ signalId, deliveries }) => [signalId, deliveries]))
  const move = (row: SignalRow): SignalRow => {
    const deliveries = byId.get(row.id)
    return deliveries ? { ...row, deliveries } : row
  }
  const touches = (rows: readonly SignalRow[]): boolean => rows.some(({ id }) => byId.has(id))
  if (!touches(state.shown) && !touches(state.held)) return state
  return { ...state, shown: state.shown.map(move), held: state.held.map(move) }
}

function trim(state: ListState): ListState {
  if (state.shown.length <= LIVE_ROWS) return state
  const shown = state.shown.slice(0, LIVE_ROWS)
  return { ...state, shown, next: shown.at(-1)?.id ?? null }
}

function replace(rows: readonly SignalRow[], newer: readonly SignalRow[]): readonly SignalRow[] {
  if (newer.length === 0) return rows
  const byId = new Map(newer.map((row) => [row.id, row]))
  return rows.map((row) => byId.get(row.id) ?? row)
}

/** Both lists as one, newest first, each signal once, as the second list has it. */
function merge(rows: readonly SignalRow[], others: readonly SignalRow[]): readonly SignalRow[] {
  const byId = new Map([...rows, ...others].map((row) => [row.id, row]))
  return [...byId.values()].toSorted((a, b) => (a.id < b.id ? 1 : -1))
}
