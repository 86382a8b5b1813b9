import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { cancel, resultOf, snooze } from "./outcome.ts"

describe("snooze", () => {
  test.each([0, 1, 0.5, 30 * 86_400_000])("%s ms", (ms) => expect(snooze(ms)).toEqual({ kind: "snooze", ms }))

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, "5" as never, undefined as never])("%s is no time", (ms) =>
    expect(() => snooze(ms)).toThrow(expect.objectContaining({ code: "handler_invalid" })),
  )

  test("for longer than Postgres has dates is refused, or cut to what it can hold", () => {
    const longest = 100 * 366 * 86_400_000
    let ms = 0
    try {
      ms = snooze(Number.MAX_VALUE).ms
    } catch (error) {
      expect(error).toMatchObject({ code: "handler_invalid" })
    }
    expect(ms).toBeLessThanOrEqual(longest)
  })
})

test("cancel carries its reason", () =>
  expect(cancel("a test lead")).toEqual({ kind: "cancel", reason: "a test lead" }))

describe("what a handler returned", () => {
  test("is a snooze or a cancel, whichever copy of the package made it", () => {
    expect(resultOf(snooze(5))).toEqual(snooze(5))
    expect(resultOf({ kind: "cancel", reason: "no" })).toEqual(cancel("no"))
    expect(resultOf({ kind: "cancel", reason: 7 })).toEqual(cancel("7"))
  })

  test.each([
    ["a row that has a kind of its own", { kind: "invoice", ms: 5 }],
    ["a snooze without a time", { kind: "snooze" }],
    ["a snooze with a time that is none", { kind: "snooze", ms: "soon" }],
    ["a cancel without a reason", { kind: "cancel" }],
    ["an array", [snooze(5)]],
    ["a text", "snooze"],
    ["null", null],
    ["nothing", undefined],
  ])("means done when it is %s", (_, returned) => expect(resultOf(returned)).toBeUndefined())

  test("means done when it is any other JSON", () => {
    const isResult = (value: unknown): boolean =>
      typeof value === "object" &&
      value !== null &&
      "kind" in value &&
      ["snooze", "cancel"].includes(String(value.kind))
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!isResult(value))
        expect(resultOf(value)).toBeUndefined()
      }),
    )
  })

  test("is refused when it is a snooze for no time", () =>
    expect(() => resultOf({ kind: "snooze", ms: Number.NaN })).toThrow(
      expect.objectContaining({ code: "handler_invalid" }),
    ))
})
