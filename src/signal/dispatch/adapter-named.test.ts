import { expect, test } from "vitest"
import { namedAdapter } from "./adapter-named.ts"
import { createSignal } from "../signal.ts"
import { createTargets } from "./targets.ts"

const signal = createSignal({ type: "invoice.paid", source: "/shop" })
const context = { abort: new AbortController().signal, attempt: 2 }

test("a target gets the signal and the context under its name, also when it came after the dispatch", async () => {
  const targets = createTargets()
  const adapter = namedAdapter({ targets })
  const options = adapter.validate({ to: "named", target: "billing" })
  await expect(adapter.deliver(signal, options, context)).rejects.toMatchObject({
    code: "dispatch_failed",
    message: `expected a target named "billing", but none is registered`,
  })
  const heard: unknown[] = []
  targets.register("billing", (...args) => heard.push(args))
  await adapter.deliver(signal, options, context)
  expect(heard).toEqual([[signal, context]])
})

test("it waits for the target, and its error is what the caller gets", async () => {
  const targets = createTargets()
  const adapter = namedAdapter({ targets })
  const fault = new Error("no paper")
  targets.register("later", () => Promise.reject(fault))
  targets.register("now", () => {
    throw fault
  })
  await expect(adapter.deliver(signal, { target: "later" }, context)).rejects.toBe(fault)
  await expect(adapter.deliver(signal, { target: "now" }, context)).rejects.toBe(fault)
})

test("a name is one target's until it leaves", () => {
  const targets = createTargets()
  const leave = targets.register("billing", () => {})
  const taken = expect.objectContaining({ code: "dispatch_invalid", message: expect.stringContaining("billing") })
  expect(() => targets.register("billing", () => {})).toThrow(taken)
  leave()
  const next = () => {}
  targets.register("billing", next)
  leave()
  expect(targets.find("billing")).toBe(next)
  expect(targets.names()).toEqual(["billing"])
})

test("a name must not be empty", () => {
  expect(() => createTargets().register("", () => {})).toThrow(expect.objectContaining({ code: "dispatch_invalid" }))
})

test.each([
  ["target", {}],
  ["target", { target: "" }],
  ["target", { target: 1 }],
  ["name", { target: "a", name: "b" }],
])("%s is named as wrong in %j", (path, options) => {
  const adapter = namedAdapter({ targets: createTargets() })
  expect(() => adapter.validate(options)).toThrow(expect.objectContaining({ code: "dispatch_invalid", path }))
})
