import { expect, test } from "vitest"
import { attemptError } from "./attempt-error.ts"

const token = ["ghp", "_", "a1B2".repeat(9)].join("")

test("an error is kept with name, message, code and stack, cut to their limits", () => {
  const error = Object.assign(new RangeError("too far"), { code: "E_FAR" })
  expect(attemptError(error)).toMatchObject({
    name: "RangeError",
    message: "too far",
    code: "E_FAR",
    stack: expect.stringContaining("RangeError: too far"),
  })
  const long = attemptError(new Error("x".repeat(1_000_000)))
  expect([String(long["message"]).length, String(long["stack"]).length]).toEqual([2_000, 4_000])
})

test("what is no error is kept as what it prints", () => {
  expect(attemptError("plain")).toMatchObject({ name: "string", message: "plain" })
  expect(attemptError(null)).toMatchObject({ message: "null" })
  expect(attemptError(undefined)).toMatchObject({ message: "undefined" })
})

test.each([0, 1_900, 1_970, 1_990, 1_999, 2_000])("no part of a secret that begins at %i is kept", (at) => {
  const kept = JSON.stringify(attemptError(new Error(`${" ".repeat(at)}${token}`)))
  expect(kept).not.toContain(token.slice(0, 12))
})
