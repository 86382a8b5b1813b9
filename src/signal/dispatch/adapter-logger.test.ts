import { expect, test } from "vitest"
import { loggerAdapter, type SignalLogger } from "./adapter-logger.ts"
import { createSignal } from "../signal.ts"

const signal = createSignal({
  type: "lead.received",
  source: "/crm",
  subject: "lead:1",
  data: { email: "a@b.example" },
})
const context = { abort: new AbortController().signal, attempt: 3 }

function setUp() {
  const written: unknown[] = []
  const write =
    (level: string) =>
    (...args: unknown[]) =>
      written.push([level, ...args])
  const logger: SignalLogger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  }
  return { adapter: loggerAdapter({ logger }), written }
}

test("a signal is one entry of fields and a message, without its data", () => {
  const { adapter, written } = setUp()
  void adapter.deliver(signal, adapter.validate({ to: "logger" }), context)
  const { id, time } = signal
  const fields = { id, type: "lead.received", source: "/crm", subject: "lead:1", time, attempt: 3 }
  expect(written).toEqual([["info", fields, "signal lead.received"]])
})

test("data comes when it is asked for, and no subject when there is none", () => {
  const { adapter, written } = setUp()
  const { subject: _, ...bare } = signal
  void adapter.deliver(bare, adapter.validate({ data: true }), context)
  const { id, type, source, time, data } = signal
  expect(written).toEqual([["info", { id, type, source, time, attempt: 3, data }, "signal lead.received"]])
})

test.each(["debug", "info", "warn", "error"])("it writes at the level %s", (level) => {
  const { adapter, written } = setUp()
  void adapter.deliver(signal, adapter.validate({ level }), context)
  expect(written).toEqual([[level, expect.anything(), expect.anything()]])
})

test("a logger that throws fails the delivery", () => {
  const fail = () => {
    throw new Error("disk full")
  }
  const adapter = loggerAdapter({ logger: { debug: fail, info: fail, warn: fail, error: fail } })
  expect(() => adapter.deliver(signal, adapter.validate({}), context)).toThrow("disk full")
})

test("console is a logger", () => {
  expect(() => loggerAdapter({ logger: console }).validate({})).not.toThrow()
})

test.each([
  ["level", { level: "warning" }],
  ["data", { data: "yes" }],
  ["levels", { levels: "info" }],
])("%s is named as wrong in %j", (path, options) => {
  expect(() => setUp().adapter.validate(options)).toThrow(expect.objectContaining({ code: "dispatch_invalid", path }))
})
