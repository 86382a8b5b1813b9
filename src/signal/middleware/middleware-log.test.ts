import { expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import type { SignalLogger } from "../dispatch/adapter-logger.ts"
import { createBus } from "../bus/bus-in-process.ts"
import { halt, skip } from "./middleware.ts"
import { middlewareContract } from "./middleware-contract.ts"
import { log } from "./middleware-log.ts"
import { createSignal } from "../signal.ts"

function recorder() {
  const written: [level: string, message: string, fields: Readonly<Record<string, unknown>>][] = []
  const write =
    (level: string) =>
    (fields: Readonly<Record<string, unknown>>, message: string): void =>
      void written.push([level, message, fields])
  const logger: SignalLogger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  }
  return { logger, written }
}

middlewareContract("log", () => log(recorder().logger), { test, expect })

const signal = (type: string) => createSignal({ type, source: "/test", id: type, data: { password: "hunter2" } })

test("what goes well is written at the level asked for, with ids and never with data", async () => {
  const { logger, written } = recorder()
  const bus = createBus({ middleware: [log(logger, { level: "info" })], clock: new ManualClock() })
  bus.subscribe("**", () => {}, { id: "s" })
  await bus.publish(signal("a"))
  expect(written).toEqual([
    [
      "info",
      "signal delivered for s",
      { id: "a", type: "a", source: "/test", durationMs: 0, path: "publish", subscription: "s", attempt: 1 },
    ],
    [
      "info",
      "signal published",
      {
        id: "a",
        type: "a",
        source: "/test",
        durationMs: 0,
        matched: 1,
        delivered: 1,
        queued: 0,
        failed: 0,
        skipped: 0,
      },
    ],
  ])
  expect(JSON.stringify(written)).not.toContain("hunter2")
})

test("each outcome has its level", async () => {
  const { logger, written } = recorder()
  const clock = new ManualClock()
  const bus = createBus({
    clock,
    onError: () => {},
    middleware: [
      log(logger),
      {
        beforePublish: ({ type }) => (type === "skip" ? skip() : type === "halt" ? halt("no") : undefined),
        beforeDispatch: ({ type }) => (type === "pass" ? skip() : undefined),
      },
    ],
  })
  bus.subscribe("**", (_, { nack }) => void nack("no"), {
    persistent: true,
    id: "p",
    retry: { maxAttempts: 2, backoff: 1 },
  })
  for (const type of ["skip", "halt", "pass", "fail"]) await bus.publish(signal(type)).catch(() => {})
  clock.advance(1)
  expect(written.map(([level, message, { type }]) => [level, type, message])).toEqual([
    ["info", "skip", "signal skipped"],
    ["warn", "halt", "signal halted"],
    ["info", "pass", "signal skipped for p"],
    ["debug", "pass", "signal published"],
    ["warn", "fail", "signal failed for p"],
    ["debug", "fail", "signal published"],
    ["error", "fail", "signal failed for p"],
  ])
})

test("a logger that throws harms nothing", async () => {
  const fail = () => {
    throw new Error("disk full")
  }
  const errors: unknown[] = []
  const bus = createBus({
    onError: (error) => errors.push(error),
    middleware: [log({ debug: fail, info: fail, warn: fail, error: fail })],
  })
  const got: unknown[] = []
  bus.subscribe("**", () => got.push(1))
  await bus.publish(signal("a"))
  expect([got.length, errors.length]).toEqual([1, 2])
})
