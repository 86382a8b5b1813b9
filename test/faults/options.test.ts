import { expect, test } from "vitest"
import { readOptions } from "./options.ts"

const known = ["SOAK", "P1", "D2"]

function idsOf(...args: string[]): readonly string[] {
  return readOptions(args, known).ids
}

test("the soak runs only when it is asked for, and last", () => {
  expect(idsOf()).toEqual(["P1", "D2"])
  expect(idsOf("--short")).toEqual(["P1", "D2"])
  expect(idsOf("--long")).toEqual(["P1", "D2", "SOAK"])
  expect(idsOf("--soak")).toEqual(["SOAK"])
  expect(idsOf("--only", "D2")).toEqual(["D2"])
  expect(idsOf("--soak", "--only", "D2")).toEqual(["D2", "SOAK"])
})

test("only --short is small; the soak takes an hour unless it is told otherwise", () => {
  expect(readOptions(["--short"], known)).toMatchObject({ scale: "short", jobs: 4, json: false, report: false })
  expect(readOptions(["--soak"], known)).toMatchObject({ scale: "long", minutes: 60 })
  expect(readOptions(["--soak", "--minutes", "3", "--seed", "7"], known)).toMatchObject({ minutes: 3, seed: 7 })
  expect(readOptions([], known).seed).toBeGreaterThan(0)
})

test.each([
  [["--short", "--long"], "expected one of --short, --long and --soak"],
  [["--only", "P9"], 'expected --only to name scenarios, got "P9"; there are SOAK, P1, D2'],
  [["--minutes", "0"], 'expected a whole number from 1 as --minutes, got "0"'],
  [["--seed", "x"], 'expected a whole number from 1 as --seed, got "x"'],
])("%j is refused", (args, message) => {
  expect(() => readOptions(args, known)).toThrow(message)
})
