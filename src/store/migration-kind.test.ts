import fc from "fast-check"
import { expect, test } from "vitest"
import { breakingUpTo, latestVersion, migrationKind, reachableVersion } from "./migration-kind.ts"

/** Migrations with growing numbers, some of them breaking. */
const migrations = fc
  .array(fc.record({ gap: fc.integer({ min: 1, max: 3 }), isBreaking: fc.boolean() }), { maxLength: 12 })
  .map((steps) => {
    let version = 0
    return steps.map(({ gap, isBreaking }) => {
      version += gap
      return { version, name: `${version}.sql`, text: isBreaking ? "-- breaking\nselect 1" : "-- adds\nselect 1" }
    })
  })

test("the first line says whether a migration breaks older processes", () => {
  const kind = (text: string) => migrationKind({ version: 1, name: "", text })
  expect(["-- breaking\nx", "-- breaking: drops y\nx", "-- breakingly\nx", "x\n-- breaking"].map(kind)).toEqual([
    "breaking",
    "breaking",
    "expand",
    "expand",
  ])
})

test("without leave for breaking ones, a schema comes as far as it can without any", () => {
  fc.assert(
    fc.property(migrations, fc.nat(40), (all, from) => {
      const to = reachableVersion(all, from, false)
      const run = all.filter(({ version }) => version > from && version <= to)
      const next = all.find(({ version }) => version > Math.max(from, to))
      expect(run.every((each) => migrationKind(each) === "expand")).toBe(true)
      expect(next === undefined || migrationKind(next) === "breaking").toBe(true)
      expect(to).toBeGreaterThanOrEqual(from)
    }),
  )
})

test("with leave, it comes to the last, and never back", () => {
  fc.assert(
    fc.property(migrations, fc.nat(40), (all, from) => {
      expect(reachableVersion(all, from, true)).toBe(Math.max(from, latestVersion(all)))
    }),
  )
})

test("the last breaking one up to a version is that of those up to it", () => {
  fc.assert(
    fc.property(migrations, fc.nat(40), (all, version) => {
      const breaking = all.filter((each) => each.version <= version && migrationKind(each) === "breaking")
      expect(breakingUpTo(all, version)).toBe(Math.max(0, ...breaking.map((each) => each.version)))
    }),
  )
})
