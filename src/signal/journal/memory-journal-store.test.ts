import fc from "fast-check"
import assert from "node:assert/strict"
import { describe, expect, test } from "vitest"
import { journalStoreContract } from "./journal-store-contract.ts"
import type { JournalAppend, JournalEntry, JournalStore } from "./journal-store.ts"
import { memoryJournalStore } from "./memory-journal-store.ts"
import { createSignal } from "../signal.ts"

journalStoreContract("memory store", () => memoryJournalStore(), { test, expect })
journalStoreContract("memory store without a bound", () => memoryJournalStore({ maxSignals: Infinity }), {
  test,
  expect,
})
journalStoreContract("a store that answers later", () => delayed(memoryJournalStore()), { test, expect })

test("the contract finds the fault of a store, under any runner", async () => {
  const faults: readonly [string, Partial<JournalStore>][] = [
    ["effects in the wrong order", { effects: async (ids) => (await memory.effects(ids)).toReversed() }],
    ["no limit", { find: async ({ limit: _, ...filter }) => memory.find(filter) }],
    ["unknown causes kept", { append: async (entry) => memory.append({ ...entry, causationId: null }) }],
    ["nothing found", { get: async () => undefined }],
  ]
  let memory = memoryJournalStore()
  for (const [fault, methods] of faults) {
    const tests: (() => Promise<void>)[] = []
    journalStoreContract(
      fault,
      () => {
        memory = memoryJournalStore()
        return { ...delayed(memory), ...methods }
      },
      {
        test: (_, run) => tests.push(run),
        expect: (actual) => ({ toEqual: (expected) => assert.deepEqual(actual, expected) }),
      },
    )
    const results = await Promise.allSettled(tests.map((run) => run()))
    expect([fault, results.some(({ status }) => status === "rejected")]).toEqual([fault, true])
  }
})

describe("a full store", () => {
  test("refuses by default, and keeps what it has", async () => {
    const store = memoryJournalStore({ maxSignals: 2 })
    await store.append(append("a"))
    await store.append(append("b", "a"))
    expect(() => store.append(append("c"))).toThrow(expect.objectContaining({ code: "journal_full" }))
    expect(await idsOf(store)).toEqual(["a", "b"])
    expect(store.append(append("b", "a"))).toMatchObject({ kind: "present" })
  })

  test("forgets the oldest when told so, and says which", async () => {
    const forgotten: string[] = []
    const onForget = (entry: JournalEntry): void => void forgotten.push(entry.signal.id)
    const store = memoryJournalStore({ maxSignals: 2, whenFull: "forget-oldest", onForget })
    for (const each of [append("a"), append("b", "a"), append("c", "b"), append("d", "c")]) await store.append(each)
    expect(forgotten).toEqual(["a", "b"])
    expect(await idsOf(store)).toEqual(["c", "d"])
    expect(store.effects(["b"])).toEqual([store.get("c")])
    expect(store.append(append("e", "a"))).toEqual({ kind: "cause_unknown" })
  })

  test("refuses a circle over what it forgot", async () => {
    const store = memoryJournalStore({ maxSignals: 3, whenFull: "forget-oldest" })
    for (const each of [append("a"), append("b", "a"), append("c", "b"), append("d", "c")]) await store.append(each)
    expect(store.get("a")).toBeUndefined()
    expect(store.append(append("a", "d"))).toEqual({ kind: "cause_cycle" })
    expect(store.append(append("a"))).toMatchObject({ kind: "appended" })
  })
})

test.each([0, -1, 1.5, Number.NaN])("%d is no bound", (maxSignals) => {
  expect(() => memoryJournalStore({ maxSignals })).toThrow(expect.objectContaining({ code: "config_invalid" }))
})

test("it agrees with a list of entries that is searched from end to end", () => {
  const id = fc.integer({ min: 0, max: 12 }).map(String)
  const appends = fc.array(
    fc.record({
      id,
      causationId: fc.option(id),
      correlationId: fc.option(fc.constantFrom("talk", "3")),
      type: fc.constantFrom("a.b", "a.c", "b.b.b"),
    }),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(appends, fc.integer({ min: 1, max: 8 }), (steps, maxSignals) => {
      const store = memoryJournalStore({ maxSignals, whenFull: "forget-oldest" })
      let model: readonly JournalEntry[] = []
      for (const { id, type, ...causes } of steps) {
        const entry = { signal: signalOf(id, type), ...causes }
        const [outcome, next] = appendToList(model, entry, maxSignals)
        model = next
        expect(store.append(entry)).toMatchObject({ kind: outcome })
        expect(store.find({})).toEqual(model)
      }
      for (const each of ["talk", ...Array.from({ length: 13 }, (_, index) => String(index))]) {
        expect(store.get(each)).toEqual(model.find(({ signal }) => signal.id === each))
        expect(store.effects([each, "0"])).toEqual(
          model.filter(({ causationId }) => causationId === each || causationId === "0"),
        )
        expect(store.conversation(each)).toEqual(model.filter(({ correlationId }) => correlationId === each))
      }
      expect(store.find({ type: "a.*" })).toEqual(model.filter(({ signal }) => signal.type.startsWith("a.")))
      expect(store.find({ type: "a.b" })).toEqual(model.filter(({ signal }) => signal.type === "a.b"))
    }),
  )
})

/** What a store should do, written for the reader. */
function appendToList(
  model: readonly JournalEntry[],
  { signal, causationId, correlationId }: JournalAppend,
  maxSignals: number,
): readonly [string, readonly JournalEntry[]] {
  const find = (id: string | null): JournalEntry | undefined => model.find((entry) => entry.signal.id === id)
  if (find(signal.id)) return ["present", model]
  if (causationId !== null && !find(causationId)) return ["cause_unknown", model]
  for (let at = find(causationId); at; at = find(at.causationId))
    if (at.causationId === signal.id) return ["cause_cycle", model]
  const entry = {
    signal,
    causationId,
    correlationId: correlationId ?? find(causationId)?.correlationId ?? signal.id,
  }
  return ["appended", [...model, entry].slice(-maxSignals)]
}

function delayed(store: JournalStore): JournalStore {
  return {
    append: async (entry) => store.append(entry),
    get: async (id) => store.get(id),
    effects: async (ids) => store.effects(ids),
    conversation: async (correlationId) => store.conversation(correlationId),
    find: async (filter) => store.find(filter),
  }
}

function signalOf(id: string, type = "a.b") {
  return createSignal({ id, type, source: "/x", time: "2026-01-31T12:00:00Z" })
}

function append(id: string, causationId: string | null = null): JournalAppend {
  return { signal: signalOf(id), causationId, correlationId: null }
}

async function idsOf(store: JournalStore): Promise<readonly string[]> {
  return (await store.find({})).map(({ signal }) => signal.id)
}
