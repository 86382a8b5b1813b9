import { afterEach, describe, expect, test, vi } from "vitest"
import { newId } from "../signal/id.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { HandlerContext, HandlerDefinition } from "./handler-definition.ts"
import { defineHandler } from "./handler.ts"
import type { Held } from "./held.ts"
import { cancel, snooze } from "./outcome.ts"
import { type AttemptResult, failedAttempt, runAttempt } from "./run-attempt.ts"
import { LazyAbort } from "./run-context.ts"

afterEach(() => {
  vi.useRealTimers()
})

function held(data: unknown = {}, more: Partial<Held["delivery"]> = {}): Held {
  const id = newId()
  const signal: StoredSignal = {
    specversion: "1.0",
    id,
    type: "a.b",
    source: "app",
    time: "2026-01-01T00:00:00.000Z",
    data,
    tenant: "acme",
    metadata: { schema_version: 1, correlation_id: id, causation_id: null },
    visibility: "internal",
    dedupeKey: null,
    sourceEventId: null,
  }
  const delivery = {
    tenant: "acme",
    signalId: id,
    handler: "h",
    attempt: 1,
    leaseToken: 1,
    priority: 0,
    flowKey: null,
    replayId: null,
    waitMs: 0,
    lostBy: null,
    ...more,
  }
  return { delivery, signal, schema: `"org_acme"`, abort: new LazyAbort(), since: 0 }
}

type Options = Partial<HandlerDefinition>

/** Runs a handler once on one delivery or several. */
function attempt(options: Options, ...all: readonly Held[]): Promise<readonly AttemptResult[]> {
  const handler = defineHandler({ name: "h", on: "**", version: 3, run: () => {}, ...options })
  const [first = held(), ...others] = all
  return runAttempt({ handler, held: [first, ...others], emitFor: () => () => Promise.reject(new Error("not asked")) })
}

async function outcomeOf(options: Options, it: Held = held()): Promise<AttemptResult> {
  const [result] = await attempt(options, it)
  if (!result) throw new Error("there is a result for each delivery")
  return result
}

describe("what a handler returns is an outcome", () => {
  test.each([
    ["nothing", undefined],
    ["a promise of nothing", Promise.resolve()],
    ["a value", 42],
    ["null", null],
    ["a promise of a value", Promise.resolve({ ok: true })],
    ["a row that has a kind of its own", { kind: "invoice" }],
  ])("%s means done", async (_, returned) => {
    expect(await outcomeOf({ run: () => returned as never })).toMatchObject({
      outcome: "done",
      error: null,
      thrown: undefined,
      version: 3,
    })
  })

  test("a snooze, with how long", async () => {
    expect(await outcomeOf({ run: () => snooze(500) })).toMatchObject({ outcome: "snoozed", retryInMs: 500 })
    expect(await outcomeOf({ run: async () => snooze(0) })).toMatchObject({ outcome: "snoozed", retryInMs: 0 })
  })

  test("a cancel, with its reason", async () =>
    expect(await outcomeOf({ run: async () => cancel("a test lead") })).toMatchObject({
      outcome: "cancelled",
      error: { name: "Cancelled", message: "a test lead" },
    }))

  test("a snooze that is none is a failed attempt", async () =>
    expect(await outcomeOf({ run: () => ({ kind: "snooze", ms: Number.NaN }) })).toMatchObject({
      outcome: "failed",
      error: { code: "handler_invalid" },
    }))

  test("a result whose getter throws is a failed attempt", async () => {
    const trap = {
      get kind(): string {
        throw new Error("from the getter")
      },
    }
    expect(await outcomeOf({ run: () => trap as never })).toMatchObject({
      outcome: "failed",
      error: { message: "from the getter" },
    })
  })
})

