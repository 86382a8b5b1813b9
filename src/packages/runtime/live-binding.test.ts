import fc from "fast-check"
import { expect, test } from "vitest"
import { binding } from "../../../test/support/bindings.ts"
import { defineHandlerTemplate } from "../../delivery/define-template.ts"
import type { JsonObject, JsonValue } from "../../signal/json.ts"
import type { StoredSignal } from "../../signal/stored-signal.ts"
import type { BindingRecord } from "../../store/bindings.ts"
import { liveBinding, targetOf } from "./live-binding.ts"

function record(more: Partial<BindingRecord> = {}): BindingRecord {
  return { ...binding(), tenant: "acme", ...more }
}

/** Only what conditions read of a signal. */
function signalOf(data: JsonValue): StoredSignal<JsonValue> {
  return { type: "issue.opened", source: "/github", time: "2026-01-01T00:00:00Z", data } as StoredSignal<JsonValue>
}

test("params are read once, whether they fit or not", () => {
  let asked = 0
  const template = defineHandlerTemplate({
    name: "test.note",
    params: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => {
          asked += 1
          const fits = Object.hasOwn(Object(value), "label")
          return fits ? { value } : { issues: [{ message: "no label" }] }
        },
      },
    },
    run: () => {},
  })
  const templates = new Map([[template.name, template]])
  const good = liveBinding(record({ params: { label: "bug" } }), templates)
  expect([good.params(), good.params(), asked]).toEqual([{ label: "bug" }, { label: "bug" }, 1])
  const bad = liveBinding(record(), templates)
  for (const _ of [1, 2])
    expect(() => bad.params()).toThrow(expect.objectContaining({ code: "template_params_invalid" }))
  expect(asked).toBe(2)
})

test("a template that this process does not have is told with the package's name", () => {
  expect(() => liveBinding(record(), new Map()).params()).toThrow(
    expect.objectContaining({
      code: "template_unknown",
      message: expect.stringContaining(`the template "test.note", which triage 1.0.0 uses`),
    }),
  )
})

test("a pattern that is none is refused", () => {
  expect(() => targetOf(record({ pattern: "a..b" }))).toThrow(expect.objectContaining({ code: "pattern_invalid" }))
})

const values = fc.constantFrom<JsonValue>(null, true, 0, 1, 1.5, "", "a", "ab", [], [1], ["a"], {}, { a: 1 })
const paths = fc.constantFrom(
  "type",
  "subject",
  "data",
  "data.a",
  "data.a.b",
  "data.a.0",
  "data.__proto__",
  "data.length",
)
const comparisons = fc.record({
  path: paths,
  op: fc.constantFrom("eq", "ne", "gt", "gte", "lt", "lte", "in", "prefix"),
  value: values,
})
const { condition: conditions } = fc.letrec<{ condition: JsonObject }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    comparisons,
    fc.record({ path: paths, op: fc.constant("exists") }),
    fc.record({ all: fc.array(tie("condition"), { maxLength: 3 }) }),
    fc.record({ any: fc.array(tie("condition"), { maxLength: 3 }) }),
    fc.record({ not: tie("condition") }),
  ),
}))
const data = fc.oneof(values, fc.record({ a: fc.oneof(values, fc.record({ b: values })) }), fc.jsonValue().map(json))

function json(value: unknown): JsonValue {
  // It is JSON, which fast-check types less precisely.
  return value as JsonValue
}

function asks(condition: JsonObject, given: JsonValue): boolean {
  return targetOf(record({ condition })).where?.(signalOf(given)) ?? true
}

test("a condition never throws, whatever the data, and not, all and any are what they are called", () => {
  fc.assert(
    fc.property(conditions, conditions, data, (one, other, given) => {
      const [first, second] = [asks(one, given), asks(other, given)]
      expect(asks({ not: one }, given)).toBe(!first)
      expect(asks({ all: [one, other] }, given)).toBe(first && second)
      expect(asks({ any: [one, other] }, given)).toBe(first || second)
    }),
  )
})

test("a comparison says what comparing the values would", () => {
  fc.assert(
    fc.property(values, values, (found, value) => {
      const holds = (op: string): boolean => asks({ path: "data.a", op, value }, { a: found })
      const isSame = JSON.stringify(found) === JSON.stringify(value)
      const isOrdered = typeof found === typeof value && ["number", "string"].includes(typeof found)
      // Both are numbers or both are texts.
      const isLess = isOrdered && (found as number) < (value as number)
      const isMore = isOrdered && (found as number) > (value as number)
      expect(["eq", "ne", "lt", "gt", "lte", "gte"].map(holds)).toEqual([
        isSame,
        !isSame,
        isLess,
        isMore,
        isLess || (isOrdered && isSame),
        isMore || (isOrdered && isSame),
      ])
      expect(asks({ path: "data.a", op: "in", value: [value] }, { a: found })).toBe(isSame)
    }),
  )
})
