import { expect, test } from "vitest"
import { parseDatabases } from "./database-settings.ts"

test("further databases are read by their names", () => {
  const text =
    "eu=postgres://a:b=c@eu/fleet us=postgres://us/fleet\n  eu.listen=postgres://eu-direct/fleet eu.owner=postgres://o@eu/fleet"
  expect(parseDatabases(text)).toEqual({
    eu: {
      databaseUrl: "postgres://a:b=c@eu/fleet",
      listenUrl: "postgres://eu-direct/fleet",
      ownerUrl: "postgres://o@eu/fleet",
    },
    us: { databaseUrl: "postgres://us/fleet" },
  })
})

test.each(["postgres://a:secret@eu/fleet", "EU=postgres://a:secret@eu", "eu.other=postgres://a:secret@eu", "eu="])(
  "%s is refused without saying what it was",
  (text) => {
    const refused = expect.objectContaining({ code: "config_invalid", message: expect.not.stringContaining("secret") })
    expect(() => parseDatabases(`us=postgres://us ${text}`)).toThrow(refused)
  },
)
