import { describe, expect, expectTypeOf, test } from "vitest"
import type { JournalEntry, JournalStore } from "./journal-store.ts"
import { createJournal, type Journal } from "./journal.ts"
import { memoryJournalStore } from "./memory-journal-store.ts"
import { createSignal, type Signal } from "../signal.ts"
import type { TraceNode } from "./trace-tree.ts"

const time = "2026-01-31T12:00:00Z"
const signalOf = (id: string, extensions: Record<string, string | number> = {}): Signal =>
  createSignal({ id, type: "lead.received", source: "/crm", time, ...extensions })
const idsOf = (signals: readonly Signal[]): readonly string[] => signals.map(({ id }) => id)

async function journalOf(causes: Readonly<Record<string, string | null>>): Promise<Journal> {
  const journal = createJournal()
  for (const [id, causationId] of Object.entries(causes)) await journal.record(signalOf(id), { causationId })
  return journal
}

const family = { root: null, a: "root", b: "root", aa: "a", ab: "a", ba: "b", lone: null }

test("a signal, its cause and its effects are found again", async () => {
  const journal = await journalOf(family)
  expect(await journal.get("a")).toEqual(signalOf("a"))
  expect(await journal.get("nobody")).toBeUndefined()
  expect((await journal.cause("aa"))?.id).toBe("a")
  expect(await journal.cause("root")).toBeUndefined()
  expect(await journal.cause("nobody")).toBeUndefined()
  expect(idsOf(await journal.effects("a"))).toEqual(["aa", "ab"])
  expect(await journal.entry("ab")).toEqual({ signal: signalOf("ab"), causationId: "a", correlationId: "root" })
})

test("a chain is listed the nearest first", async () => {
  const journal = await journalOf(family)
  expect(idsOf(await journal.chain("aa", "up"))).toEqual(["aa", "a", "root"])
  expect(idsOf(await journal.chain("root", "down"))).toEqual(["root", "a", "b", "aa", "ab", "ba"])
  expect(idsOf(await journal.chain("lone", "down"))).toEqual(["lone"])
  expect(await journal.chain("nobody", "up")).toEqual([])
  expect(await journal.chain("nobody", "down")).toEqual([])
})

test("a trace is the tree of what followed, and only that", async () => {
  const journal = await journalOf(family)
  const shape = (node: TraceNode): unknown => ({ [node.signal.id]: node.effects.map(shape) })
  const root = await journal.trace("root")
  expect(root && shape(root)).toEqual({ root: [{ a: [{ aa: [] }, { ab: [] }] }, { b: [{ ba: [] }] }] })
  const below = await journal.trace("b")
  expect(below && shape(below)).toEqual({ b: [{ ba: [] }] })
  expect(await journal.trace("nobody")).toBeUndefined()
})

describe("the conversation", () => {
  test("is that of the extension, of the cause, or the signal's own", async () => {
    const journal = createJournal()
    await journal.record(signalOf("root"))
    await journal.record(signalOf("a"), { causationId: "root" })
    await journal.record(signalOf("b", { correlationid: "talk" }), { causationId: "a" })
    await journal.record(signalOf("c"), { causationId: "b" })
    await journal.record(signalOf("d", { correlationid: "talk" }))
    expect(idsOf(await journal.conversation("root"))).toEqual(["root", "a"])
    expect(idsOf(await journal.conversation("talk"))).toEqual(["b", "c", "d"])
    expect(await journal.conversation("nothing")).toEqual([])
  })

  test("has one name for a number and its text", async () => {
    const journal = createJournal()
    await journal.record(signalOf("a", { correlationid: 7 }))
    await journal.record(signalOf("b", { correlationid: "7" }))
    expect(idsOf(await journal.conversation("7"))).toEqual(["a", "b"])
  })
})

