import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { defineSignal } from "../signal/define-signal.ts"
import type { JsonValue } from "../signal/json.ts"
import type { StoredSignal } from "../signal/stored-signal.ts"
import type { HandlerDefinition } from "./handler-definition.ts"
import { defineHandler } from "./handler.ts"

const run = (): void => {}
const id = "0192f0c1-0000-7000-8000-000000000001"

/** A definition that is right, but for what is given. */
function define(options: object): ReturnType<typeof defineHandler> {
  const definition: HandlerDefinition = { name: "mail.send", on: "mail.asked", run }
  // What is wrong with the options is what these tests are about.
  return defineHandler(Object.assign(definition, options))
}

function signal(more: object = {}): StoredSignal<JsonValue> {
  return {
    specversion: "1.0",
    id,
    type: "mail.asked",
    source: "app",
    time: "2026-01-01T00:00:00.000Z",
    data: { n: 1 },
    tenant: "acme",
    metadata: { schema_version: 1, correlation_id: id, causation_id: null },
    visibility: "internal",
    dedupeKey: null,
    sourceEventId: null,
    ...more,
  }
}

describe("a definition that says only what it must", () => {
  const handler = define({})

  test("has the defaults", () => {
    expect(handler).toMatchObject({
      name: "mail.send",
      version: 1,
      replayable: true,
      timeoutMs: 60_000,
      attempts: 5,
      flow: "plain",
      batchSize: 1,
      where: undefined,
    })
    expect([handler.priority(signal()), handler.delayMs(signal()), handler.flowKey(signal())]).toEqual([0, 0, null])
    expect(handler.isWorthRetrying(new Error())).toBe(true)
  })

  test("cannot be changed afterwards", () => expect(Object.isFrozen(handler)).toBe(true))
})

describe("what it runs on", () => {
  test("is a pattern, or a typed signal", () => {
    const asked = defineSignal({ type: "mail.asked", schema: z.object({ n: z.number() }) })
    expect(define({ on: asked }).on.pattern).toBe("mail.asked")
    expect(define({ on: "mail.**" }).on.pattern).toBe("mail.**")
    defineHandler({ name: "typed", on: asked, run: ({ signal: { data } }) => void (data.n satisfies number) })
  })

  test.each(["", "a..b", "a.***", "**.**"])("%j is no pattern", (on) =>
    expect(() => define({ on })).toThrow(expect.objectContaining({ code: "pattern_invalid" })),
  )
})

/** The message names the option, and the handler where its name is known. */
function refuses(options: object, named: string): void {
  expect(() => define(options)).toThrow(
    expect.objectContaining({ code: "handler_invalid", message: expect.stringContaining(named) }),
  )
}

