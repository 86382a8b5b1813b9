import { describe, expect, test } from "vitest"
import { ManualClock } from "../../../test/support/manual-clock.ts"
import { noopAdapter } from "./adapter-noop.ts"
import type { DispatchAdapter, DispatchContext } from "./dispatch-adapter.ts"
import { DispatchError } from "./dispatch-error.ts"
import { createDispatcher } from "./dispatcher.ts"
import { createSignal, type Signal } from "../signal.ts"

const signal = createSignal({ type: "lead.received", source: "/crm", data: { leadId: "1" } })

/** An adapter that notes what it is given. */
function recorder(name = "sms") {
  const got: { signal: Signal; options: unknown; attempt: number }[] = []
  let validated = 0
  const adapter: DispatchAdapter<{ number: string }> = {
    name,
    validate: (options) => {
      validated++
      if (typeof options["number"] !== "string") throw new DispatchError("dispatch_invalid", "expected a number")
      return { number: options["number"] }
    },
    deliver: (given, options, { attempt }) => void got.push({ signal: given, options, attempt }),
  }
  return { adapter, got, validated: () => validated }
}

const never = () => new Promise<void>(() => {})

test("a function gets the signal, the attempt, and an AbortSignal that has not fired", async () => {
  const got: [Signal, DispatchContext][] = []
  await createDispatcher().dispatch(signal, (given, context) => got.push([given, context]), { attempt: 3 })
  expect(got[0]?.[0]).toBe(signal)
  expect(got[0]?.[1].attempt).toBe(3)
  expect(got[0]?.[1].abort.aborted).toBe(false)
})

test("an adapter gets its options, checked once when the dispatch is prepared, without `to`", async () => {
  const { adapter, got, validated } = recorder()
  const dispatcher = createDispatcher({ adapters: [adapter] })
  const prepared = dispatcher.prepare({ to: "sms", number: "1", other: true })
  await dispatcher.dispatch(signal, prepared)
  await dispatcher.dispatch(signal, prepared)
  expect(validated()).toBe(1)
  expect(got.map(({ options }) => options)).toEqual([{ number: "1" }, { number: "1" }])
})

test("a third party registers its own, by name", async () => {
  const { adapter, got } = recorder("carrier_pigeon")
  const dispatcher = createDispatcher()
  dispatcher.register(adapter)
  expect(dispatcher.has("carrier_pigeon")).toBe(true)
  await dispatcher.dispatch(signal, { to: "carrier_pigeon", number: "7" })
  expect(got).toHaveLength(1)
})

describe("what is wrong shows before the first signal", () => {
  const { adapter } = recorder()
  test.each([
    ["an unknown adapter", { to: "fax" }, /"fax"/],
    ["wrong options", { to: "sms" }, /number/],
    ["no adapter's name", { to: 7 }, /registered adapter/],
    ["nothing", undefined, /a function/],
    ["null", null, /a function/],
    ["a text", "sms", /"sms"/],
    ["an empty list", [], /at least one/],
    ["a list with a fault in it", [() => {}, [{ to: "fax" }]], /"fax"/],
    ["too many targets", Array.from({ length: 1_001 }, () => () => {}), /1000/],
  ])("%s", (_, dispatch, message) => {
    // Whatever a caller without types may pass.
    const prepare = () => createDispatcher({ adapters: [adapter] }).prepare(dispatch as { to: string })
    expect(prepare).toThrow(
      expect.objectContaining({ code: "dispatch_invalid", message: expect.stringMatching(message) }),
    )
  })

  test.each(["", "Sms", "9", "a-b", "function", "list", "sms"])("an adapter called %j", (name) => {
    const dispatcher = createDispatcher({ adapters: [recorder().adapter] })
    expect(() => dispatcher.register({ ...noopAdapter(), name })).toThrow(
      expect.objectContaining({ code: "dispatch_invalid" }),
    )
  })

  test("an adapter without deliver", () => {
    // What a caller without types may pass.
    const adapter = { name: "half", validate: () => ({}) } as unknown as DispatchAdapter
    expect(() => createDispatcher({ adapters: [adapter] })).toThrow(
      expect.objectContaining({ code: "dispatch_invalid" }),
    )
  })

  test.each([{ timeoutMs: 0 }, { maxConcurrency: 1.5 }, { maxTargets: -1 }, { timeoutsMs: { http: 2 ** 31 } }])(
    "the setting %j",
    (options) => {
      expect(() => createDispatcher(options)).toThrow(expect.objectContaining({ code: "config_invalid" }))
    },
  )
})

