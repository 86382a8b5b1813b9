import { isFleetPromptError } from "../../errors.ts"
import type { ContractRunner } from "../contract-runner.ts"
import { createJournal, type Journal } from "./journal.ts"
import type { JournalAppend, JournalEntry, JournalStore } from "./journal-store.ts"
import { createSignal, type Signal, type SignalInput } from "../signal.ts"

/** Makes a new, empty store for one test. */
export type CreateJournalStore = () => JournalStore | Promise<JournalStore>

/** How long a chain the contract builds; each step is one append and one read. */
const CHAIN_LENGTH = 500

/**
 * Registers the tests that every journal store must pass. The runner's functions are passed in, so
 * that nothing here depends on one.
 *
 * @example
 * // test and expect of Vitest
 * journalStoreContract("memory store", () => memoryJournalStore(), { test, expect })
 */
export function journalStoreContract(name: string, createStore: CreateJournalStore, runner: ContractRunner): void {
  const context: Context = {
    expect: runner.expect,
    storeTest: (title, run) => void runner.test(`${name}: ${title}`, async () => run(await createStore())),
    journalTest: (title, run) =>
      void runner.test(`${name}: ${title}`, async () => run(createJournal({ store: await createStore() }))),
  }
  appendContract(context)
  conversationContract(context)
  effectsContract(context)
  findContract(context)
  timeContract(context)
  causeContract(context)
  chainContract(context)
}

interface Context {
  readonly expect: ContractRunner["expect"]
  readonly storeTest: (title: string, run: (store: JournalStore) => Promise<void>) => void
  readonly journalTest: (title: string, run: (journal: Journal) => Promise<void>) => void
}

function appendContract({ expect, storeTest }: Context): void {
  storeTest("keeps a signal as it is", async (store) => {
    const signal = signalOf("id 'with\" \\ signs ü 😀", {
      subject: "lead:1",
      datacontenttype: "application/json",
      dataschema: "https://example.com/schema",
      time: "2026-01-31T12:00:00.123456789+01:00",
      data: { nested: [1, 2.5, "ü", null, true, { "a.b": {} }] },
      text: "extension",
      flag: false,
      count: 7,
    })
    const outcome = await store.append({ signal, causationId: null, correlationId: null })
    const entry = { signal, causationId: null, correlationId: signal.id }
    expect(outcome).toEqual({ kind: "appended", entry })
    expect(await store.get(signal.id)).toEqual(entry)
  })

  storeTest("has nothing under an unknown id", async (store) => {
    expect(await store.get("nobody")).toEqual(undefined)
    expect(await store.effects(["nobody"])).toEqual([])
    expect(await store.conversation("nobody")).toEqual([])
    expect(await store.find({})).toEqual([])
  })

  storeTest("keeps the first entry of an id", async (store) => {
    await fill(store, [append("root"), append("a", "root")])
    const outcome = await store.append(append("a"))
    expect(outcome.kind).toEqual("present")
    expect(outcome.kind === "present" && outcome.entry.causationId).toEqual("root")
    expect(idsOf(await store.find({}))).toEqual(["root", "a"])
  })

  storeTest("keeps one of many appends of the same id at once", async (store) => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, async () => store.append(append("a"))))
    expect(outcomes.filter(({ kind }) => kind === "appended").length).toEqual(1)
    expect(outcomes.filter(({ kind }) => kind === "present").length).toEqual(7)
    expect(idsOf(await store.find({}))).toEqual(["a"])
  })

  storeTest("refuses an unknown cause and keeps nothing", async (store) => {
    expect(await store.append(append("a", "nobody"))).toEqual({ kind: "cause_unknown" })
    expect(await store.get("a")).toEqual(undefined)
    expect(await store.find({})).toEqual([])
    expect(await store.effects(["nobody"])).toEqual([])
  })
}

