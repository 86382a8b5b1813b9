import { expect, test } from "vitest"
import { defineHandler } from "../delivery/handler.ts"
import { defineSchedule } from "../delivery/schedule.ts"
import { retentionHandler, retentionSchedule } from "./retention-handler.ts"

const none = () => {
  throw new Error("not started")
}

test("the built-in handler and schedule are valid, and the one hears the other", () => {
  const handler = defineHandler(retentionHandler({}, none))
  const schedule = defineSchedule(retentionSchedule({ at: "23:05" }))
  expect(handler).toMatchObject({ name: "fleetprompt.retention", on: { pattern: schedule.type }, replayable: false })
  expect(schedule).toMatchObject({ name: "fleetprompt.retention", cron: "5 23 * * *", timeZone: "UTC" })
  expect(defineSchedule(retentionSchedule({})).cron).toBe("0 3 * * *")
})

const wrong = expect.objectContaining({ code: "config_invalid" })

test.each([0, -1, 1.5, Number.NaN, 40_000])("%d days are refused", (days) => {
  expect(() => retentionHandler({ days }, none)).toThrow(wrong)
})

test("a wrong window and a wrong time are refused", () => {
  expect(() => retentionHandler({ dedupeWindowDays: -1 }, none)).toThrow(wrong)
  for (const at of ["24:00", "3:00", "03:60", ""]) expect(() => retentionSchedule({ at })).toThrow(wrong)
})