describe("failures", () => {
  test("an error of the target is the cause of a dispatch_failed", async () => {
    const cause = new Error("no")
    const failing = () => Promise.reject(cause)
    await expect(createDispatcher().dispatch(signal, failing)).rejects.toMatchObject({ code: "dispatch_failed", cause })
  })

  test("our own errors come as they are, and anything may be thrown", async () => {
    const own = new DispatchError("dispatch_gone", "gone")
    const throwing = (thrown: unknown) => () => {
      throw thrown
    }
    await expect(createDispatcher().dispatch(signal, throwing(own))).rejects.toBe(own)
    for (const thrown of [null, undefined, "x", Object.create(null)])
      await expect(createDispatcher().dispatch(signal, throwing(thrown))).rejects.toMatchObject({
        code: "dispatch_failed",
      })
  })

  test("a target that takes too long is aborted, each adapter by its own time", async () => {
    const clock = new ManualClock()
    const aborted: string[] = []
    const slow = (name: string): DispatchAdapter => ({
      name,
      validate: () => ({}),
      deliver: (_signal, _options, { abort }) => {
        abort.addEventListener("abort", () => aborted.push(name))
        return never()
      },
    })
    const dispatcher = createDispatcher({
      adapters: [slow("http"), slow("sms")],
      timeoutMs: 100,
      timeoutsMs: { http: 500 },
      clock,
    })
    const sent = ["http", "sms"].map((to) => dispatcher.dispatch(signal, { to }))
    const settled = Promise.allSettled(sent)
    clock.advance(100)
    expect(aborted).toEqual(["sms"])
    clock.advance(400)
    expect(await settled).toMatchObject([
      { reason: { code: "dispatch_failed", message: expect.stringContaining("500 ms") } },
      { reason: { code: "dispatch_failed", message: expect.stringContaining("100 ms") } },
    ])
    expect(clock.delays).toEqual([])
  })

  test("the caller can end it", async () => {
    const controller = new AbortController()
    const clock = new ManualClock()
    const sent = createDispatcher({ clock }).dispatch(signal, never, { abort: controller.signal })
    const settled = Promise.allSettled([sent])
    controller.abort(new Error("gone home"))
    expect(await settled).toMatchObject([{ reason: { code: "dispatch_failed", cause: { message: "gone home" } } }])
    expect(clock.delays).toEqual([])
    await expect(createDispatcher().dispatch(signal, never, { abort: controller.signal })).rejects.toThrow("gone home")
  })

  test("a foreign thenable is waited for, also one that throws or calls back twice", async () => {
    // oxlint-disable-next-line unicorn/no-thenable
    const thenable = (then: PromiseLike<void>["then"]) => Object.defineProperty({}, "then", { value: then })
    const twice = thenable((resolve, reject) => [resolve?.(), reject?.(new Error("late"))] as never)
    const throwing = thenable(() => {
      throw new Error("odd")
    })
    await expect(createDispatcher().dispatch(signal, () => twice)).resolves.toBeUndefined()
    await expect(createDispatcher().dispatch(signal, () => throwing)).rejects.toMatchObject({
      cause: { message: "odd" },
    })
  })
})

describe("a list", () => {
  test("all are tried, and the failures come together, in order", async () => {
    const reached: string[] = []
    const fail = (name: string) => async () => {
      await Promise.resolve()
      reached.push(name)
      throw new Error(name)
    }
    const sent = createDispatcher().dispatch(signal, [
      fail("first"),
      () => reached.push("second"),
      [
        () => {
          throw new Error("third")
        },
      ],
    ])
    const error: unknown = await sent.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: "dispatch_failed", message: expect.stringContaining("3 targets") })
    expect(error).toMatchObject({ cause: { errors: [{ message: "first" }, { message: "third" }] } })
    expect(reached).toEqual(["second", "first"])
  })

  test("functions that return at once have it at once", () => {
    const got: number[] = []
    void createDispatcher().dispatch(signal, [() => got.push(1), () => got.push(2)])
    expect(got).toEqual([1, 2])
  })

  test("so many are served at once, and no more", async () => {
    let running = 0
    let most = 0
    const waiting: (() => void)[] = []
    const target = async () => {
      most = Math.max(most, ++running)
      await new Promise<void>((resolve) => waiting.push(resolve))
      running--
    }
    const sent = createDispatcher({ maxConcurrency: 3 }).dispatch(
      signal,
      Array.from({ length: 10 }, () => target),
    )
    for (let served = 0; served < 10; served++) {
      while (waiting.length === 0) await Promise.resolve()
      waiting.shift()?.()
    }
    await sent
    expect(most).toBe(3)
  })

  test("says whether another try is of use, and when", async () => {
    const refused = () => Promise.reject(new DispatchError("dispatch_refused", "no"))
    const later = (retryAtMs: number) => () => Promise.reject(new DispatchError("circuit_open", "later", { retryAtMs }))
    const dispatcher = createDispatcher()
    await expect(dispatcher.dispatch(signal, [refused, refused])).rejects.toMatchObject({ code: "dispatch_refused" })
    await expect(dispatcher.dispatch(signal, [refused, later(5), later(9)])).rejects.toMatchObject({
      code: "dispatch_failed",
      retryAtMs: 9,
    })
  })

  test("ends with the caller: those under way are aborted", async () => {
    const controller = new AbortController()
    const aborted: number[] = []
    const target =
      (n: number) =>
      (_signal: Signal, { abort }: DispatchContext) => {
        abort.addEventListener("abort", () => aborted.push(n))
        return never()
      }
    const sent = createDispatcher().dispatch(signal, [target(1), target(2)], { abort: controller.signal })
    const settled = Promise.allSettled([sent])
    controller.abort(new Error("gone"))
    expect(await settled).toMatchObject([{ status: "rejected" }])
    expect(aborted).toEqual([1, 2])
  })
})