describe("a wrong value is refused when the handler is defined, with the option's name", () => {
  test.each([
    ["name", undefined],
    ["name", ""],
    ["name", "a..b"],
    ["name", ".a"],
    ["name", "a b"],
    ["name", "naïve"],
    ["name", "a".repeat(101)],
    ["name", 7],
  ])("%s: %j", (name, value) => refuses({ name: value }, name))

  test.each([
    ["on", undefined],
    ["on", null],
    ["on", 7],
    ["on", { type: 7 }],
    ["run", undefined],
    ["run", "run"],
    ["where", "n > 1"],
    ["key", "subject"],
  ])("%s: %j", (option, value) => refuses({ [option]: value }, `${option} of handler mail.send`))

  const integers = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "5", null, true]

  test.each(["version", "timeoutMs"])("%s is a whole number from 1", (option) => {
    for (const value of integers) refuses({ [option]: value }, `${option} of handler mail.send`)
  })

  test.each([
    ["retry", "attempts"],
    ["concurrency", "global"],
    ["concurrency", "perTenant"],
    ["concurrency", "perKey"],
  ])("%s.%s is a whole number from 1", (option, name) => {
    for (const value of integers.filter((each) => each !== null))
      refuses({ [option]: { [name]: value } }, `${option}.${name} of handler mail.send`)
  })

  test.each([
    ["rateLimit", "limit", { perMs: 1_000 }],
    ["rateLimit", "perMs", { limit: 5 }],
    ["batch", "size", {}],
    ["debounce", "quietMs", {}],
    ["debounce", "maxMs", { quietMs: 10 }],
  ])("%s.%s is a whole number from 1", (option, name, others) => {
    for (const value of integers.filter((each) => each !== null))
      refuses({ [option]: { ...others, [name]: value } }, `${option}.${name} of handler mail.send`)
  })

  test("what must be there is missed", () => {
    refuses({ rateLimit: { limit: 5 } }, "rateLimit.perMs of handler mail.send")
    refuses({ rateLimit: { perMs: 5 } }, "rateLimit.limit of handler mail.send")
    refuses({ batch: {} }, "batch.size of handler mail.send")
    refuses({ debounce: {} }, "debounce.quietMs of handler mail.send")
  })

  test("batch.waitMs may be 0, and not less", () => {
    expect(define({ batch: { size: 2, waitMs: 0 } }).batchSize).toBe(2)
    refuses({ batch: { size: 2, waitMs: -1 } }, "batch.waitMs of handler mail.send")
  })

  test.each([
    ["timeoutMs", 2_147_483_648],
    ["version", 2_147_483_648],
  ])("%s is not more than %d", (option, value) => refuses({ [option]: value }, option))

  test.each([
    ["retry", { attempts: 1_001 }, "retry.attempts"],
    ["batch", { size: 1_001 }, "batch.size"],
    ["concurrency", { global: 1_000_001 }, "concurrency.global"],
    ["rateLimit", { limit: 1_000_001, perMs: 1 }, "rateLimit.limit"],
    ["retry", { when: "always" }, "retry.when"],
  ])("%s: %j", (option, value, named) => refuses({ [option]: value }, named))

  test.each([101, -101, Number.NaN, "high", null])("priority: %j", (priority) => {
    if (priority !== null) refuses({ priority }, "priority of handler mail.send")
  })

  test.each([-1, Number.POSITIVE_INFINITY, "soon"])("delayMs: %j", (delayMs) =>
    refuses({ delayMs }, "delayMs of handler mail.send"),
  )

  test("options that do not go together", () => {
    refuses({ delayMs: 5, debounce: { quietMs: 5 } }, "delayMs or debounce")
    refuses({ ordered: "subject", concurrency: { perKey: 2 } }, "concurrency.perKey beside ordered")
    for (const keyed of [
      { ordered: "subject" },
      { debounce: { quietMs: 5 } },
      { concurrency: { perKey: 2 } },
      { rateLimit: { limit: 1, perMs: 1, per: "key" } },
    ])
      refuses({ batch: { size: 5 }, ...keyed }, "batch without ordered, debounce or limits per key")
  })

  test.each([
    ["retry.backoff.firstMs", { firstMs: Number.NaN }],
    ["retry.backoff.firstMs", { firstMs: -1 }],
    ["retry.backoff.longestMs", { longestMs: Number.POSITIVE_INFINITY }],
    ["retry.backoff.factor", { factor: -2 }],
    ["retry.backoff.factor", { factor: 0.5 }],
    ["retry.backoff.factor", { factor: "2" }],
  ])("%s: %j", (option, backoff) => refuses({ retry: { backoff } }, option))

  test.each([
    ["retry.backoff", { retry: { backoff: "1s" } }],
    ["rateLimit.per", { rateLimit: { limit: 5, perMs: 5, per: "subject" } }],
    ["ordered", { ordered: "always" }],
    ["replay", { replay: "never" }],
    ["concurrency", { concurrency: 5 }],
    ["concurrency", { concurrency: null }],
    ["retry", { retry: null }],
  ])("%s: %j", (option, options) => refuses(options, option))
})

describe("options that depend on the signal", () => {
  test("are asked of each, rounded, and kept within their bounds", () => {
    const handler = define({
      priority: ({ data }: { data: { n: number } }) => data.n,
      delayMs: ({ data }: { data: { n: number } }) => data.n,
    })
    const answers = [-1_000, -2.4, 7.6, 1_000].map((n) => {
      const each = signal({ data: { n } })
      return [handler.priority(each), handler.delayMs(each)]
    })
    expect(answers).toEqual([
      [-100, 0],
      [-2, 0],
      [8, 8],
      [100, 1_000],
    ])
  })

  test("that answer what is no number throw, so that fan-out tells of it and takes the default", () => {
    const handler = define({ priority: () => "high", delayMs: () => Number.NaN })
    expect(() => handler.priority(signal())).toThrow(/number as priority of handler mail.send/)
    expect(() => handler.delayMs(signal())).toThrow(/number as delayMs of handler mail.send/)
  })

  test("a priority is a whole number wherever it comes from: the queue's column holds no other", () =>
    expect(Number.isInteger(define({ priority: 1.5 }).priority(signal()))).toBe(true))

  test("a batch waits as its option says, and a debounce as long as it is to be quiet", () => {
    expect(define({ batch: { size: 5, waitMs: 200 } }).delayMs(signal())).toBe(200)
    expect(define({ batch: { size: 5, waitMs: 200 }, delayMs: 500 }).delayMs(signal())).toBe(500)
    expect(define({ debounce: { quietMs: 300 } }).delayMs(signal())).toBe(300)
    expect(define({ debounce: { quietMs: 300, maxMs: 50 } }).delayMs(signal())).toBe(50)
  })
})

describe("limits decide how its deliveries are claimed", () => {
  test.each([
    ["plain", {}],
    ["plain", { concurrency: {} }],
    ["plain", { key: () => "k" }],
    ["limited", { concurrency: { global: 5 } }],
    ["limited", { concurrency: { perTenant: 5 } }],
    ["limited", { rateLimit: { limit: 5, perMs: 5 } }],
    ["limited", { rateLimit: { limit: 5, perMs: 5, per: "global" } }],
    ["keyed", { concurrency: { perKey: 5 } }],
    ["keyed", { rateLimit: { limit: 5, perMs: 5, per: "key" } }],
    ["keyed", { ordered: "subject" }],
    ["keyed", { debounce: { quietMs: 5 } }],
  ])("%s: %j", (flow, options) => expect(define(options).flow).toBe(flow))

  test("an ordered handler runs one at a time for each key", () =>
    expect(define({ ordered: "key", key: () => "k" }).limits).toMatchObject({ perKey: 1, isOrdered: true }))

  test("a rate limit is each tenant's unless it says otherwise", () =>
    expect(define({ rateLimit: { limit: 5, perMs: 5 } }).limits.rate).toEqual({ limit: 5, perMs: 5, per: "tenant" }))
})

