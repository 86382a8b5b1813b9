import { z } from "zod"
import { actorOf } from "../access/principal-actor.ts"
import type { ScheduleRecord } from "../store/schedules.ts"
import { may, mayAct, route, type Route } from "./route.ts"
import { named, noted, reason, text, time } from "./schemas/fields.ts"

const tag = "Schedules"

const schedule = named(
  "Schedule",
  z.object({
    name: text("Of the schedule."),
    cron: text("When, as a cron expression."),
    timeZone: text("IANA name."),
    nextSlot: time("The first slot that was not fired."),
    lastSlot: time("The last slot that was fired.").nullable(),
    lastFiredAt: time("When that was done.").nullable(),
    pausedAt: time("Since when it is left alone.").nullable(),
  }),
)

const listSchedules = route({
  method: "GET",
  path: "/v1/schedules",
  name: "listSchedules",
  tag,
  summary: "The schedules that ever ran in this fleet, by name.",
  access: may("schedules:read"),
  answers: { 200: z.object({ schedules: z.array(schedule) }) },
  run: async ({ fleet }) => ({ schedules: (await fleet.schedules.list()).map(shownSchedule) }),
})

/** A route that stops a schedule or lets it go on. */
function control(act: "pause" | "resume", summary: string): Route {
  return route({
    method: "POST",
    path: `/v1/schedules/:name/${act}`,
    name: `${act}Schedule`,
    tag,
    summary,
    access: mayAct("schedules:control", ({ params: { name } }) => (name === undefined ? {} : { id: name })),
    params: z.object({ name: text("Of the schedule.") }),
    body: z.object({ reason }),
    answers: { 204: null },
    errors: ["schedule_unknown"],
    run: ({ fleet, principal, params: { name }, body }) =>
      fleet.schedules[act](name, { by: actorOf(principal), ...body }),
  })
}

const getHealth = route({
  method: "GET",
  path: "/v1/health",
  name: "getHealth",
  tag,
  summary: "Whether the fleet can do its work.",
  access: may("health:read"),
  answers: {
    200: z.object({
      ready: noted(z.boolean(), "Whether every check is well."),
      checks: z.array(z.object({ name: text("Of the check."), ok: z.boolean() })),
    }),
  },
  run: async ({ fleet }) => {
    const { ready, checks } = await fleet.health()
    return { ready, checks: checks.map(({ name, ok }) => ({ name, ok })) }
  },
})

/** What runs by the clock, and whether the fleet is well. */
export const scheduleRoutes: readonly Route[] = [
  listSchedules,
  control("pause", "Leaves a schedule alone, in every process and beyond restarts."),
  control("resume", "Lets a schedule go on with the next slot to come."),
  getHealth,
]

/** Which process fires it is no caller's business. */
function shownSchedule({ name, cron, timeZone, nextSlot, lastSlot, lastFiredAt, pausedAt }: ScheduleRecord): object {
  return { name, cron, timeZone, nextSlot, lastSlot, lastFiredAt, pausedAt }
}
