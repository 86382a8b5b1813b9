import { expect, test } from "vitest"
import { FleetPromptError } from "../../errors.ts"
import { MigrationFailed } from "./migrate-unit.ts"
import { migrationError, passesByItself } from "./migration-error.ts"

function postgres(code: string, message = "no"): Error {
  return Object.assign(new Error(message), { code, detail: "Key (email)=(ann@example.com) already exists." })
}

test.each([
  ["lock", postgres("55P03"), true],
  ["lock", postgres("40P01"), true],
  ["database", postgres("57P01"), true],
  ["database", new FleetPromptError("database_connection_lost", "gone"), true],
  ["statement", postgres("23505"), false],
  ["statement", postgres("42P01"), false],
  ["other", new Error("no"), false],
  ["other", "thrown", false],
] as const)("is of the kind %s: %s", (kind, cause, passes) => {
  const error = new MigrationFailed("0005_more.sql", cause)
  expect(migrationError(error)).toMatchObject({ kind, details: { migration: "0005_more.sql" } })
  expect(passesByItself(error)).toBe(passes)
})

test("keeps no values of rows, no secrets, and not more than fits", () => {
  const secret = ["ghp", "_", "a1B2".repeat(9)].join("")
  const kept = JSON.stringify(migrationError(new MigrationFailed("x.sql", postgres("23505", `has ${secret}`))))
  expect(kept).not.toContain("ann@example.com")
  expect(kept).not.toContain(secret)
  expect(migrationError(postgres("42601", "x".repeat(10_000))).message).toHaveLength(2_000)
})
