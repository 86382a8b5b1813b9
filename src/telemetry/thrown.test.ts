import { expect, test } from "vitest"
import { describeThrown } from "./thrown.ts"

const token = ["ghp", "_", "a1B2".repeat(9)].join("")

test("an error is told with name, message, code and stack, cut to their limits", () => {
  const error = Object.assign(new RangeError("too far"), { code: "E_FAR" })
  expect(describeThrown(error)).toEqual({
    name: "RangeError",
    message: "too far",
    code: "E_FAR",
    stack: expect.stringContaining("RangeError: too far"),
  })
  const long = describeThrown(new Error("x".repeat(1_000_000)))
  expect([String(long["message"]).length, String(long["stack"]).length]).toEqual([2_000, 4_000])
})

test("the errors beneath are told without their stacks, three at most", () => {
  const deep = [1, 2, 3, 4, 5].reduceRight((cause, at) => new Error(`level ${at}`, { cause }), new Error("bottom"))
  expect(describeThrown(deep)).toMatchObject({
    message: "level 1",
    cause: { message: "level 2", cause: { message: "level 3", cause: { name: "Error", message: "level 4" } } },
  })
  expect(JSON.stringify(describeThrown(deep))).not.toContain("level 5")
  const circle = new Error("round")
  circle.cause = circle
  expect(describeThrown(circle)).toMatchObject({ cause: { message: "round" } })
})

test("what is no error is told as what it prints", () => {
  expect(describeThrown("plain")).toMatchObject({ name: "string", message: "plain" })
  expect(describeThrown(null)).toMatchObject({ message: "null" })
  expect(describeThrown(Object.create(null))).toMatchObject({ message: "a value that cannot be printed" })
  const hostile = new Proxy({}, { get: () => expect.unreachable() })
  expect(describeThrown(hostile)).toMatchObject({ name: "object" })
})

test.each([0, 1_900, 1_970, 1_990, 1_999, 2_000])("no part of a secret that begins at %i is told", (at) => {
  const cause = new Error(token)
  const told = JSON.stringify(describeThrown(new Error(`${" ".repeat(at)}${token}`, { cause })))
  expect(told).not.toContain(token.slice(0, 12))
})
