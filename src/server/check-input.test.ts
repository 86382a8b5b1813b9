import { z } from "zod"
import { expect, test } from "vitest"
import { checkInput } from "./check-input.ts"

const schema = z.object({
  name: z.string().max(5).optional(),
  role: z.enum(["owner", "member"]).optional(),
  items: z
    .array(z.object({ n: z.int() }))
    .max(2)
    .optional(),
  only: z.strictObject({}).optional(),
  either: z.union([z.string(), z.number()]).optional(),
  odd: z
    .string()
    .refine((text) => text.length % 2 === 1, "a text of odd length")
    .optional(),
})

test.each([
  [null, "expected an object as body, got null", undefined],
  [{ name: 1 }, "expected a text as name, got a number", "name"],
  [{ name: "secret" }, "expected at most 5 characters as name, got a text of 6 characters", "name"],
  [{ role: "king" }, "expected owner or member as role, got a text of 4 characters", "role"],
  [{ items: [{ n: 1 }, { n: 1.5 }] }, "expected a whole number as items[1].n, got a number", "items[1].n"],
  [{ items: [{ n: 1 }, {}] }, "expected a number as items[1].n, got nothing", "items[1].n"],
  [{ items: [{ n: 1 }, { n: 1 }, { n: 1 }] }, "expected at most 2 items as items, got an array", "items"],
  [{ only: { password: "x" } }, "expected no other fields than those of the reference as only, got an object", "only"],
  [{ either: [] }, "expected one of the forms of the reference as either, got an array", "either"],
  [{ odd: "even" }, "expected a text of odd length as odd, got a text of 4 characters", "odd"],
])("%j is refused with what was expected and what came", (value, message, path) => {
  let thrown: unknown
  try {
    checkInput(schema, value, { of: "body", code: "request_invalid" })
  } catch (error) {
    thrown = error
  }
  expect(thrown).toMatchObject({ code: "request_invalid", path })
  expect(String(thrown)).toContain(message)
})

test("a message never holds what came, and a field may have a code of its own", () => {
  const terms = { of: "body", code: "request_invalid", codes: { role: "person_invalid" } } as const
  expect(() => checkInput(schema, { role: "hunter2" }, terms)).toThrow(
    expect.objectContaining({ code: "person_invalid", message: expect.not.stringContaining("hunter2") }),
  )
})

test("what fits comes back as the schema makes it, without fields that nobody knows", () => {
  expect(checkInput(schema, { name: "a", other: 1 }, { of: "query", code: "query_invalid" })).toEqual({ name: "a" })
})