describe("what a handler throws is a failed attempt", () => {
  test.each([
    [
      "at once",
      () => {
        throw new TypeError("no")
      },
    ],
    ["later", () => Promise.reject(new TypeError("no"))],
  ])("%s", async (_, run) => {
    const result = await outcomeOf({ run })
    expect(result).toMatchObject({ outcome: "failed", error: { name: "TypeError", message: "no" } })
    expect(result.thrown).toBeInstanceOf(TypeError)
    expect(result.retryInMs).toBeGreaterThan(0)
  })

  const run = (): never => {
    throw new Error("no")
  }

  test("dead with the last attempt, and not before", async () => {
    const outcomes = await Promise.all(
      [1, 2, 3, 4].map((n) => outcomeOf({ run, retry: { attempts: 3 } }, held({}, { attempt: n }))),
    )
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["failed", "failed", "dead", "dead"])
  })

  test("dead at once when the error is not worth another try", async () =>
    expect((await outcomeOf({ run, retry: { when: () => false } })).outcome).toBe("dead"))

  test("tried again when that question throws", async () => {
    const when = (): never => {
      throw new Error("from the question")
    }
    expect((await outcomeOf({ run, retry: { when } })).outcome).toBe("failed")
  })

  test("tried again when the wait cannot be told", async () => {
    const backoff = (): never => {
      throw new Error("from the backoff")
    }
    const result = await outcomeOf({ run, retry: { backoff } })
    expect(result).toMatchObject({ outcome: "failed", error: { message: "no" } })
    expect(result.retryInMs).toBeGreaterThan(0)
  })

  test("with the wait that the handler asks for", async () =>
    expect(await outcomeOf({ run, retry: { backoff: (n) => n * 11 } }, held({}, { attempt: 2 }))).toMatchObject({
      retryInMs: 22,
    }))

  test("by a lost worker is booked the same way", () => {
    const handler = defineHandler({ name: "h", on: "**", retry: { attempts: 2 }, run: () => {} })
    expect(failedAttempt(held({}, { attempt: 3 }), handler, new Error("gone"), 0)).toMatchObject({
      outcome: "dead",
      durationMs: 0,
      error: { message: "gone" },
    })
  })
})

describe("the condition is asked again", () => {
  test("a signal that does not fit any more is done without a run", async () => {
    const run = vi.fn()
    expect((await outcomeOf({ run, where: () => false })).outcome).toBe("done")
    expect(run).not.toHaveBeenCalled()
  })

  test("one that throws is a failed attempt", async () => {
    const where = (): never => {
      throw new Error("bad condition")
    }
    expect(await outcomeOf({ where })).toMatchObject({ outcome: "failed", error: { message: "bad condition" } })
  })
})

describe("what a handler is called with", () => {
  test("tells of the delivery", async () => {
    let seen: unknown
    const it = held({ n: 1 }, { attempt: 2, replayId: "r1" })
    await outcomeOf(
      {
        run: ({ signal, signals, tenant, deliveryId, attempt: n, replay, abort }) => {
          seen = [signal, signals, tenant, deliveryId, n, replay, abort.aborted]
        },
      },
      it,
    )
    expect(seen).toEqual([it.signal, [it.signal], "acme", `${it.signal.id}:h`, 2, { id: "r1" }, false])
  })

  test("names the delivery the same in each attempt, and another one otherwise", async () => {
    const ids: string[] = []
    const run = ({ deliveryId }: HandlerContext): void => void ids.push(deliveryId)
    const it = held()
    await outcomeOf({ run }, it)
    await outcomeOf({ run }, { ...it, delivery: { ...it.delivery, attempt: 2, leaseToken: 9 } })
    await outcomeOf({ run }, held())
    expect(ids[1]).toBe(ids[0])
    expect(new Set(ids).size).toBe(2)
  })

  test("lets the abort be heard, also by whoever asks after it fired", async () => {
    const it = held()
    const reason = new Error("stop")
    const heard: unknown[] = []
    await outcomeOf(
      {
        run: ({ abort }) => {
          abort.addEventListener("abort", () => heard.push(abort.reason))
          it.abort.abort(reason)
          it.abort.abort(new Error("later"))
        },
      },
      it,
    )
    expect(heard).toEqual([reason])
    expect([it.abort.signal.aborted, it.abort.signal.reason]).toEqual([true, reason])
    const late = new LazyAbort()
    late.abort(reason)
    expect([late.signal.aborted, late.signal.reason]).toEqual([true, reason])
  })
})

