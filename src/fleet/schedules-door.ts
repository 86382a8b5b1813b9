import { appendPlatformAudit } from "../audit/append-audit.ts"
import { parseSlots } from "../delivery/slots.ts"
import { FleetPromptError } from "../errors.ts"
import type { Database, Queryable } from "../store/database.ts"
import {
  pauseSchedule,
  resumeSchedule,
  type ScheduleRecord,
  selectSchedules,
  selectSchedulesNow,
} from "../store/schedules.ts"
import { actEntry, type RequestedBy } from "../tenants/act-entry.ts"

/** Looking after the schedules of a fleet. What changes one is in the platform's audit log in the same commit. */
export interface Schedules {
  /** All schedules that ever ran, by name; code may have forgotten some. */
  readonly list: () => Promise<readonly ScheduleRecord[]>
  /** Leaves a schedule alone, in every process and beyond restarts. A slot that is being fired is finished. @throws FleetPromptError `schedule_unknown` */
  readonly pause: (name: string, request?: RequestedBy) => Promise<void>
  /** Lets it go on with the next slot to come; those that passed meanwhile are left out. @throws FleetPromptError `schedule_unknown` */
  readonly resume: (name: string, request?: RequestedBy) => Promise<void>
}

/** @param wake called when a schedule of this fleet changed */
export function openSchedules(database: () => Database, wake: () => void): Schedules {
  const change = async (name: string, act: "pause" | "resume", request: RequestedBy): Promise<void> => {
    await database().transaction(async (tx) => {
      const isChanged = await (act === "pause" ? pause(tx, name) : resume(tx, name))
      if (isChanged) await appendPlatformAudit(tx, [actEntry(`schedule.${act}`, `schedule:${name}`, request)])
    })
    wake()
  }
  return Object.freeze({
    list: () => selectSchedules(database()),
    pause: (name: string, request: RequestedBy = {}) => change(name, "pause", request),
    resume: (name: string, request: RequestedBy = {}) => change(name, "resume", request),
  })
}

async function pause(tx: Queryable, name: string): Promise<true> {
  if (await pauseSchedule(tx, name)) return true
  throw unknown(name)
}

/** @returns whether it was paused */
async function resume(tx: Queryable, name: string): Promise<boolean> {
  const { now, schedules } = await selectSchedulesNow(tx, [name])
  const schedule = schedules.find((each) => each.name === name)
  if (!schedule) throw unknown(name)
  const slots = parseSlots(name, schedule.cron, schedule.timeZone)
  return resumeSchedule(tx, name, slots.after(now.getTime()))
}

function unknown(name: string): FleetPromptError {
  return new FleetPromptError(
    "schedule_unknown",
    `expected the name of a schedule, got ${JSON.stringify(name)}; fleet.schedules.list() has them all`,
  )
}
