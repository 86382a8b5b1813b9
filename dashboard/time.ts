const CLOCK: Intl.DateTimeFormatOptions = {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
}
const clock = new Intl.DateTimeFormat(undefined, CLOCK)
const dayAndClock = new Intl.DateTimeFormat(undefined, { ...CLOCK, month: "short", day: "numeric" })
const withYear = new Intl.DateTimeFormat(undefined, { ...CLOCK, year: "numeric", month: "short", day: "numeric" })

/** A time in the reader's zone, as short as it can be told from now: the clock today, else with day, else with year. */
export function localTime(iso: string, now: Date = new Date()): string {
  const time = new Date(iso)
  if (Number.isNaN(time.getTime())) return iso
  if (time.toDateString() === now.toDateString()) return clock.format(time)
  return (time.getFullYear() === now.getFullYear() ? dayAndClock : withYear).format(time)
}

/** How long something took: `12 ms`, `1.2 s`, `2 min 3 s`. */
export function duration(startIso: string, endIso: string): string {
  const ms = Math.max(0, Date.parse(endIso) - Date.parse(startIso))
  if (Number.isNaN(ms)) return "unknown"
  if (ms < 1_000) return `${ms} ms`
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`
}
