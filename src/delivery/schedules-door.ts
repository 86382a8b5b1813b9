import { FleetPromptError } from "../errors.ts"
import type { Queryable } from "../store/database.ts"
import {
  pauseSchedule,
  resumeSchedule,
  type ScheduleRecord,
  selectSchedules,
  selectSchedulesNow,
} from "../store/schedules.ts"
import { parseSlots } from "./slots.ts"

/** Looking after the schedules of a fleet. */
export interface Schedules {
  /** All schedules that ever ran, by name; code may have forgotten some. */
  readonly list: () => Promise<readonly ScheduleRecord[]>
  /** Leaves a schedule alone, in every process and beyond restarts. A slot that is being fired is finished. @throws FleetPromptError `schedule_unknown` */
  readonly pause: (name: string) => Promise<void>
  /** Lets it go on with the next slot to come; those that passed meanwhile are left out. @throws FleetPromptError `schedule_unknown` */
  readonly resume: (name: string) => Promise<void>
}

/** @param wake called when a schedule of this fleet changed */
export function openSchedules(database: () => Queryable, wake: () => void): Schedules {
  return Object.freeze({
    list: () => selectSchedules(database()),
    pause: async (name: string) => {
      if (!(await pauseSchedule(database(), name))) throw unknown(name)
      wake()
    },
    resume: async (name: string) => {
      const { now, schedules } = await selectSchedulesNow(database(), [name])
      const schedule = schedules.find((each) => each.name === name)
      if (!schedule) throw unknown(name)
      const slots = parseSlots(name, schedule.cron, schedule.timeZone)
      await resumeSchedule(database(), name, slots.after(now.getTime()))
      wake()
    },
  })
}

function unknown(name: string): FleetPromptError {
  return new FleetPromptError(
    "schedule_unknown",
    `expected the name of a schedule, got ${JSON.stringify(name)}; fleet.schedules.list() has them all`,
  )
}
