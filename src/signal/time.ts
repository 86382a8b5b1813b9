const RFC3339 =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/
/** Every month has this day. */
const SAFE_DAY = "28"
const SHORT_MONTHS = new Set(["04", "06", "09", "11"])

/**
 * Whether a text is a time as RFC 3339 writes it, of a day that the calendar has. A leap second is none,
 * because no date of JavaScript can hold it.
 */
export function isTime(text: string): boolean {
  return RFC3339.test(text) && (text.slice(8, 10) <= SAFE_DAY || isDay(text))
}

/** For days from 29 to 31. */
function isDay(time: string): boolean {
  const [month, day] = [time.slice(5, 7), time.slice(8, 10)]
  if (month === "02") return day === "29" && isLeapYear(Number(time.slice(0, 4)))
  return day !== "31" || !SHORT_MONTHS.has(month)
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

let lastMs = Number.NaN
let lastText = ""

/** The time now as RFC 3339 has it. The calls of one millisecond share its text, which takes long to make. */
export function timeNow(): string {
  const ms = Date.now()
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString()
    lastMs = ms
  }
  return lastText
}
