import { FleetPromptError } from "../../errors.ts"
import type { AppendOutcome, JournalEntry, JournalFilter, JournalStore } from "./journal-store.ts"
import { memoryJournalStore } from "./memory-journal-store.ts"
import { compilePattern } from "../pattern.ts"
import { parseSignal, type Signal } from "../signal.ts"
import { isTime } from "../time.ts"
import type { TraceNode } from "./trace-tree.ts"

/** What a journal is made of. */
export interface JournalOptions {
  /** Where it keeps its entries. Default a new `memoryJournalStore()`. */
  readonly store?: JournalStore
}

/** What is known of a signal besides its content when it is recorded. */
export interface RecordOptions {
  /** Id of the signal that caused it; it must be recorded already. Default none. */
  readonly causationId?: string | null
}

/** What `record` did. */
export interface RecordResult {
  /** False when the journal had the signal already. */
  readonly inserted: boolean
  readonly entry: JournalEntry
}

/** Conditions that a signal must meet, all of them. */
export interface JournalQuery {
  /** A pattern of types. */
  readonly type?: string
  readonly source?: string
  readonly subject?: string
  /** Signals whose time is this or later: RFC 3339 text or a date. */
  readonly after?: string | Date
  /** Signals whose time is earlier: RFC 3339 text or a date. */
  readonly before?: string | Date
  /** At most this many, the first recorded ones. Default all. */
  readonly limit?: number
}

/**
 * Remembers signals and what caused them. Lists are in the order of recording, those of `chain` by
 * distance first.
 */
export interface Journal {
  /**
   * Keeps a signal and its cause. Recording the same signal again, with the same cause, does nothing
   * and says so. The conversation is the signal's extension `correlationid`, else that of its cause,
   * else the signal's own id. The extension `causationid` is not read. A signal that is not frozen is
   * checked and copied as by `parseSignal`.
   *
   * @throws FleetPromptError `cause_unknown`, `cause_cycle`, `record_conflict` for the same id with
   * another cause or source, `journal_full`, `signal_invalid`
   */
  readonly record: (signal: Signal, options?: RecordOptions) => Promise<RecordResult>
  /** The signal of an id. */
  readonly get: (id: string) => Promise<Signal | undefined>
  /** The signal of an id with its cause and conversation. */
  readonly entry: (id: string) => Promise<JournalEntry | undefined>
  /** What caused a signal. */
  readonly cause: (id: string) => Promise<Signal | undefined>
  /** What a signal caused directly. */
  readonly effects: (id: string) => Promise<readonly Signal[]>
  /**
   * The signal and all its causes (`up`), or the signal and all that followed from it (`down`), the
   * nearest first. Empty when the journal does not have it.
   */
  readonly chain: (id: string, direction: "up" | "down") => Promise<readonly Signal[]>
  /** All signals of a conversation. */
  readonly conversation: (correlationId: string) => Promise<readonly Signal[]>
  /**
   * The signals that meet all conditions.
   *
   * @throws FleetPromptError `query_invalid`, `pattern_invalid`
   */
  readonly query: (query?: JournalQuery) => Promise<readonly Signal[]>
  /** A signal with all that followed from it as a tree, for `printTrace`. */
  readonly trace: (id: string) => Promise<TraceNode | undefined>
}

/**
 * Makes a journal.
 *
 * A cause must be recorded before its effect and never changes, so the arrows from effect to cause
 * always point to what was recorded earlier, and no circle can close: recording costs the same
 * however long the chain. A circle could only close over an id that is missing while others name it
 * as their cause, which happens when a store forgets or was filled in another way. Then, and only
 * then, `record` follows the causes of the cause.
 *
 * @example
 * const journal = createJournal()
 * await journal.record(received)
 * await journal.record(qualified, { causationId: received.id })
 * await journal.chain(qualified.id, "up") // [qualified, received]
 */
export function createJournal(options: JournalOptions = {}): Journal {
  const store = options.store ?? memoryJournalStore()
  return {
    record: (signal, recordOptions) => record(store, signal, recordOptions?.causationId ?? null),
    get: async (id) => (await store.get(id))?.signal,
    entry: async (id) => store.get(id),
    cause: (id) => causeOf(store, id),
    effects: async (id) => signalsOf(await store.effects([id])),
    chain: async (id, direction) => signalsOf(await walk(store, id, direction)),
    conversation: async (correlationId) => signalsOf(await store.conversation(correlationId)),
    query: async (query) => signalsOf(await store.find(filterOf(query ?? {}))),
    trace: (id) => trace(store, id),
  }
}

async function record(store: JournalStore, given: Signal, causationId: string | null): Promise<RecordResult> {
  const signal = Object.isFrozen(given) ? given : parseSignal(given)
  if (causationId === signal.id) throw cycle(signal.id)
  const answer = store.append({ signal, causationId, correlationId: correlationOf(signal) })
  const outcome = isPromise(answer) ? await answer : answer
  switch (outcome.kind) {
    case "appended":
      return { inserted: true, entry: outcome.entry }
    case "present":
      return { inserted: false, entry: await checkSame(store, outcome, signal, causationId) }
    case "cause_unknown":
      throw unknownCause(causationId)
    case "cause_cycle":
      throw cycle(signal.id)
  }
}

