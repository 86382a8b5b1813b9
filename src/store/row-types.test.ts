import fc from "fast-check"
import { expect, test } from "vitest"
import { scalarParsers } from "./row-types.ts"

const [timestamptz, int8] = [scalarParsers[1184], scalarParsers[20]]

/** As Postgres writes a time in a zone that is so many seconds east of Greenwich. */
function written(date: Date, offsetSeconds: number): string {
  const local = new Date(date.getTime() + offsetSeconds * 1000)
  const year = local.getUTCFullYear()
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0")
  const digits = String(year > 0 ? year : 1 - year).padStart(4, "0")
  const time = local.toISOString().replace(/^.*T(.*)Z$/, "$1")
  const size = Math.abs(offsetSeconds)
  const parts = [two(size / 3600), two((size / 60) % 60), two(size % 60)]
  while (parts.length > 1 && parts.at(-1) === "00") parts.pop()
  const day = `${digits}-${two(local.getUTCMonth() + 1)}-${two(local.getUTCDate())}`
  return `${day} ${time}${offsetSeconds < 0 ? "-" : "+"}${parts.join(":")}${year > 0 ? "" : " BC"}`
}

test("a timestamptz is the same moment in whatever zone the server writes it", () => {
  const dates = fc.date({ min: new Date("-004000-01-01"), max: new Date("+020000-01-01"), noInvalidDate: true })
  const offsets = fc.integer({ min: -15 * 3600, max: 15 * 3600 })
  fc.assert(
    fc.property(dates, offsets, (date, offset) => {
      expect(timestamptz?.(written(date, offset))).toEqual(date)
    }),
  )
})

test("microseconds are cut off, not rounded", () => {
  expect(timestamptz?.("2026-07-01 23:59:59.999999+00")).toEqual(new Date("2026-07-01T23:59:59.999Z"))
})

test("an int8 is read exactly, as a number where that is safe", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const read = int8?.(String(value))
      expect(read).toBe(Number.isSafeInteger(Number(value)) ? Number(value) : value)
    }),
  )
})
