import { expect, test, vi } from "vitest"
import { consoleAdapter } from "./adapter-console.ts"
import { createSignal, type SignalInput } from "../signal.ts"

const context = { abort: new AbortController().signal, attempt: 1 }
const time = "2026-01-31T12:00:00.000Z"

function lineOf(input: Partial<SignalInput>, options = {}): string {
  const lines: string[] = []
  const adapter = consoleAdapter({ print: (line) => lines.push(line) })
  const signal = createSignal({ type: "lead.received", source: "/crm", time, data: { leadId: "1" }, ...input })
  void adapter.deliver(signal, adapter.validate({ to: "console", ...options }), context)
  expect(lines.length).toBe(1)
  return lines[0] ?? ""
}

test("a signal is one line", () => {
  expect(lineOf({ subject: "lead:1" })).toBe(`${time} lead.received from /crm about lead:1 {"leadId":"1"}`)
})

test("data may be left out", () => {
  expect(lineOf({}, { data: false })).toBe(`${time} lead.received from /crm`)
})

test("nothing in a signal acts on the terminal", () => {
  const line = lineOf({ source: "/a\u001B[2J\nb\u009B\u202Ec", data: "\u0085\u2028" })
  expect(line).toBe(`${time} lead.received from /a\\u{1b}[2J\\u{a}b\\u{9b}\\u{202e}c "\\u{85}\\u{2028}"`)
})

test("a long line is cut, and not within a character", () => {
  const line = lineOf({ data: "😀".repeat(5_000) })
  expect(line.length).toBeLessThanOrEqual(2_000)
  expect(line.isWellFormed()).toBe(true)
  expect(line.endsWith("…")).toBe(true)
})

test("bytes are not printed", () => {
  expect(lineOf({ data: undefined, data_base64: "AQID", datacontenttype: "image/png" })).toBe(
    `${time} lead.received from /crm (bytes)`,
  )
})

test("it prints to the console unless told otherwise", () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {})
  const signal = createSignal({ type: "a.b", source: "/x", time })
  void consoleAdapter().deliver(signal, { data: true }, context)
  expect(log).toHaveBeenCalledExactlyOnceWith(`${time} a.b from /x null`)
  log.mockRestore()
})

test.each([
  ["data", { data: 1 }],
  ["level", { level: "info" }],
])("%s is named as wrong in %j", (path, options) => {
  expect(() => consoleAdapter().validate(options)).toThrow(expect.objectContaining({ code: "dispatch_invalid", path }))
})
