import { expectTypeOf, test } from "vitest"
import { httpAdapter } from "../dispatch/adapter-http.ts"
import { noopAdapter } from "../dispatch/adapter-noop.ts"
import type { Bus } from "./bus.ts"
import type { Published, PublishResult } from "./bus-fan-out.ts"
import type { Replay, Snapshot } from "./bus-reader.ts"
import type { DispatchContext } from "../dispatch/dispatch-adapter.ts"
import { createDispatcher, type Dispatch } from "../dispatch/dispatcher.ts"
import type { DispatchOutcome, Middleware, PublishOutcome } from "../middleware/middleware.ts"
import type { Signal } from "../signal.ts"
import type { Delivery, PersistentOptions, SubscribeOptions, Subscription } from "./subscription.ts"

/** Checked by the compiler; nothing here runs. */
declare const bus: Bus
declare const signal: Signal<{ leadId: string }>

test("publish gives one result for one signal, and a list for a list", () => {
  expectTypeOf(() => bus.publish(signal)).returns.toEqualTypeOf<Promise<PublishResult>>()
  expectTypeOf(() => bus.publish([signal])).returns.toEqualTypeOf<Promise<readonly PublishResult[]>>()
  expectTypeOf(() => bus.publish(signal, { principal: 1 })).returns.toEqualTypeOf<Promise<PublishResult>>()
  // @ts-expect-error a signal has an id and more
  expectTypeOf(() => bus.publish({ type: "a.b" })).returns.toBeObject()
  expectTypeOf<Published["kind"]>().toEqualTypeOf<"published">()
})

test("what a function is given depends on the kind of subscription", () => {
  expectTypeOf(() =>
    bus.subscribe("**", (given, context) => {
      expectTypeOf(given).toEqualTypeOf<Signal>()
      expectTypeOf(context).toEqualTypeOf<DispatchContext>()
    }),
  ).returns.toEqualTypeOf<Subscription>()
  expectTypeOf(() =>
    bus.subscribe(
      "**",
      (given, delivery) => {
        expectTypeOf(given).toEqualTypeOf<Signal>()
        expectTypeOf(delivery).toEqualTypeOf<Delivery>()
        expectTypeOf(delivery.ack()).toEqualTypeOf<boolean>()
      },
      { persistent: true, id: "p" },
    ),
  ).returns.toEqualTypeOf<Subscription>()
})

test("a function may return anything, and take less than it is given", () => {
  const seen: string[] = []
  expectTypeOf<(given: Signal) => number>().toExtend<Dispatch>()
  expectTypeOf<() => Promise<void>>().toExtend<Dispatch>()
  expectTypeOf(() => bus.subscribe("**", ({ id }) => seen.push(id))).returns.toEqualTypeOf<Subscription>()
  expectTypeOf<{ to: string; url: string }>().toExtend<Dispatch>()
  expectTypeOf<[() => void, { to: "http" }]>().toExtend<Dispatch>()
  expectTypeOf<string>().not.toExtend<Dispatch>()
  expectTypeOf<(given: Signal, delivery: Delivery) => void>().not.toExtend<Dispatch>()
  expectTypeOf<(given: Signal, delivery: Delivery) => void>().toExtend<Dispatch<Delivery>>()
})

test("options of persistent subscriptions belong to these", () => {
  // @ts-expect-error startFrom is for persistent ones
  expectTypeOf(() => bus.subscribe("**", () => {}, { startFrom: "origin" })).returns.toBeObject()
  // @ts-expect-error a time is for others
  expectTypeOf(() => bus.subscribe("**", () => {}, { persistent: true, timeoutMs: 1 })).returns.toBeObject()
  expectTypeOf<"wait" | "drop-oldest" | "refuse" | undefined>().toEqualTypeOf<SubscribeOptions["whenFull"]>()
  expectTypeOf<PersistentOptions["persistent"]>().toEqualTypeOf<true>()
})

test("what is read is a list that cannot be changed", () => {
  expectTypeOf<Replay["signals"]>().toEqualTypeOf<readonly Signal[]>()
  expectTypeOf<Snapshot>().toExtend<Replay>()
})

test("adapters of any options are taken", () => {
  expectTypeOf(createDispatcher).toBeCallableWith({ adapters: [noopAdapter(), httpAdapter()] })
})

test("outcomes tell their cases apart", () => {
  const failure = (outcome: DispatchOutcome) => (outcome.kind === "failed" ? outcome.error : undefined)
  expectTypeOf(failure).returns.toEqualTypeOf<unknown>()
  expectTypeOf<PublishOutcome["kind"]>().toEqualTypeOf<"published" | "skipped" | "halted">()
  expectTypeOf<DispatchOutcome["kind"]>().toEqualTypeOf<"delivered" | "failed" | "skipped" | "halted">()
})

test("middleware may be async or not, and answer nothing", () => {
  expectTypeOf<{ beforePublish: () => void }>().toExtend<Middleware>()
  expectTypeOf<{ beforePublish: () => Promise<void> }>().toExtend<Middleware>()
  expectTypeOf<{ beforePublish: (given: Signal) => Signal }>().toExtend<Middleware>()
  expectTypeOf<{ beforePublish: () => boolean }>().not.toExtend<Middleware>()
})
