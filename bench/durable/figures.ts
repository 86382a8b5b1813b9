import { median } from "./statistics.ts"

/** One measurement, or why there is none. */
export interface Figure {
  readonly value: number | null
  /** What to know about it, or why it is missing. */
  readonly note?: string
}

/** All measurements of a run, by row and contender. */
export class Figures {
  readonly #all = new Map<string, Map<string, Figure[]>>()

  add(row: string, contender: string, figure: Figure): void {
    const ofRow = this.#all.get(row) ?? new Map<string, Figure[]>()
    this.#all.set(row, ofRow)
    ofRow.set(contender, [...(ofRow.get(contender) ?? []), figure])
  }

  /** The median of the rounds that have a value. `undefined` when it was not measured. */
  of(row: string, contender: string): Figure | undefined {
    const rounds = this.#all.get(row)?.get(contender)
    if (!rounds) return undefined
    const value = median(rounds.flatMap(({ value }) => (value === null ? [] : [value]))) ?? null
    const note = rounds.findLast(({ note }) => note !== undefined)?.note
    return { value, ...(note !== undefined && { note }) }
  }

  /** The contenders of a row. */
  contenders(row: string): readonly string[] {
    return [...(this.#all.get(row)?.keys() ?? [])]
  }
}
