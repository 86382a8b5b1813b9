import { expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { createBus } from "../bus/bus-in-process.ts"
import { halt } from "./middleware.ts"
import { middlewareContract } from "./middleware-contract.ts"
import { type MetricLabels, metrics } from "./middleware-metrics.ts"
import { createSignal } from "../signal.ts"

function recorder() {
  const measured: [name: string, value: number, labels: MetricLabels][] = []
  const note = (name: string, value: number, labels: MetricLabels): void => void measured.push([name, value, labels])
  return { sink: { count: note, duration: note }, measured }
}

middlewareContract("metrics", () => metrics(recorder().sink), { test, expect })

test("publishes and dispatches are counted and timed, by outcome and path", async () => {
  const { sink, measured } = recorder()
  const clock = new ManualClock()
  const bus = createBus({
    clock,
    onError: () => {},
    middleware: [
      metrics(sink, { labels: ({ type }) => ({ type }) }),
      { beforePublish: ({ type }) => (type === "bad" ? halt("no") : undefined) },
    ],
  })
  bus.subscribe("**", () => clock.advance(4))
  bus.subscribe("**", () => {
    throw new Error("no")
  })
  await bus.publish(createSignal({ type: "a", source: "/test" }))
  await bus.publish(createSignal({ type: "bad", source: "/test" })).catch(() => {})
  await bus.replay({ pattern: "a" })
  const publish = { path: "publish", type: "a" }
  expect(measured).toEqual([
    ["signals.dispatched", 1, { ...publish, outcome: "delivered" }],
    ["signals.dispatch_duration", 4, { ...publish, outcome: "delivered" }],
    ["signals.dispatched", 1, { ...publish, outcome: "failed" }],
    ["signals.dispatch_duration", 0, { ...publish, outcome: "failed" }],
    ["signals.published", 1, { type: "a", outcome: "published" }],
    ["signals.publish_duration", 4, { type: "a", outcome: "published" }],
    ["signals.published", 1, { type: "bad", outcome: "halted" }],
    ["signals.publish_duration", 0, { type: "bad", outcome: "halted" }],
    ["signals.dispatched", 1, { path: "replay", type: "a", outcome: "delivered" }],
    ["signals.dispatch_duration", 0, { path: "replay", type: "a", outcome: "delivered" }],
  ])
})