function conversationContract({ expect, storeTest }: Context): void {
  storeTest("takes the conversation from the signal, else from the cause, else from the id", async (store) => {
    await fill(store, [
      append("own"),
      append("inherits", "own"),
      append("named", "own", "talk"),
      append("inherits-named", "named"),
    ])
    const entries = await store.find({})
    expect(entries.map((entry) => entry.correlationId)).toEqual(["own", "own", "talk", "talk"])
  })

  storeTest("lists a conversation in the order of recording", async (store) => {
    await fill(store, [append("c", null, "talk"), append("x"), append("a", "x", "talk"), append("b", "c")])
    expect(idsOf(await store.conversation("talk"))).toEqual(["c", "a", "b"])
  })
}

function effectsContract({ expect, storeTest }: Context): void {
  storeTest("lists the direct effects of several causes in the order of recording", async (store) => {
    await fill(store, [
      append("one"),
      append("two"),
      append("z", "two"),
      append("y", "one"),
      append("x", "two"),
      append("below", "x"),
    ])
    expect(idsOf(await store.effects(["one", "two"]))).toEqual(["z", "y", "x"])
    expect(idsOf(await store.effects(["two"]))).toEqual(["z", "x"])
    expect(idsOf(await store.effects(["two", "two"]))).toEqual(["z", "x"])
    expect(await store.effects([])).toEqual([])
  })

  storeTest("returns lists that do not change later", async (store) => {
    await fill(store, [append("root"), append("a", "root")])
    const lists = [await store.effects(["root"]), await store.conversation("root"), await store.find({})]
    await fill(store, [append("b", "root")])
    expect(lists.map(idsOf)).toEqual([["a"], ["root", "a"], ["root", "a"]])
  })
}

function findContract({ expect, storeTest }: Context): void {
  storeTest("finds by each condition and by all together", async (store) => {
    await fill(store, [
      { ...none, signal: signalOf("1", { type: "lead.received", source: "/crm", subject: "lead:1" }) },
      { ...none, signal: signalOf("2", { type: "lead.qualified", source: "/crm", subject: "lead:1" }) },
      { ...none, signal: signalOf("3", { type: "lead.received", source: "/web", subject: "lead:2" }) },
      { ...none, signal: signalOf("4", { type: "mail.lead.received", source: "/web" }) },
    ])
    expect(idsOf(await store.find({}))).toEqual(["1", "2", "3", "4"])
    expect(idsOf(await store.find({ type: "lead.received" }))).toEqual(["1", "3"])
    expect(idsOf(await store.find({ type: "lead.*" }))).toEqual(["1", "2", "3"])
    expect(idsOf(await store.find({ type: "**.received" }))).toEqual(["1", "3", "4"])
    expect(idsOf(await store.find({ type: "nothing.like.it" }))).toEqual([])
    expect(idsOf(await store.find({ source: "/web" }))).toEqual(["3", "4"])
    expect(idsOf(await store.find({ subject: "lead:1" }))).toEqual(["1", "2"])
    expect(idsOf(await store.find({ type: "lead.*", source: "/crm", subject: "lead:1", limit: 1 }))).toEqual(["1"])
    expect(idsOf(await store.find({ limit: 3 }))).toEqual(["1", "2", "3"])
  })
}

function timeContract({ expect, storeTest }: Context): void {
  storeTest("finds from a time on and up to a time, to the last digit and in any zone", async (store) => {
    const times = {
      first: "2026-01-01T00:00:00Z",
      later: "2026-01-01T00:00:00.0001Z",
      latest: "2026-01-01T00:00:00.00011Z",
      earlier: "2026-01-01T00:59:59.999+01:00",
    }
    await fill(
      store,
      Object.entries(times).map(([id, time]) => ({ ...none, signal: signalOf(id, { time }) })),
    )
    expect(idsOf(await store.find({ after: "2026-01-01T00:00:00Z" }))).toEqual(["first", "later", "latest"])
    expect(idsOf(await store.find({ before: "2026-01-01T00:00:00.000Z" }))).toEqual(["earlier"])
    expect(idsOf(await store.find({ after: times.later }))).toEqual(["later", "latest"])
    expect(idsOf(await store.find({ before: "2026-01-01T02:00:00.0001+02:00" }))).toEqual(["first", "earlier"])
    expect(idsOf(await store.find({ after: times.later, before: times.latest }))).toEqual(["later"])
  })
}

