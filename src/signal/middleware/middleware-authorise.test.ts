import { expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { createBus } from "../bus/bus-in-process.ts"
import { authorise } from "./middleware-authorise.ts"
import { middlewareContract } from "./middleware-contract.ts"
import { createSignal } from "../signal.ts"

middlewareContract("authorise", () => authorise({ publish: () => true, receive: async () => true }), { test, expect })
middlewareContract("authorise that denies", () => authorise({ publish: () => false, receive: () => false }), {
  test,
  expect,
})

const signal = createSignal({ type: "payroll.changed", source: "/hr" })

test("a principal that may not publish gets forbidden, and nobody gets the signal", async () => {
  const bus = createBus({ middleware: [authorise({ publish: (_, { principal }) => principal === "hr" })] })
  const got: unknown[] = []
  bus.subscribe("**", () => got.push(1))
  await expect(bus.publish(signal, { principal: "guest" })).rejects.toMatchObject({
    code: "forbidden",
    message: expect.stringContaining("payroll.changed"),
  })
  await expect(bus.publish(signal)).rejects.toMatchObject({ code: "forbidden" })
  expect(await bus.publish(signal, { principal: "hr" })).toMatchObject({ kind: "published" })
  expect(got).toHaveLength(1)
})

test("a receiver that may not have it is passed by, on every path", async () => {
  const bus = createBus({
    clock: new ManualClock(),
    middleware: [authorise({ receive: (_, { principal }) => principal === "hr" })],
  })
  const got: unknown[] = []
  for (const principal of ["hr", "guest"]) {
    bus.subscribe("**", () => got.push(`${principal} publish`), { principal })
    bus.subscribe("**", (_, { ack }) => (got.push(`${principal} persistent`), ack()), {
      persistent: true,
      startFrom: "origin",
      principal,
    })
  }
  await bus.publish(signal)
  expect(got).toEqual(["hr publish", "hr persistent"])
  expect((await bus.replay({ principal: "guest" })).signals).toEqual([])
  expect((await bus.snapshot({ principal: "guest" })).signals).toEqual([])
  expect((await bus.replay({ principal: "hr" })).signals).toEqual([signal])
})

test("what was allowed once is asked again when it is redriven", async () => {
  let isAllowed = true
  const bus = createBus({ onError: () => {}, middleware: [authorise({ receive: () => isAllowed })] })
  const got: unknown[] = []
  bus.subscribe("**", (_, { nack }) => (got.push(1), nack("no")), {
    persistent: true,
    id: "p",
    retry: { maxAttempts: 1 },
  })
  await bus.publish(signal)
  isAllowed = false
  bus.redrive("p")
  expect(got).toHaveLength(1)
  expect(bus.subscriptions()).toMatchObject([{ skipped: 1, failed: 1, pending: 0, deadLetters: 0 }])
})

test("only true allows", async () => {
  const throws = () => {
    throw new Error("directory is down")
  }
  // What a check without types may answer.
  const truthy = (() => "yes") as unknown as () => boolean
  for (const publish of [throws, truthy, () => Promise.reject(new Error("down"))])
    await expect(createBus({ middleware: [authorise({ publish })] }).publish(signal)).rejects.toThrow()
})
