import { FleetPromptError } from "../../errors.ts"
import { type Instant, instantOf, isEarlier } from "../instant.ts"
import type { AppendOutcome, JournalAppend, JournalEntry, JournalFilter, JournalStore } from "./journal-store.ts"
import { compilePattern } from "../pattern.ts"

/** How many signals a memory store holds, and what happens when it is full. */
export interface MemoryJournalStoreOptions {
  /** Most signals held at once. Default 2,000,000; `Infinity` for no bound. */
  readonly maxSignals?: number
  /**
   * When another signal comes: `refuse` it with `journal_full` (the default), or `forget-oldest`,
   * the one that was recorded first. An effect stays when its cause is forgotten, and still names it.
   */
  readonly whenFull?: "refuse" | "forget-oldest"
  /** Told of each forgotten entry, right after it is gone. Must not throw. */
  readonly onForget?: (entry: JournalEntry) => void
}

/** The default of `MemoryJournalStoreOptions.maxSignals`. */
export const DEFAULT_MAX_SIGNALS = 2_000_000

/**
 * Keeps a journal in memory: for tests, tools and processes that need no journal after their end.
 * Appending, reading by id, effects, conversations and exact types take time that does not depend on
 * how much is stored; other queries look at each entry of the types that fit.
 *
 * @throws FleetPromptError `config_invalid` for a bound that is not a positive integer or Infinity
 * @example
 * const store = memoryJournalStore({ maxSignals: 10_000, whenFull: "forget-oldest" })
 * const journal = createJournal({ store })
 */
export function memoryJournalStore(options: MemoryJournalStoreOptions = {}): JournalStore {
  const { maxSignals = DEFAULT_MAX_SIGNALS } = options
  if (maxSignals !== Infinity && !(Number.isSafeInteger(maxSignals) && maxSignals > 0)) {
    throw new FleetPromptError(
      "config_invalid",
      `expected a positive integer or Infinity as maxSignals, got ${maxSignals}`,
      { path: "maxSignals" },
    )
  }
  return new MemoryJournalStore(maxSignals, options)
}

/** An entry with its place in the order of recording, and the next entry of each list it stands in. */
interface Node {
  readonly entry: JournalEntry
  readonly position: number
  nextOfAll: Node | undefined
  nextOfType: Node | undefined
  nextInConversation: Node | undefined
  nextEffect: Node | undefined
  /** What names it as its cause. */
  effects: List | undefined
}

type Link = "nextOfAll" | "nextOfType" | "nextInConversation" | "nextEffect"

/** Nodes in the order of recording, joined by one of their links. Lists of links cost a record the least. */
interface List {
  first: Node | undefined
  last: Node | undefined
}

class MemoryJournalStore implements JournalStore {
  readonly #nodes = new Map<string, Node>()
  readonly #all: List = emptyList()
  readonly #types = new Map<string, List>()
  readonly #conversations = new Map<string, List>()
  /** The effects of causes that were forgotten. */
  readonly #orphans = new Map<string, List>()
  #nextPosition = 0
  readonly #maxSignals: number
  readonly #options: MemoryJournalStoreOptions

  constructor(maxSignals: number, options: MemoryJournalStoreOptions) {
    this.#maxSignals = maxSignals
    this.#options = options
  }

