import { expect, test } from "vitest"
import { fillText } from "./fill-text.ts"

test.each([
  ["Lead {data.lead_id}!", { lead_id: "7" }, "Lead 7!"],
  ["{data.a.b} {data.list}", { a: { b: 1 }, list: ["x", 2] }, "1 x, 2"],
  ["[{data.missing}] [{data.a.b.c}]", { a: { b: 1 } }, "[] []"],
  ["{data.constructor} {data.a.length}", { a: "text" }, " "],
  ["{data.a}", { a: "{data.b}", b: "read again" }, "{data.b}"],
  ["{other} {data}", {}, "{other} {data}"],
])("%j of %j is %j", (text, data, filled) => {
  expect(fillText(text, data)).toBe(filled)
})

test("a value is cut where it is long", () => {
  expect(fillText("{data.a}", { a: "x".repeat(1_000) })).toHaveLength(500)
})
