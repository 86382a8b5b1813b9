import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { checkCondition, conditionHolds, fillCondition } from "./condition.ts"
import type { Condition } from "./manifest.ts"

const signal = {
  type: "lead.qualified",
  source: "app",
  subject: "lead:1",
  time: "2026-03-01T12:00:00+01:00",
  data: { score: 95, labels: ["hot", "new"], owner: null, nested: { a: [{ b: 1 }] } },
}

describe("one comparison", () => {
  test.each<[Condition, boolean]>([
    [{ path: "data.score", op: "eq", value: 95 }, true],
    [{ path: "data.score", op: "eq", value: "95" }, false],
    [{ path: "data.score", op: "ne", value: 95 }, false],
    [{ path: "data.missing", op: "ne", value: 95 }, true],
    [{ path: "data.missing", op: "eq", value: null }, false],
    [{ path: "data.owner", op: "eq", value: null }, true],
    [{ path: "data.score", op: "gt", value: 95 }, false],
    [{ path: "data.score", op: "gte", value: 95 }, true],
    [{ path: "data.score", op: "lt", value: 95.5 }, true],
    [{ path: "data.score", op: "lte", value: 94 }, false],
    [{ path: "data.score", op: "lt", value: "a" }, false],
    [{ path: "data.missing", op: "lt", value: 1 }, false],
    [{ path: "data.labels.0", op: "in", value: ["hot", "cold"] }, true],
    [{ path: "data.labels", op: "eq", value: ["hot", "new"] }, true],
    [{ path: "data.nested.a.0", op: "in", value: [{ b: 1 }] }, true],
    [{ path: "data.owner", op: "exists" }, true],
    [{ path: "data.missing.deep", op: "exists" }, false],
    [{ path: "data.constructor", op: "exists" }, false],
    [{ path: "data.labels.length", op: "exists" }, false],
    [{ path: "subject", op: "prefix", value: "lead:" }, true],
    [{ path: "data.score", op: "prefix", value: "9" }, false],
    [{ path: "type", op: "eq", value: "lead.qualified" }, true],
    [{ path: "time", op: "lt", value: "2026-03-01T11:30:00Z" }, true],
  ])("%j is %s", (condition, expected) => {
    expect(conditionHolds(condition, signal)).toBe(expected)
  })
})

test("all, any and not combine, and of nothing all hold and none", () => {
  const yes: Condition = { path: "type", op: "exists" }
  const no: Condition = { not: yes }
  expect(conditionHolds({ all: [yes, { any: [no, yes] }] }, signal)).toBe(true)
  expect(conditionHolds({ all: [yes, no] }, signal)).toBe(false)
  expect(conditionHolds({ all: [] }, signal)).toBe(true)
  expect(conditionHolds({ any: [] }, signal)).toBe(false)
})

test("values of the configuration are filled in, with their types", () => {
  const condition: Condition = {
    not: {
      any: [
        { path: "data.score", op: "lt", value: "${config.min}" },
        { path: "data.labels.0", op: "in", value: ["${config.label}"] },
      ],
    },
  }
  expect(fillCondition(condition, { min: 90, label: "cold" })).toEqual({
    not: {
      any: [
        { path: "data.score", op: "lt", value: 90 },
        { path: "data.labels.0", op: "in", value: ["cold"] },
      ],
    },
  })
})

test("no data makes it throw", () => {
  const path = fc.constantFrom("data", "data.a", "data.a.b.0", "data.length", "type", "subject")
  const op = fc.constantFrom("eq", "ne", "gt", "gte", "lt", "lte", "in", "prefix", "exists")
  fc.assert(
    fc.property(path, op, fc.jsonValue(), fc.option(fc.jsonValue(), { nil: undefined }), (path, op, value, data) => {
      // Any JSON may stand where a value is compared.
      const condition = { path, op, value } as Condition
      expect(typeof conditionHolds(condition, { type: "a", source: "b", time: "c", data })).toBe("boolean")
    }),
  )
})

test("conditions deeper than eight are refused", () => {
  const deep = (levels: number): Condition =>
    levels === 0 ? { path: "type", op: "exists" } : { not: deep(levels - 1) }
  expect(checkCondition(deep(7), "")).toEqual([])
  expect(checkCondition(deep(8), "")).toMatchObject([{ pointer: "/not/not/not/not/not/not/not/not" }])
})