describe("the key that limits go by", () => {
  const keyed = (key?: unknown): ReturnType<typeof define> =>
    define({ concurrency: { perKey: 1 }, ...(key ? { key } : {}) })

  test("is the subject, or what the handler says", () => {
    expect(keyed().flowKey(signal({ subject: "lead:1" }))).toBe("lead:1")
    expect(keyed().flowKey(signal())).toBe("")
    expect(keyed(({ data }: { data: { n: number } }) => `n${data.n}`).flowKey(signal())).toBe("n1")
    expect(define({ ordered: "subject", key: () => "k" }).flowKey(signal({ subject: "lead:1" }))).toBe("lead:1")
    expect(define({ ordered: "key", key: () => "k" }).flowKey(signal({ subject: "lead:1" }))).toBe("k")
  })

  test("is a text that Postgres can hold and index, whatever is answered; the same for the same", () => {
    const answers = fc.oneof(
      fc.string({ unit: "binary", maxLength: 400 }),
      fc.constantFrom("\u0000", "\uD800", "x".repeat(10_000), null, undefined, 7, true, [1, 2]),
    )
    fc.assert(
      fc.property(answers, (answer) => {
        const key = keyed(() => answer).flowKey(signal())
        expect(typeof key).toBe("string")
        expect(key).toBe(keyed(() => answer).flowKey(signal()))
        expect((key ?? "").length).toBeLessThanOrEqual(200)
        expect((key ?? "").isWellFormed() && !(key ?? "").includes("\u0000")).toBe(true)
      }),
    )
  })

  test("is another one for another long key", () => {
    const [one, other] = ["a", "b"].map((end) => keyed(() => "x".repeat(300) + end).flowKey(signal()))
    expect(one).not.toBe(other)
  })

  test("that throws, throws to fan-out", () => {
    const handler = keyed(() => {
      throw new Error("no key")
    })
    expect(() => handler.flowKey(signal())).toThrow("no key")
  })
})

describe("the wait between attempts", () => {
  test("grows from 1 second to 10 minutes, of which up to a half is taken off", () => {
    const { backoff } = define({})
    for (const [attempt, ms] of [
      [1, 1_000],
      [4, 8_000],
      [20, 600_000],
    ] as const) {
      const waitMs = backoff(attempt, undefined)
      expect(waitMs).toBeGreaterThanOrEqual(ms / 2)
      expect(waitMs).toBeLessThanOrEqual(ms)
    }
  })

  test("is what the handler's own function says, from the attempt and the error", () => {
    const { backoff } = define({
      retry: { backoff: (attempt: number, error: Error) => attempt * Number(error.message) },
    })
    expect(backoff(3, new Error("7"))).toBe(21)
  })

  test.each([Number.NaN, -1, "soon", undefined, Promise.resolve(5)])("is the usual one when that says %s", (answer) => {
    const waitMs = define({ retry: { backoff: () => answer } }).backoff(1, undefined)
    expect(waitMs).toBeGreaterThanOrEqual(500)
    expect(waitMs).toBeLessThanOrEqual(1_000)
  })

  test("is not longer than dates go", () =>
    expect(define({ retry: { backoff: () => Number.MAX_VALUE } }).backoff(1, undefined)).toBeLessThan(4e12))

  test("is the usual one when that throws", () => {
    const handler = define({
      retry: {
        backoff: () => {
          throw new Error("from the backoff")
        },
      },
    })
    expect(handler.backoff(1, new Error("the handler's"))).toBeGreaterThanOrEqual(500)
  })

  test("is a time that Postgres can add to now, whatever the options say", () => {
    const numbers = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })
    const options = fc.record({
      firstMs: numbers,
      longestMs: numbers,
      factor: fc.double({ min: 1, noNaN: true, noDefaultInfinity: true }),
    })
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 1_000 }), (backoff, attempt) => {
        const waitMs = define({ retry: { backoff } }).backoff(attempt, undefined)
        expect(waitMs).toBeGreaterThanOrEqual(0)
        expect(waitMs).toBeLessThan(4e12)
      }),
    )
  })

  test("is none when the first is none, however often it was tried", () =>
    expect(define({ retry: { attempts: 1_000, backoff: { firstMs: 0, factor: 10 } } }).backoff(400, undefined)).toBe(0))
})

test("a handler that a replay is not to run says so", () => {
  expect(define({ replay: "skip" }).replayable).toBe(false)
  expect(define({ replay: "run" }).replayable).toBe(true)
})
