import * as fc from "fast-check"
import { describe, expect, test } from "vitest"
import { checkSlug, schemaOf } from "./slug.ts"

/** What Postgres keeps of a name: NAMEDATALEN - 1. */
const POSTGRES_NAME_BYTES = 63

const refused = expect.objectContaining({ code: "tenant_invalid", path: "tenant" })

function thrownBy(slug: unknown): Error {
  try {
    checkSlug(slug)
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error("it was accepted")
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("")
const letters = fc.constantFrom(...LETTERS)
const rest = fc.string({ unit: fc.constantFrom(...LETTERS, "0", "9", "_"), minLength: 1, maxLength: 40 })

const RESERVED = [
  "information_schema",
  "postgres",
  "public",
  "template0",
  "template1",
  "fleetprompt",
  "admin",
  "api",
  "root",
  "system",
  "null",
  "undefined",
  "pg_catalog",
  "pg_toast",
  "pg_",
]

/** Every slug of the right form that is not reserved. */
const slugs = fc
  .tuple(letters, rest)
  .map((parts) => parts.join(""))
  .filter((slug) => !slug.startsWith("pg_") && !RESERVED.includes(slug))

describe("checkSlug", () => {
  test.each(["ab", "acme", "acme_eu", "a1", "a_", "publications", "pgadmin", "a".repeat(41)])("accepts %s", (slug) => {
    expect(checkSlug(slug)).toBe(slug)
  })

  test.each([
    ["nothing", ""],
    ["one letter", "a"],
    ["42 letters", "a".repeat(42)],
    ["a digit first", "1acme"],
    ["an underscore first", "_acme"],
    ["upper case", "Acme"],
    ["a dash", "acme-eu"],
    ["a dot", "acme.eu"],
    ["a space", "acme eu"],
    ["spaces around", " acme "],
    ["a newline at the end", "acme\n"],
    ["a carriage return at the end", "acme\r"],
    ["a line separator at the end", "acme\u2028"],
    ["a second line", "acme\nevil"],
    ["U+0000", "acme\u0000"],
    ["a quote that closes the name", 'acme"; drop schema public cascade; --'],
    ["a single quote", "acme' or '1'='1"],
    ["a comment", "acme/**/"],
    ["a path", "../acme"],
    ["an encoded slash", "acme%2f"],
    ["Cyrillic look-alikes", "\u0430\u0441me"],
    ["fullwidth letters", "\uFF41\uFF43me"],
    ["the Kelvin sign, whose lower case is k", "\u212Ame"],
    ["the long s, whose upper case is S", "\u017Facme"],
    ["a dotless i", "\u0131nc"],
    ["digits of another script", "acme\u0661"],
    ["a zero-width joiner", "ac\u200Dme"],
    ["a combining accent", "acme\u0301"],
    ["an emoji", "acme\u{1F600}"],
  ])("refuses %s", (_, slug) => {
    expect(() => checkSlug(slug)).toThrow(refused)
  })

  test.each(RESERVED)("refuses the reserved word %s", (slug) => {
    expect(() => checkSlug(slug)).toThrow(refused)
  })

  test.each([undefined, null, 7, true, ["acme"], { toString: () => "acme" }, Object("acme")])("refuses %o", (slug) => {
    expect(() => checkSlug(slug)).toThrow(refused)
  })

  test("accepts every other slug of that form", () => {
    fc.assert(
      fc.property(slugs, (slug) => {
        expect(checkSlug(slug)).toBe(slug)
      }),
    )
  })

  test("whatever it accepts has safe characters only", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.mixedCase(rest), fc.anything()), (slug) => {
        try {
          for (const character of checkSlug(slug)) expect("abcdefghijklmnopqrstuvwxyz0123456789_").toContain(character)
        } catch (error) {
          expect(error).toEqual(refused)
        }
      }),
    )
  })

  test("does not repeat what came", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12, unit: fc.constantFrom("Q", "W", "E", "!") }), (slug) => {
        expect(thrownBy(slug).message).not.toContain(slug)
      }),
    )
  })
})

describe("schemaOf", () => {
  test("names the schema", () => {
    expect(schemaOf("acme")).toBe("org_acme")
  })

  test("two slugs never share a schema, also as Postgres cuts names", () => {
    fc.assert(
      fc.property(slugs, slugs, (one, other) => {
        const schemas = [one, other].map((slug) => Buffer.from(schemaOf(checkSlug(slug))))
        expect(schemas.every((name) => name.length <= POSTGRES_NAME_BYTES)).toBe(true)
        expect(schemas[0]?.equals(schemas[1] ?? Buffer.of())).toBe(one === other)
      }),
    )
  })

  test("the longest slug leaves room", () => {
    expect(Buffer.byteLength(schemaOf(checkSlug("z".repeat(41))))).toBe(45)
  })
})