/** Asked before each await of a loop: waiting for what is there already would cost more than the work. */
function isPromise<Value>(answer: Value | Promise<Value>): answer is Promise<Value> {
  return typeof answer === "object" && answer !== null && "then" in answer
}

/** As text, because an integer is text after any transport that knows no numbers. */
function correlationOf(signal: Signal): string | null {
  const { correlationid } = signal
  return correlationid === undefined ? null : String(correlationid)
}

async function checkSame(
  store: JournalStore,
  { entry }: AppendOutcome & { kind: "present" },
  signal: Signal,
  causationId: string | null,
): Promise<JournalEntry> {
  if (entry.signal.source !== signal.source) throw conflict(signal.id, "source", entry.signal.source, signal.source)
  if (entry.causationId === causationId) return entry
  if (causationId !== null) {
    const causes = await causesFrom(store, causationId)
    if (causes.length === 0) throw unknownCause(causationId)
    if (causes.some((cause) => cause.signal.id === signal.id)) throw cycle(signal.id)
  }
  throw conflict(signal.id, "cause", entry.causationId ?? "none", causationId ?? "none")
}

function walk(store: JournalStore, id: string, direction: "up" | "down"): Promise<readonly JournalEntry[]> {
  switch (direction) {
    case "up":
      return causesFrom(store, id)
    case "down":
      return effectsFrom(store, id)
  }
}

async function causeOf(store: JournalStore, id: string): Promise<Signal | undefined> {
  const entry = await store.get(id)
  return entry === undefined || entry.causationId === null ? undefined : (await store.get(entry.causationId))?.signal
}

/**
 * From an entry to its last cause. Ends at an entry that was met before: a store that was filled in
 * another way may hold a circle.
 */
async function causesFrom(store: JournalStore, id: string): Promise<readonly JournalEntry[]> {
  const met = new Map<string, JournalEntry>()
  let next: string | null = id
  while (next !== null && !met.has(next)) {
    const answer = store.get(next)
    const entry: JournalEntry | undefined = isPromise(answer) ? await answer : answer
    if (entry === undefined) break
    met.set(next, entry)
    next = entry.causationId
  }
  return [...met.values()]
}

/** An entry, then what is one step below it, then two; each entry once. */
async function effectsFrom(store: JournalStore, id: string): Promise<readonly JournalEntry[]> {
  const met = new Map<string, JournalEntry>()
  const first = await store.get(id)
  let level: readonly JournalEntry[] = first ? [first] : []
  while (level.length > 0) {
    for (const entry of level) met.set(entry.signal.id, entry)
    const answer = store.effects(level.map((entry) => entry.signal.id))
    const effects = isPromise(answer) ? await answer : answer
    level = effects.filter((entry) => !met.has(entry.signal.id))
  }
  return [...met.values()]
}

async function trace(store: JournalStore, id: string): Promise<TraceNode | undefined> {
  const nodes = new Map<string, { readonly signal: Signal; readonly effects: TraceNode[] }>()
  for (const { signal, causationId } of await effectsFrom(store, id)) {
    const node = { signal, effects: [] }
    if (signal.id !== id && causationId !== null) nodes.get(causationId)?.effects.push(node)
    nodes.set(signal.id, node)
  }
  return nodes.get(id)
}

function filterOf({ type, after, before, limit, ...same }: JournalQuery): JournalFilter {
  if (type !== undefined) compilePattern(type)
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
    throw invalidQuery("limit", "a positive integer", limit)
  }
  return {
    ...same,
    ...(type !== undefined && { type }),
    ...(after !== undefined && { after: timeOf("after", after) }),
    ...(before !== undefined && { before: timeOf("before", before) }),
    ...(limit !== undefined && { limit }),
  }
}

function timeOf(name: string, value: string | Date): string {
  if (typeof value === "string" ? isTime(value) : !Number.isNaN(value.getTime())) {
    return typeof value === "string" ? value : value.toISOString()
  }
  throw invalidQuery(name, `an RFC 3339 time such as "2026-01-31T12:00:00Z", or a date,`, value)
}

function signalsOf(entries: readonly JournalEntry[]): readonly Signal[] {
  return entries.map((entry) => entry.signal)
}

function unknownCause(id: string | null): FleetPromptError {
  return new FleetPromptError("cause_unknown", `expected a cause that is recorded, got ${id}; record the cause first`, {
    path: "causationId",
  })
}

function cycle(id: string): FleetPromptError {
  return new FleetPromptError(
    "cause_cycle",
    `expected a cause that is no effect of ${id}, got one that is; a signal cannot cause itself`,
    { path: "causationId" },
  )
}

function conflict(id: string, what: string, had: string, came: string): FleetPromptError {
  return new FleetPromptError(
    "record_conflict",
    `expected the ${what} ${had} with which ${id} is recorded, got ${came}; a record never changes`,
  )
}

function invalidQuery(path: string, expected: string, came: unknown): FleetPromptError {
  return new FleetPromptError("query_invalid", `expected ${expected} as ${path}, got ${String(came)}`, { path })
}
