import { Cron } from "croner"
import { FleetPromptError } from "../errors.ts"

/**
 * The moments a cron expression names in a time zone, milliseconds since 1970. They depend on nothing but expression
 * and zone, so every process finds the same.
 *
 * When clocks go forward, a fixed time in the gap comes at the first moment after it, and what repeats (with `*` or a
 * step in seconds, minutes or hours) leaves the gap out. When clocks go back, a fixed time comes once, the first time,
 * and what repeats goes on through the hour that comes twice.
 */
export interface Slots {
  /** The first slot after a moment. */
  readonly after: (ms: number) => number
  /** The last slots up to a moment and including it, in order; at most `count`. */
  readonly upTo: (ms: number, count: number) => readonly number[]
  /** The first slots after 2000-01-01. */
  readonly first: (count: number) => readonly number[]
}

const FIELDS = /^(@[a-z]+|\S+(\s+\S+){4,5})$/i
const MILLENNIUM = Date.UTC(2000, 0, 1)

/**
 * Reads a cron expression of five or six fields, or a nickname.
 *
 * @param name of the schedule, for messages
 * @throws FleetPromptError `schedule_invalid`
 */
export function parseSlots(name: string, cron: string, timeZone: string): Slots {
  const expected = `expected a cron expression such as "0 7 * * MON-FRI" and an IANA time zone for schedule ${name}`
  const came = `got ${JSON.stringify(cron)} in ${JSON.stringify(timeZone)}`
  if (typeof cron !== "string" || !FIELDS.test(cron.trim()))
    throw invalid(`${expected}, ${came}; five fields, or six with seconds first, have spaces between them`)
  if (typeof timeZone !== "string" || timeZone === "") throw invalid(`${expected}, ${came}`)
  try {
    const slots = slotsOf(
      new Cron(cron.trim(), { timezone: timeZone, paused: true, fixedTimeRule: "no-wildcard", mode: modeOf(cron) }),
    )
    slots.after(MILLENNIUM)
    return slots
  } catch (cause) {
    throw invalid(`${expected}, ${came}: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

/** A nickname stands for a whole expression, of which croner knows how many fields it has. */
function modeOf(cron: string): "auto" | "5-or-6-parts" {
  return cron.trim().startsWith("@") ? "auto" : "5-or-6-parts"
}

function slotsOf(cron: Cron): Slots {
  const after = (ms: number): number => {
    const next = cron.nextRun(new Date(ms))
    if (!next) throw new Error("no such date ever comes")
    return next.getTime()
  }
  return Object.freeze({
    after,
    upTo: (ms: number, count: number) =>
      cron
        .previousRuns(count, new Date(ms + 1))
        .map((date) => date.getTime())
        .toReversed(),
    first: (count: number) => cron.nextRuns(count, new Date(MILLENNIUM)).map((date) => date.getTime()),
  })
}

function invalid(message: string, cause?: unknown): FleetPromptError {
  return new FleetPromptError("schedule_invalid", message, { cause })
}
