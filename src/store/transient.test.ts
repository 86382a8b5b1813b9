import { describe, expect, test } from "vitest"
import { FleetPromptError } from "../errors.ts"
import { isTransient } from "./transient.ts"

/** An error as Postgres answers it. */
function sqlError(code: string): Error {
  return Object.assign(new Error("told by the server"), { code })
}

describe("worth another try with the same statement", () => {
  test.each([
    ["08006", "the connection broke"],
    ["08P01", "the connection spoke nonsense"],
    ["40001", "a serialisation failure"],
    ["40P01", "a deadlock"],
    ["53100", "the disk is full"],
    ["53300", "no connection is left"],
    ["57P01", "an operator ended the connection"],
    ["57P03", "the server is starting"],
    ["57014", "the statement took too long"],
    ["55P03", "a lock was not to be had"],
    ["25006", "the server takes no writes after a failover"],
  ])("%s: %s", (code) => expect(isTransient(sqlError(code))).toBe(true))

  test.each(["database_busy", "database_connection_lost", "database_full", "database_unreachable"] as const)(
    "%s",
    (code) => expect(isTransient(new FleetPromptError(code, "it is away"))).toBe(true),
  )
})

describe("the same the next time", () => {
  test.each([
    ["22P02", "a value that is none"],
    ["22003", "a number that is too large"],
    ["23505", "a row that is there"],
    ["25P02", "a transaction that had failed before"],
    ["42P01", "a table that is not there"],
    ["42601", "a statement that does not parse"],
    ["570140", "what is no code"],
    ["", "no code"],
  ])("%s: %s", (code) => expect(isTransient(sqlError(code))).toBe(false))

  test.each(["fleet_stopped", "tenant_unknown", "config_invalid"] as const)("%s", (code) =>
    expect(isTransient(new FleetPromptError(code, "no"))).toBe(false),
  )

  test.each([
    ["an error without a code", new Error("08006")],
    ["an error whose code is a number", Object.assign(new Error(), { code: 8_006 })],
    ["what is no error", { code: "08006" }],
    ["nothing", undefined],
    ["null", null],
  ])("%s", (_, error) => expect(isTransient(error)).toBe(false))
})

test("a copy of the error from another copy of the package is known by its name", () => {
  const copy = Object.assign(new Error("busy"), { name: "FleetPromptError", code: "database_busy" })
  expect(isTransient(copy)).toBe(true)
})
