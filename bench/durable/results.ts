import { isPostgresPeer, OURS, RAW } from "./contenders.ts"
import type { Figures } from "./figures.ts"
import { type Row, ROWS } from "./rows.ts"

/** One line of the results, as `--json` prints it. */
export interface Result {
  readonly id: string
  readonly what: string
  readonly ours: number | null
  readonly peers: Readonly<Record<string, number | null>>
  /** The target: at least, or where less is better at most. */
  readonly limit: number | null
  readonly unit: string
}

/** The rows that were to be measured, with their targets. */
export function resultsOf(figures: Figures, planned: readonly string[]): readonly Result[] {
  return ROWS.filter(({ id }) => planned.includes(id)).map((row) => resultOf(figures, row))
}

function resultOf(figures: Figures, row: Row): Result {
  const { id, what, unit, limit, oursFrom = id } = row
  const valueOf = (contender: string) => rounded(figures.of(id, contender)?.value ?? null)
  const names = figures.contenders(id).filter((name) => name !== OURS.name)
  const peers = Object.fromEntries(names.map((name) => [name, valueOf(name)]))
  const target = limit?.(bestPeer(row, peers)) ?? null
  const ours = rounded(figures.of(oursFrom, OURS.name)?.value ?? null)
  return { id, what, ours, peers, limit: rounded(target), unit }
}

/** The best of the peers on Postgres. */
export function bestPeer({ isLowerBetter }: Row, peers: Result["peers"]): number | undefined {
  const values = Object.entries(peers).flatMap(([name, value]) =>
    value === null || name === RAW.name || !isPostgresPeer(name) ? [] : [value],
  )
  if (values.length === 0) return undefined
  return isLowerBetter ? Math.min(...values) : Math.max(...values)
}

/** Rates need no fraction; times and shares do. */
function rounded(value: number | null): number | null {
  if (value === null) return null
  return Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 100) / 100
}
