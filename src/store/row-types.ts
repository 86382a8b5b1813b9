/** A Postgres type whose values become more than text in JavaScript. */
interface RowType {
  readonly oid: number
  readonly arrayOid: number
  readonly parse: (text: string) => unknown
}

const rowTypes: readonly RowType[] = [
  { oid: 16, arrayOid: 1000, parse: (text) => text === "t" }, // boolean
  { oid: 20, arrayOid: 1016, parse: parseInt8 },
  { oid: 21, arrayOid: 1005, parse: Number }, // int2
  { oid: 23, arrayOid: 1007, parse: Number }, // int4
  { oid: 26, arrayOid: 1028, parse: Number }, // oid
  { oid: 700, arrayOid: 1021, parse: Number }, // float4
  { oid: 701, arrayOid: 1022, parse: Number }, // float8
  { oid: 114, arrayOid: 199, parse: JSON.parse },
  { oid: 3802, arrayOid: 3807, parse: JSON.parse }, // jsonb
  { oid: 1184, arrayOid: 1185, parse: parseTimestamptz },
  { oid: 25, arrayOid: 1009, parse: asText },
  { oid: 1043, arrayOid: 1015, parse: asText }, // varchar
  { oid: 2950, arrayOid: 2951, parse: asText }, // uuid
]

/** Types that the drivers would each turn into something else, so they stay text in both. */
const textOids = [17, 1082, 1114, 1186] // bytea, date, timestamp, interval

/** What becomes of a value of each type, by the type's oid. Any type that is not here stays text. */
export const scalarParsers: Readonly<Record<number, (text: string) => unknown>> = Object.fromEntries([
  ...rowTypes.map(({ oid, parse }) => [oid, parse]),
  ...textOids.map((oid) => [oid, asText]),
])

/** What becomes of each element of an array, by the array type's oid. */
export const elementParsers: Readonly<Record<number, (text: string) => unknown>> = Object.fromEntries(
  rowTypes.map(({ arrayOid, parse }) => [arrayOid, parse]),
)

function asText(text: string): string {
  return text
}

function parseInt8(text: string): number | bigint {
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : BigInt(text)
}

const TIMESTAMPTZ = /^(\d+)-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d+))?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?( BC)?$/

/** As `Date` keeps milliseconds, microseconds are cut off. */
function parseTimestamptz(text: string): Date | number {
  if (text === "infinity") return Number.POSITIVE_INFINITY
  if (text === "-infinity") return Number.NEGATIVE_INFINITY
  const [, year, month, day, hour, minute, second, fraction = "", sign, ...offset] = TIMESTAMPTZ.exec(text) ?? []
  const date = new Date(0)
  // There is no year 0: the year before 1 is 1 BC.
  date.setUTCFullYear(offset[3] === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day))
  date.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, "0").slice(0, 3)))
  const [hours = 0, minutes = 0, seconds = 0] = offset.slice(0, 3).map((part) => Number(part ?? 0))
  const offsetMs = ((hours * 60 + minutes) * 60 + seconds) * 1000
  return new Date(date.getTime() - (sign === "-" ? -offsetMs : offsetMs))
}