function causeContract({ expect, journalTest }: Context): void {
  journalTest("records a signal once", async (journal) => {
    await journal.record(signalOf("root"))
    const first = await journal.record(signalOf("a"), { causationId: "root" })
    const again = await journal.record(signalOf("a"), { causationId: "root" })
    expect([first.inserted, again.inserted]).toEqual([true, false])
    expect(again.entry).toEqual(first.entry)
    expect((await journal.effects("root")).map(({ id }) => id)).toEqual(["a"])
  })

  journalTest("refuses another cause, an unknown one and a circle", async (journal) => {
    await journal.record(signalOf("root"))
    await journal.record(signalOf("a"), { causationId: "root" })
    await journal.record(signalOf("b"), { causationId: "a" })
    await journal.record(signalOf("other"))
    expect(await codeOf(journal.record(signalOf("b"), { causationId: "other" }))).toEqual("record_conflict")
    expect(await codeOf(journal.record(signalOf("b")))).toEqual("record_conflict")
    expect(await codeOf(journal.record(signalOf("b"), { causationId: "nobody" }))).toEqual("cause_unknown")
    expect(await codeOf(journal.record(signalOf("new"), { causationId: "nobody" }))).toEqual("cause_unknown")
    expect(await codeOf(journal.record(signalOf("new"), { causationId: "new" }))).toEqual("cause_cycle")
    expect(await codeOf(journal.record(signalOf("root"), { causationId: "root" }))).toEqual("cause_cycle")
    expect(await codeOf(journal.record(signalOf("root"), { causationId: "b" }))).toEqual("cause_cycle")
    expect((await journal.query()).map(({ id }) => id)).toEqual(["root", "a", "b", "other"])
  })
}

function chainContract({ expect, journalTest }: Context): void {
  journalTest(`walks a chain of ${CHAIN_LENGTH} both ways and refuses to close it`, async (journal) => {
    const ids = Array.from({ length: CHAIN_LENGTH }, (_, index) => `s${index}`)
    for (const [index, id] of ids.entries()) await journal.record(signalOf(id), { causationId: ids[index - 1] ?? null })
    const last = ids.at(-1) ?? ""
    expect((await journal.chain("s0", "down")).map(({ id }) => id)).toEqual(ids)
    expect((await journal.chain(last, "up")).map(({ id }) => id)).toEqual(ids.toReversed())
    expect(await codeOf(journal.record(signalOf("s0"), { causationId: last }))).toEqual("cause_cycle")
  })
}

const none = { causationId: null, correlationId: null }

function append(id: string, causationId: string | null = null, correlationId: string | null = null): JournalAppend {
  return { signal: signalOf(id), causationId, correlationId }
}

function signalOf(id: string, attributes: Partial<SignalInput> = {}): Signal {
  return createSignal({
    type: "lead.received",
    source: "/crm",
    time: "2026-01-31T12:00:00Z",
    data: {},
    ...attributes,
    id,
  })
}

async function fill(store: JournalStore, appends: readonly JournalAppend[]): Promise<void> {
  for (const each of appends) {
    const { kind } = await store.append(each)
    if (kind !== "appended") throw new Error(`expected ${each.signal.id} to be appended, got ${kind}`)
  }
}

function idsOf(entries: readonly JournalEntry[]): readonly string[] {
  return entries.map((entry) => entry.signal.id)
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return "no error"
  } catch (error) {
    if (isFleetPromptError(error)) return error.code
    throw error
  }
}
