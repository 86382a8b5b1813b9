/** A promise that was broken. */
export interface Violation {
  /** Which one: I1 to I9 of the table of faults, or a name. */
  readonly invariant: string
  /** What was found, as a sentence. */
  readonly what: string
  /** Signals that it is about. */
  readonly ids: readonly string[]
}
