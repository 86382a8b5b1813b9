import fc from "fast-check"
import { expect, test } from "vitest"
import { addressOf, placeOf } from "../../dashboard/place.ts"

const ORIGIN = "http://localhost:4400"

test("a place is read from the address it stands in", () => {
  const text = fc.string({ minLength: 1, unit: "grapheme" }).filter((each) => each.trim() === each)
  const place = fc.record({
    pattern: fc.option(text),
    selected: fc.option(text.filter((each) => each !== "." && each !== "..")),
  })
  fc.assert(
    fc.property(place, (each) => {
      expect(placeOf(new URL(addressOf(each), ORIGIN))).toEqual(each)
    }),
  )
})

test.each([
  ["/", { pattern: null, selected: null }],
  ["/?pattern=", { pattern: null, selected: null }],
  ["/?pattern=github.**", { pattern: "github.**", selected: null }],
  ["/#/signals/0192", { pattern: null, selected: "0192" }],
  ["/#/signals/", { pattern: null, selected: null }],
  ["/#/signals/%zz", { pattern: null, selected: "%zz" }],
  ["/#elsewhere", { pattern: null, selected: null }],
])("%s", (address, place) => {
  expect(placeOf(new URL(address, ORIGIN))).toEqual(place)
})

test("a pattern stays readable in the address", () => {
  expect(addressOf({ pattern: "github.**", selected: "0192" })).toBe("/?pattern=github.**#/signals/0192")
})
