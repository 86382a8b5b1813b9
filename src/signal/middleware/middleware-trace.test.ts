import { expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { createBus } from "../bus/bus-in-process.ts"
import { middlewareContract } from "./middleware-contract.ts"
import { type DispatchSpan, trace, type TraceOptions } from "./middleware-trace.ts"
import { createSignal, type Signal } from "../signal.ts"
import { childTrace, traceOf, withTrace } from "../trace/trace-context.ts"

middlewareContract("trace", () => trace(), { test, expect })

function setUp(options: TraceOptions = {}) {
  const bus = createBus({ middleware: [trace(options)], clock: new ManualClock() })
  const got: Signal[] = []
  bus.subscribe("**", (signal) => got.push(signal), { id: "first" })
  bus.subscribe("**", (signal) => got.push(signal), { id: "second" })
  return { bus, got }
}

const signal = createSignal({ type: "a.b", source: "/test" })

test("a signal without a trace begins one; each subscriber has a step of its own in it", async () => {
  const { bus, got } = setUp({ sampled: true })
  const result = await bus.publish(signal)
  const root = traceOf(result.signal)
  const steps = got.map(traceOf)
  expect(root).toMatchObject({ sampled: true })
  expect(steps.map((step) => step?.traceId)).toEqual([root?.traceId, root?.traceId])
  expect(new Set([root, ...steps].map((step) => step?.spanId)).size).toBe(3)
})

test("a signal with a trace keeps it, in the log too", async () => {
  const { bus, got } = setUp({ current: () => childTrace() })
  const own = childTrace()
  await bus.publish(withTrace(signal, { ...own, tracestate: "vendor=1" }))
  expect((await bus.replay()).signals.map(traceOf)).toEqual([{ ...own, tracestate: "vendor=1" }])
  expect(got.map(traceOf)).toMatchObject([
    { traceId: own.traceId, tracestate: "vendor=1" },
    { traceId: own.traceId, tracestate: "vendor=1" },
  ])
})

test("a signal without one joins the trace under way", async () => {
  const current = childTrace(undefined, { sampled: true })
  const { bus } = setUp({ current: () => current })
  expect(traceOf((await bus.publish(signal)).signal)).toEqual(current)
})

test("a malformed traceparent is replaced", async () => {
  const { bus } = setUp()
  const { signal: published } = await bus.publish(createSignal({ type: "a", source: "/t", traceparent: "00-nonsense" }))
  expect(traceOf(published)).toBeDefined()
})

test("each dispatch is told as a span, below the signal's own", async () => {
  const spans: DispatchSpan[] = []
  const { bus, got } = setUp({ onSpan: (span) => spans.push(span) })
  const result = await bus.publish(signal)
  expect(spans.map(({ subscription, parentSpanId, outcome: { kind } }) => [subscription, parentSpanId, kind])).toEqual([
    ["first", traceOf(result.signal)?.spanId, "delivered"],
    ["second", traceOf(result.signal)?.spanId, "delivered"],
  ])
  expect(spans.map((span) => span.trace.spanId)).toEqual(got.map((each) => traceOf(each)?.spanId))
  await bus.replay()
  expect(spans).toHaveLength(2)
})