describe("record", () => {
  test("refuses the same id from another source", async () => {
    const journal = createJournal()
    await journal.record(signalOf("a"))
    const other = createSignal({ id: "a", type: "lead.received", source: "/web" })
    await expect(journal.record(other)).rejects.toMatchObject({ code: "record_conflict" })
  })

  test("refuses a circle of any length", async () => {
    for (const length of [1, 2, 3, 102, 5_000]) {
      const journal = await journalOf(
        Object.fromEntries(Array.from({ length }, (_, index) => [`s${index}`, index === 0 ? null : `s${index - 1}`])),
      )
      await expect(journal.record(signalOf("s0"), { causationId: `s${length - 1}` })).rejects.toMatchObject({
        code: "cause_cycle",
        path: "causationId",
      })
    }
  })

  test("reads a signal that is not frozen as parseSignal does, and keeps a copy", async () => {
    const journal = createJournal()
    const data = { leadId: "1" }
    const given: Signal = { specversion: "1.0", id: "a", type: "lead.received", source: "/crm", time, data }
    await journal.record(given)
    data.leadId = "2"
    expect((await journal.get("a"))?.data).toEqual({ leadId: "1" })
    await expect(journal.record({ ...given, id: "b", type: "not a type" })).rejects.toMatchObject({
      code: "signal_invalid",
    })
  })

  test("keeps the order of calls that do not wait for each other", async () => {
    const journal = createJournal()
    await Promise.all([
      journal.record(signalOf("a")),
      journal.record(signalOf("b"), { causationId: "a" }),
      journal.record(signalOf("c"), { causationId: "b" }),
    ])
    expect(idsOf(await journal.chain("c", "up"))).toEqual(["c", "b", "a"])
  })
})

test("a chain of 100,000 is recorded, walked both ways and not closed", async () => {
  const journal = createJournal()
  const [length, template] = [100_000, signalOf("template")]
  for (let index = 0; index < length; index++) {
    const signal = Object.freeze({ ...template, id: `s${index}` })
    await journal.record(signal, { causationId: index === 0 ? null : `s${index - 1}` })
  }
  const [first, last] = ["s0", `s${length - 1}`]
  expect((await journal.chain(last, "up")).at(-1)?.id).toBe(first)
  expect((await journal.chain(first, "down")).at(-1)?.id).toBe(last)
  await expect(journal.record(signalOf(first), { causationId: last })).rejects.toMatchObject({ code: "cause_cycle" })
}, 30_000)

describe("query", () => {
  test("takes a pattern, attributes, times and a limit", async () => {
    const journal = createJournal()
    for (const hour of [10, 11, 12])
      await journal.record(
        createSignal({ id: `${hour}`, type: "order.paid", source: "/shop", time: `2026-01-31T${hour}:00:00Z` }),
      )
    expect(idsOf(await journal.query())).toEqual(["10", "11", "12"])
    expect(idsOf(await journal.query({ type: "order.*", source: "/shop", limit: 2 }))).toEqual(["10", "11"])
    expect(idsOf(await journal.query({ after: "2026-01-31T11:00:00Z" }))).toEqual(["11", "12"])
    expect(idsOf(await journal.query({ before: new Date("2026-01-31T11:00:00Z") }))).toEqual(["10"])
    expect(await journal.query({ subject: "order:1" })).toEqual([])
  })

  test.each([
    ["limit", { limit: 0 }],
    ["limit", { limit: 1.5 }],
    ["after", { after: "yesterday" }],
    ["after", { after: "2026-01-31" }],
    ["before", { before: new Date(Number.NaN) }],
  ])("names a wrong %s", async (path, query) => {
    await expect(createJournal().query(query)).rejects.toMatchObject({ code: "query_invalid", path })
  })

  test("refuses a wrong pattern", async () => {
    await expect(createJournal().query({ type: "order..paid" })).rejects.toMatchObject({ code: "pattern_invalid" })
  })
})

test("a store that holds a circle is walked once round", async () => {
  const entry = (id: string, causationId: string): JournalEntry => ({
    signal: signalOf(id),
    causationId,
    correlationId: "talk",
  })
  const entries = [entry("a", "c"), entry("b", "a"), entry("c", "b")]
  const store: JournalStore = {
    ...memoryJournalStore(),
    get: async (id) => entries.find(({ signal }) => signal.id === id),
    effects: async (ids) => entries.filter(({ causationId }) => causationId !== null && ids.includes(causationId)),
  }
  const journal = createJournal({ store })
  expect(idsOf(await journal.chain("a", "up"))).toEqual(["a", "c", "b"])
  expect(idsOf(await journal.chain("a", "down"))).toEqual(["a", "b", "c"])
  expect((await journal.trace("a"))?.effects[0]?.effects[0]?.effects).toEqual([])
})

test("types", () => {
  const journal = createJournal()
  expectTypeOf(journal.get).returns.resolves.toEqualTypeOf<Signal | undefined>()
  expectTypeOf(journal.effects).returns.resolves.toEqualTypeOf<readonly Signal[]>()
  expectTypeOf(journal.chain).parameter(1).toEqualTypeOf<"up" | "down">()
  expectTypeOf(journal.record).toBeCallableWith(createSignal({ type: "a.b", source: "/x", data: { n: 1 } }))
  // @ts-expect-error a store has all five methods
  createJournal({ store: { get: () => undefined } })
})
