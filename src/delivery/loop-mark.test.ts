import { expect, test } from "vitest"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { HandlerContext } from "./handler-definition.ts"
import { defineHandler } from "./handler.ts"
import { LoopMark, readLoop } from "./loop-mark.ts"

/** Only what the mark reads of a context. */
function contextOf(...ids: readonly string[]): HandlerContext {
  return { signals: ids.map((id) => ({ id }) as StoredSignal) } as unknown as HandlerContext
}

function ids(count: number): readonly string[] {
  return Array.from({ length: count }, () => crypto.randomUUID())
}

test("a call is seen from its beginning to its first await", async () => {
  const seen: unknown[] = []
  const first = defineHandler({ name: "first", on: "**", run: () => {} })
  const second = defineHandler({
    name: "second",
    on: "**",
    run: async () => {
      seen.push(readLoop(mark.memory).call)
      await Promise.resolve()
      seen.push(readLoop(mark.memory).call)
    },
  })
  const mark = new LoopMark()
  mark.mark(first)
  const marked = mark.mark(second)
  const [id = ""] = ids(1)
  await marked.run(contextOf(id))
  expect(seen).toEqual([{ serial: 1, handler: 1, signalIds: [id] }, undefined])
})

test("each call has another number, and one that throws is not seen any more", () => {
  const serials: unknown[] = []
  const handler = defineHandler({
    name: "h",
    on: "**",
    run: () => {
      serials.push(readLoop(mark.memory).call?.serial)
      throw new Error("mine")
    },
  })
  const mark = new LoopMark()
  const marked = mark.mark(handler)
  for (const id of ids(2)) expect(() => marked.run(contextOf(id))).toThrow("mine")
  expect([serials, readLoop(mark.memory).call]).toEqual([[1, 2], undefined])
})

test("all signals of a batch are seen, and of a smaller one after it none too many", () => {
  const seen: unknown[] = []
  const run = (): void => void seen.push(readLoop(mark.memory).call?.signalIds)
  const mark = new LoopMark()
  const marked = mark.mark(defineHandler({ name: "h", on: "**", batch: { size: 1_000 }, run }))
  const [many, few] = [ids(1_000), ids(2)]
  marked.run(contextOf(...many))
  marked.run(contextOf(...few))
  expect(seen).toEqual([many, few])
})

test("a handler that is marked while another runs has a place of its own", () => {
  const seen: unknown[] = []
  const mark = new LoopMark()
  const later = defineHandler({
    name: "later",
    on: "**",
    run: () => void seen.push(readLoop(mark.memory).call?.handler),
  })
  let brought = later
  const run = (): void => {
    brought = mark.mark(later)
    seen.push(readLoop(mark.memory).call?.handler)
  }
  mark.mark(defineHandler({ name: "first", on: "**", run })).run(contextOf(...ids(1)))
  brought.run(contextOf(...ids(1)))
  expect(seen).toEqual([0, 1])
})

test("a tick is seen", () => {
  const mark = new LoopMark()
  const { tick } = readLoop(mark.memory)
  mark.tick()
  expect(readLoop(mark.memory).tick).toBe(tick + 1)
})
