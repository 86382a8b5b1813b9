import { expect, test } from "vitest"
import { topicAdapter } from "./adapter-topic.ts"
import { createSignal } from "../signal.ts"
import { createTopics } from "./topics.ts"

const signal = createSignal({ type: "lead.received", source: "/crm" })
const context = { abort: new AbortController().signal, attempt: 1 }

test("everyone who hears the topic gets the signal, and nobody else", async () => {
  const topics = createTopics()
  const adapter = topicAdapter({ topics })
  const heard: unknown[] = []
  topics.subscribe("leads", (...args) => heard.push(["first", ...args]))
  const leave = topics.subscribe("leads", () => heard.push(["second"]))
  topics.subscribe("orders", () => heard.push(["orders"]))
  await adapter.deliver(signal, adapter.validate({ to: "topic", topic: "leads" }), context)
  expect(heard).toEqual([["first", signal, context], ["second"]])
  leave()
  await adapter.deliver(signal, { topic: "leads" }, context)
  expect(heard.length).toBe(3)
})

test("a topic that nobody hears is no fault", async () => {
  await expect(topicAdapter({ topics: createTopics() }).deliver(signal, { topic: "leads" }, context)).resolves.toBe(
    undefined,
  )
})

test("a listener that fails keeps the signal from nobody, and is told of", async () => {
  const topics = createTopics()
  const fault = new Error("full")
  let heard = 0
  topics.subscribe("leads", () => {
    throw fault
  })
  topics.subscribe("leads", async () => {
    await Promise.resolve()
    heard++
  })
  const delivered = topicAdapter({ topics }).deliver(signal, { topic: "leads" }, context)
  await expect(delivered).rejects.toMatchObject({
    code: "dispatch_failed",
    message: `expected all of 2 listeners of "leads" to take the signal, but 1 failed; see the cause`,
    cause: { errors: [fault] },
  })
  expect(heard).toBe(1)
})

test("one function may hear twice, and leaves once for each time", async () => {
  const topics = createTopics()
  const listener = () => {}
  const leave = topics.subscribe("leads", listener)
  topics.subscribe("leads", listener)
  expect(topics.listeners("leads")).toBe(2)
  leave()
  leave()
  expect(topics.listeners("leads")).toBe(1)
})

test("who left while others came does not take them along", () => {
  const topics = createTopics()
  const leave = topics.subscribe("leads", () => {})
  leave()
  topics.subscribe("leads", () => {})
  leave()
  expect(topics.listeners("leads")).toBe(1)
  expect(topics.listeners("orders")).toBe(0)
})

test.each([
  ["topic", {}],
  ["topic", { topic: "" }],
  ["name", { topic: "a", name: "b" }],
])("%s is named as wrong in %j", (path, options) => {
  const adapter = topicAdapter({ topics: createTopics() })
  expect(() => adapter.validate(options)).toThrow(expect.objectContaining({ code: "dispatch_invalid", path }))
})