  append({ signal, causationId, correlationId }: JournalAppend): AppendOutcome {
    const present = this.#nodes.get(signal.id)
    if (present) return { kind: "present", entry: present.entry }
    const cause = causationId === null ? undefined : this.#nodes.get(causationId)
    if (causationId !== null && !cause) return { kind: "cause_unknown" }
    const orphans = this.#orphans.get(signal.id)
    if (orphans && cause && this.#descendsFrom(cause.entry, signal.id)) return { kind: "cause_cycle" }
    if (this.#nodes.size >= this.#maxSignals && this.#options.whenFull !== "forget-oldest") throw full(this.#maxSignals)
    const entry = { signal, causationId, correlationId: correlationId ?? cause?.entry.correlationId ?? signal.id }
    this.#add(entry, cause, orphans)
    if (this.#nodes.size > this.#maxSignals) this.#forgetOldest()
    return { kind: "appended", entry }
  }

  get(id: string): JournalEntry | undefined {
    return this.#nodes.get(id)?.entry
  }

  effects(ids: readonly string[]): readonly JournalEntry[] {
    const lists = Array.from(new Set(ids), (id) => this.#nodes.get(id)?.effects ?? this.#orphans.get(id))
    return entriesOf(lists, "nextEffect")
  }

  conversation(correlationId: string): readonly JournalEntry[] {
    return entriesOf([this.#conversations.get(correlationId)], "nextInConversation")
  }

  find(filter: JournalFilter): readonly JournalEntry[] {
    const fits = matcher(filter)
    const limit = filter.limit ?? Infinity
    const found: JournalEntry[] = []
    for (const { entry } of this.#nodesOfType(filter.type)) {
      if (fits(entry)) found.push(entry)
      if (found.length >= limit) break
    }
    return found
  }

  #nodesOfType(pattern: string | undefined): Iterable<Node> {
    if (pattern === undefined) return nodesOf(this.#all, "nextOfAll")
    if (!pattern.includes("*")) return nodesOf(this.#types.get(pattern), "nextOfType")
    const compiled = compilePattern(pattern)
    return merged(
      [...this.#types].filter(([type]) => compiled.matches(type)).map(([, list]) => list),
      "nextOfType",
    )
  }

  /** Whether an id that is not here is among the causes of an entry. What is here is no circle, so this ends. */
  #descendsFrom(entry: JournalEntry, id: string): boolean {
    let at: JournalEntry | undefined = entry
    while (at !== undefined && at.causationId !== null) {
      if (at.causationId === id) return true
      at = this.get(at.causationId)
    }
    return false
  }

  #add(entry: JournalEntry, cause: Node | undefined, orphans: List | undefined): void {
    const node: Node = {
      entry,
      position: this.#nextPosition++,
      nextOfAll: undefined,
      nextOfType: undefined,
      nextInConversation: undefined,
      nextEffect: undefined,
      effects: orphans,
    }
    this.#nodes.set(entry.signal.id, node)
    push(this.#all, "nextOfAll", node)
    push(listAt(this.#types, entry.signal.type), "nextOfType", node)
    push(listAt(this.#conversations, entry.correlationId), "nextInConversation", node)
    if (cause) push((cause.effects ??= emptyList()), "nextEffect", node)
    if (orphans) this.#orphans.delete(entry.signal.id)
  }

  /** The oldest of all is the first of every list it stands in. */
  #forgetOldest(): void {
    const node = this.#all.first
    if (!node) return
    const { signal, causationId, correlationId } = node.entry
    this.#nodes.delete(signal.id)
    if (node.effects?.first) this.#orphans.set(signal.id, node.effects)
    shift(this.#all, "nextOfAll")
    shiftAt(this.#types, signal.type, "nextOfType")
    shiftAt(this.#conversations, correlationId, "nextInConversation")
    if (causationId !== null) this.#forgetEffect(causationId)
    this.#options.onForget?.(node.entry)
  }

  #forgetEffect(causeId: string): void {
    const cause = this.#nodes.get(causeId)
    if (cause?.effects) shift(cause.effects, "nextEffect")
    else shiftAt(this.#orphans, causeId, "nextEffect")
  }
}

function emptyList(): List {
  return { first: undefined, last: undefined }
}

function listAt(lists: Map<string, List>, key: string): List {
  let list = lists.get(key)
  if (!list) {
    list = emptyList()
    lists.set(key, list)
  }
  return list
}

function push(list: List, link: Link, node: Node): void {
  if (list.last) list.last[link] = node
  else list.first = node
  list.last = node
}

function shift(list: List, link: Link): void {
  list.first = list.first?.[link]
  if (!list.first) list.last = undefined
}

function shiftAt(lists: Map<string, List>, key: string, link: Link): void {
  const list = lists.get(key)
  if (!list) return
  shift(list, link)
  if (!list.first) lists.delete(key)
}

function* nodesOf(list: List | undefined, link: Link): Iterable<Node> {
  for (let node = list?.first; node; node = node[link]) yield node
}

/** The nodes of all lists in the order of recording. */
function merged(lists: readonly (List | undefined)[], link: Link): readonly Node[] {
  const nodes: Node[] = []
  for (const list of lists) for (let node = list?.first; node; node = node[link]) nodes.push(node)
  return lists.length > 1 ? nodes.toSorted((a, b) => a.position - b.position) : nodes
}

function entriesOf(lists: readonly (List | undefined)[], link: Link): readonly JournalEntry[] {
  return merged(lists, link).map((node) => node.entry)
}

/** The conditions besides type, as one function. */
function matcher(filter: JournalFilter): (entry: JournalEntry) => boolean {
  const { source, subject } = filter
  const after = filter.after === undefined ? undefined : instantOf(filter.after)
  const before = filter.before === undefined ? undefined : instantOf(filter.before)
  const timed = after !== undefined || before !== undefined
  return ({ signal }) =>
    (source === undefined || signal.source === source) &&
    (subject === undefined || signal.subject === subject) &&
    (!timed || isWithin(instantOf(signal.time), after, before))
}

function isWithin(time: Instant, after: Instant | undefined, before: Instant | undefined): boolean {
  return !(after && isEarlier(time, after)) && !(before && !isEarlier(time, before))
}

function full(maxSignals: number): FleetPromptError {
  return new FleetPromptError(
    "journal_full",
    `expected room for another signal, the memory store holds ${maxSignals}; raise maxSignals, set whenFull to "forget-oldest", or begin a new journal`,
  )
}
