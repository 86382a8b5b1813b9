import type { Signal } from "../signal.ts"

/** A signal as a journal keeps it. */
export interface JournalEntry {
  readonly signal: Signal
  /** Id of the signal that caused this one; null for the first of a trail. It never changes. */
  readonly causationId: string | null
  /** The conversation it belongs to. */
  readonly correlationId: string
}

/** What a store is asked to keep. */
export interface JournalAppend {
  readonly signal: Signal
  /** Id of the signal that caused this one, or null. */
  readonly causationId: string | null
  /** The conversation the signal names itself. Null: that of its cause, and without a cause its own id. */
  readonly correlationId: string | null
}

/** What became of an append. Only `appended` changes the store. */
export type AppendOutcome =
  | { readonly kind: "appended"; readonly entry: JournalEntry }
  /** The id is there already: `entry` is what the store has, and keeps. */
  | { readonly kind: "present"; readonly entry: JournalEntry }
  /** The store does not have the cause. */
  | { readonly kind: "cause_unknown" }
  /** The signal is a cause of its cause. */
  | { readonly kind: "cause_cycle" }

/** Conditions that an entry must meet, all of them. */
export interface JournalFilter {
  /** A pattern of types, valid. */
  readonly type?: string
  readonly source?: string
  readonly subject?: string
  /** RFC 3339: entries whose signal's time is this or later. */
  readonly after?: string
  /** RFC 3339: entries whose signal's time is earlier. */
  readonly before?: string
  /** At most this many, the first recorded ones. */
  readonly limit?: number
}

/**
 * Where a journal keeps its entries. Methods may answer at once or with a promise. Lists are in the
 * order of recording and do not change after they were returned. `journalStoreContract` checks a store.
 */
export interface JournalStore {
  /**
   * Checks and keeps a signal in one step that no other append comes between: its id is not there
   * yet, its cause is, and following causes from its cause never leads to it. The last can only
   * happen when entries name a cause that is missing, because it was forgotten or the store was
   * filled in another way: otherwise what has no effects yet cannot be the cause of its cause. So it
   * is enough to walk when the store already has effects of the new id.
   *
   * @throws FleetPromptError `journal_full` when there is no room
   */
  readonly append: (entry: JournalAppend) => AppendOutcome | Promise<AppendOutcome>
  /** The entry of a signal's id, if it is there. */
  readonly get: (id: string) => JournalEntry | undefined | Promise<JournalEntry | undefined>
  /** The entries that have one of these ids as their cause. */
  readonly effects: (ids: readonly string[]) => readonly JournalEntry[] | Promise<readonly JournalEntry[]>
  /** The entries of a conversation. */
  readonly conversation: (correlationId: string) => readonly JournalEntry[] | Promise<readonly JournalEntry[]>
  /** The entries that meet the filter. */
  readonly find: (filter: JournalFilter) => readonly JournalEntry[] | Promise<readonly JournalEntry[]>
}
