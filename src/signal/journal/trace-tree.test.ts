import fc from "fast-check"
import { expect, test } from "vitest"
import { createJournal } from "./journal.ts"
import { createSignal } from "../signal.ts"
import { printTrace, type TraceNode } from "./trace-tree.ts"

const time = "2026-01-31T12:00:00Z"
const node = (type: string, id: string, ...effects: TraceNode[]): TraceNode => ({
  signal: createSignal({ type, id, source: "/x", time }),
  effects,
})

test("a trace is printed as a tree", async () => {
  const journal = createJournal()
  for (const [id, type, causationId] of [
    ["1", "lead.received", null],
    ["2", "lead.qualified", "1"],
    ["3", "mail.queued", "1"],
    ["4", "mls.enriched", "2"],
    ["5", "agent.told", "2"],
    ["6", "mail.sent", "3"],
  ] as const)
    await journal.record(createSignal({ id, type, source: "/x", time }), { causationId })
  const root = await journal.trace("1")
  expect(root && `\n${printTrace(root)}\n`).toBe(`
lead.received  1  2026-01-31T12:00:00Z
├─ lead.qualified  2  2026-01-31T12:00:00Z
│  ├─ mls.enriched  4  2026-01-31T12:00:00Z
│  └─ agent.told  5  2026-01-31T12:00:00Z
└─ mail.queued  3  2026-01-31T12:00:00Z
   └─ mail.sent  6  2026-01-31T12:00:00Z
`)
})

test("the text of a signal can be chosen", () => {
  const root = node("a.b", "1", node("c.d", "2"))
  expect(printTrace(root, { describe: ({ id }) => `#${id}` })).toBe("#1\n└─ #2")
})

test("what lies deeper than the limit is counted", () => {
  const deep = node("c", "3", node("d", "4"), node("e", "5", node("f", "6")))
  const root = node("a", "1", node("b", "2", deep), node("g", "7"))
  expect(printTrace(root, { maxDepth: 3, describe: ({ type }) => type })).toBe(
    ["a", "├─ b", "│  └─ c", "│     └─ … 3 more", "└─ g"].join("\n"),
  )
})

test("a chain of 100,000 is printed to the limit", () => {
  let root = node("a", "last")
  for (let index = 0; index < 100_000; index++) root = { signal: root.signal, effects: [root] }
  expect(printTrace(root).split("\n").at(-1)).toMatch(/^ +└─ … 99937 more$/)
})

test("an id cannot disturb the terminal", () => {
  expect(printTrace(node("a.b", "\u001B[2J\nx\u202Ey"))).toBe("a.b  \\u{1b}[2J\\u{a}x\\u{202e}y  2026-01-31T12:00:00Z")
})

test("every signal has one line", () => {
  const parents = fc.array(fc.nat(), { maxLength: 40 })
  fc.assert(
    fc.property(parents, (numbers) => {
      const { signal } = node("a.b", "1")
      const nodes: { signal: typeof signal; effects: TraceNode[] }[] = [{ signal, effects: [] }]
      for (const number of numbers) {
        const child = { signal, effects: [] }
        nodes[number % nodes.length]?.effects.push(child)
        nodes.push(child)
      }
      expect(nodes.slice(0, 1).map((root) => printTrace(root, { maxDepth: Infinity }).split("\n").length)).toEqual([
        numbers.length + 1,
      ])
    }),
  )
})