describe("a batch", () => {
  const run = ({ signals }: HandlerContext): void => {
    if (signals.some(({ data }) => data === "bad")) throw new Error("one of them is bad")
  }

  test("is one call, and its outcome is that of each", async () => {
    const calls: unknown[] = []
    const all = ["a", "b", "c"].map((data) => held(data))
    const results = await attempt({ run: ({ signals }) => void calls.push(signals.map(({ data }) => data)) }, ...all)
    expect(calls).toEqual([["a", "b", "c"]])
    expect(results.map(({ delivery, outcome }) => [delivery, outcome])).toEqual(
      all.map(({ delivery }) => [delivery, "done"]),
    )
    const failed = await attempt({ run }, held("a"), held("bad"))
    expect(failed.map(({ outcome }) => outcome)).toEqual(["failed", "failed"])
  })

  test("holds only the signals that still fit", async () => {
    let seen: unknown
    const results = await attempt(
      {
        where: ({ data }) => data !== "old",
        run: ({ signals, signal }) => void (seen = [signals.length, signal.data]),
      },
      held("old"),
      held("new"),
      held("old"),
    )
    expect(seen).toEqual([1, "new"])
    expect(results.map(({ outcome }) => outcome)).toEqual(["done", "done", "done"])
  })

  test("that is put off or given up is so for each", async () => {
    const later = await attempt({ run: () => snooze(7) }, held(), held())
    expect(later.map(({ outcome, retryInMs }) => [outcome, retryInMs])).toEqual([
      ["snoozed", 7],
      ["snoozed", 7],
    ])
    const never = await attempt({ run: () => cancel("no") }, held(), held())
    expect(never.map(({ outcome }) => outcome)).toEqual(["cancelled", "cancelled"])
  })

  test("that takes too long is told so through each delivery's abort", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const all = [held(), held()] as const
    const results = attempt({ timeoutMs: 50, run: () => new Promise<void>(() => {}) }, ...all)
    await vi.advanceTimersByTimeAsync(50)
    expect((await results).map(({ outcome }) => outcome)).toEqual(["failed", "failed"])
    for (const { abort } of all) expect(abort.signal.reason).toMatchObject({ code: "handler_timeout" })
  })
})

describe("a handler that takes too long", () => {
  test("is a failed attempt as soon as its time is over, and what it does later changes nothing", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    let finish: (value: undefined) => void = () => {}
    let fail: (error: unknown) => void = () => {}
    const it = held()
    const stuck = outcomeOf({ timeoutMs: 50, run: () => new Promise((resolve) => (finish = resolve)) }, it)
    const late = outcomeOf({ timeoutMs: 50, run: () => new Promise((_, reject) => (fail = reject)) })
    await vi.advanceTimersByTimeAsync(49)
    expect(it.abort.signal.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await stuck).toMatchObject({ outcome: "failed", error: { code: "handler_timeout" } })
    expect(it.abort.signal.reason).toMatchObject({ code: "handler_timeout" })
    finish(undefined)
    fail(new Error("too late to be anybody's"))
    expect((await late).error).toMatchObject({ code: "handler_timeout" })
  })

  test("is told of when it ends at last, once, and not when it ends in time", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
    const handler = (ms: number) =>
      defineHandler({
        name: `h${ms}`,
        on: "**",
        timeoutMs: 50,
        run: () => new Promise<void>((resolve) => setTimeout(resolve, ms)),
      })
    const told: [name: string, lateMs: number][] = []
    const emitFor = () => () => Promise.reject(new Error("not asked"))
    const results = [40, 80].map((ms) =>
      runAttempt({
        handler: handler(ms),
        held: [held()],
        emitFor,
        onLate: (it, lateMs) => void told.push([it.handler.name, lateMs]),
      }),
    )
    await vi.advanceTimersByTimeAsync(100)
    expect((await Promise.all(results)).flat().map(({ outcome }) => outcome)).toEqual(["done", "failed"])
    expect(told).toEqual([["h80", 30]])
  })

  test("leaves no timer behind when it ends in time", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    await outcomeOf({ run: () => Promise.resolve() })
    await outcomeOf({ run: () => Promise.reject(new Error("no")) })
    await outcomeOf({ run: () => {} })
    expect(vi.getTimerCount()).toBe(0)
  })

  test("leaves no timer behind when what it returned cannot even be waited for", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    const broken = {
      // oxlint-disable-next-line unicorn/no-thenable -- what a broken library may return.
      then: () => {
        throw new Error("from then")
      },
    }
    expect(await outcomeOf({ run: () => broken as never })).toMatchObject({ error: { message: "from then" } })
    expect(vi.getTimerCount()).toBe(0)
  })
})
