import { expect, test } from "vitest"
import { errorTable, FleetPromptError, isFleetPromptError } from "./errors.ts"

test("docs/reference/errors.md is the table of codes", async () => {
  const rows = Object.entries(errorTable).map(
    ([code, { status, meaning }]) => `| <a id="${code}"></a>\`${code}\` | ${status} | ${meaning} |`,
  )
  const page = [
    "# Errors",
    "",
    "Every error that FleetPrompt throws is a `FleetPromptError` with one of these codes. Compare `code`, not the class. `path` says where in the input the fault is, where there is one. Over HTTP an error is problem details (RFC 9457) with the status and the code.",
    "",
    "| code | HTTP status | meaning |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n")
  await expect(page).toMatchFileSnapshot("../docs/reference/errors.md")
})

test("codes stand in alphabetical order", () => {
  const codes = Object.keys(errorTable)
  expect(codes).toEqual(codes.toSorted())
})

test("an error carries code, path and cause, and is known by its name", () => {
  const cause = new Error("beneath")
  const error = new FleetPromptError("data_not_json", "no", { path: "data.a", cause })
  expect(error).toMatchObject({ code: "data_not_json", path: "data.a", cause, name: "FleetPromptError" })
  expect(isFleetPromptError(error)).toBe(true)
  expect(isFleetPromptError(cause)).toBe(false)
  expect(isFleetPromptError({ code: "data_not_json" })).toBe(false)
})
