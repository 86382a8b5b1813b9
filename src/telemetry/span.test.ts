import { AsyncLocalStorage } from "node:async_hooks"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import type { SpanListener } from "./spans.ts"
import { Telemetry } from "./telemetry.ts"

const fields = { worker: "w", lanes: 2 }

/** A listener that writes down what it is told. */
function recorder(): { readonly listener: SpanListener; readonly heard: unknown[] } {
  const heard: unknown[] = []
  const listener: SpanListener = {
    start: (span) => heard.push(["start", span.name, { ...span.fields }]),
    stop: (span, durationMs) => heard.push(["stop", span.name, { ...span.fields }, durationMs >= 0]),
    error: (span, error, durationMs) => heard.push(["error", span.name, error, durationMs >= 0]),
  }
  return { listener, heard }
}

function warnings(): readonly string[] {
  const told: string[] = []
  const warn = vi.spyOn(process, "emitWarning").mockImplementation((warning) => void told.push(String(warning)))
  onTestFinished(() => warn.mockRestore())
  return told
}

describe("a span", () => {
  test("tells start, then stop with what the step knew at its end", async () => {
    const telemetry = new Telemetry()
    const { listener, heard } = recorder()
    telemetry.listen(listener)
    const result = await telemetry.span(
      "claim",
      fields,
      async () => ["a", "b"],
      (rows) => ({ deliveries: rows.length }),
    )
    expect(result).toEqual(["a", "b"])
    expect(heard).toEqual([
      ["start", "claim", fields],
      ["stop", "claim", { ...fields, deliveries: 2 }, true],
    ])
    expect(fields).toEqual({ worker: "w", lanes: 2 })
  })

  test("tells error, and throws what the step threw", async () => {
    const telemetry = new Telemetry()
    const { listener, heard } = recorder()
    telemetry.listen(listener)
    const error = new Error("gone")
    await expect(telemetry.span("claim", fields, () => Promise.reject(error))).rejects.toBe(error)
    const atOnce = (): Promise<never> => {
      throw error
    }
    await expect(telemetry.span("claim", fields, atOnce)).rejects.toBe(error)
    expect(heard.map((it) => (it as unknown[])[0])).toEqual(["start", "error", "start", "error"])
  })

  test("is nothing but the step's own promise when nobody listens", () => {
    const telemetry = new Telemetry()
    telemetry.listen(recorder().listener)()
    const promise = Promise.resolve(1)
    expect(telemetry.hearsSpans).toBe(false)
    expect(telemetry.span("claim", fields, () => promise)).toBe(promise)
  })

  test("is told to those who hear its step, whenever they begin and end", async () => {
    const telemetry = new Telemetry()
    const heard: string[] = []
    const step = (): Promise<void> => telemetry.span("claim", fields, async () => {})
    telemetry.listen({ steps: ["emit"], start: () => heard.push("emit") })
    await step()
    const end = telemetry.listen({ steps: ["poll", "claim"], start: () => heard.push("claim") })
    await step()
    end()
    await step()
    expect(heard).toEqual(["claim"])
  })

  test("gives each of two listeners the same object from start to stop", async () => {
    const telemetry = new Telemetry()
    const seen: object[] = []
    for (const _ of [1, 2]) telemetry.listen({ start: (it) => seen.push(it), stop: (it) => seen.push(it) })
    await telemetry.span("claim", fields, async () => {})
    expect(seen).toHaveLength(4)
    expect(new Set(seen).size).toBe(1)
  })

  test("runs inside of what listeners set around it, the first outermost", async () => {
    const telemetry = new Telemetry()
    const place = new AsyncLocalStorage<string>()
    telemetry.listen({ around: (_, work) => place.run("outer", work) })
    telemetry.listen({ around: (_, work) => place.run(`${place.getStore()} inner`, work) })
    await telemetry.span("claim", fields, async () => {
      await Promise.resolve()
      expect(place.getStore()).toBe("outer inner")
    })
    expect(place.getStore()).toBeUndefined()
  })
})

describe("a listener of spans that is at fault harms nobody", () => {
  const fault = (): never => {
    throw new Error("mine")
  }
  test.each<[string, SpanListener]>([
    ["throws at the start", { start: fault }],
    ["throws at the stop", { stop: fault }],
    ["throws before the work", { around: fault }],
    [
      "throws after the work",
      {
        around: (_, work) => {
          work()
          fault()
        },
      },
    ],
    ["throws later", { around: async () => fault() }],
    ["throws what cannot be printed", { start: () => throwThat(Object.create(null)) }],
  ])("%s", async (_, listener) => {
    const told = warnings()
    const telemetry = new Telemetry()
    const { listener: other, heard } = recorder()
    telemetry.listen(listener)
    telemetry.listen(other)
    let runs = 0
    expect(await telemetry.span("claim", fields, async () => ++runs)).toBe(1)
    expect(heard).toHaveLength(2)
    expect(told).toEqual([expect.stringMatching(/^a telemetry listener threw on claim: (Error: mine|object)$/)])
  })

  test("throws at an error", async () => {
    const told = warnings()
    const telemetry = new Telemetry()
    telemetry.listen({ error: fault })
    await expect(telemetry.span("claim", fields, () => Promise.reject(new Error("the step's")))).rejects.toThrow("step")
    expect(told).toHaveLength(1)
  })

  test("forgets the work, or does it twice", async () => {
    const telemetry = new Telemetry()
    telemetry.listen({ around: () => {} })
    telemetry.listen({
      around: (_, work) => {
        work()
        work()
      },
    })
    let runs = 0
    await telemetry.span("claim", fields, async () => ++runs)
    expect(runs).toBe(1)
  })
})

test("the traceparent is the first that a listener knows", () => {
  const told = warnings()
  const telemetry = new Telemetry()
  expect(telemetry.traceparent()).toBeUndefined()
  telemetry.listen({ traceparent: () => throwThat(new Error("mine")) })
  telemetry.listen({})
  telemetry.listen({ traceparent: () => undefined })
  telemetry.listen({ traceparent: () => "00-1" })
  telemetry.listen({ traceparent: () => "00-2" })
  expect(telemetry.traceparent()).toBe("00-1")
  expect(told).toHaveLength(1)
})

function throwThat(value: unknown): never {
  throw value
}
