import { expect, test } from "vitest"
import { defineSchedule, type ScheduleDefinition } from "./schedule.ts"

const definition: ScheduleDefinition = { name: "report.daily", cron: "0 7 * * *", emit: { type: "report.due" } }

test("what is left out gets its default", () => {
  const schedule = defineSchedule({ ...definition, cron: " 0 7 * * * " })
  expect(schedule).toMatchObject({
    name: "report.daily",
    cron: "0 7 * * *",
    timeZone: "UTC",
    type: "report.due",
    data: {},
    source: "schedule:report.daily",
    catchUp: "last",
    spreadMs: 0,
  })
  expect(schedule.chooses({ slug: "acme", class: "standard" })).toBe(true)
  expect(Object.isFrozen(schedule)).toBe(true)
})

test("it chooses tenants by slug or by a function", () => {
  const some = defineSchedule({ ...definition, tenants: ["acme"] })
  const paying = defineSchedule({ ...definition, tenants: (tenant) => tenant.class !== "standard" })
  expect(some.chooses({ slug: "acme", class: "standard" })).toBe(true)
  expect(some.chooses({ slug: "other", class: "standard" })).toBe(false)
  expect(paying.chooses({ slug: "acme", class: "premium" })).toBe(true)
})

test.each<[string, object, string]>([
  ["a name", { name: "a b" }, `expected a name such as "report.daily" of at most 100 characters, got "a b"`],
  ["an expression", { cron: "0 7 * *" }, `got "0 7 * *" in "UTC"; five fields, or six`],
  ["a field", { cron: "61 7 * * *" }, "Invalid value for minute: 61"],
  ["a date", { cron: "2026-01-01T00:00:00" }, "five fields, or six"],
  ["a year", { cron: "0 0 7 * * * 2030" }, "five fields, or six"],
  ["no text", { cron: 5 }, "five fields, or six"],
  ["a date that never comes", { cron: "0 0 30 2 *" }, "no such date ever comes"],
  ["a start of the system", { cron: "@reboot" }, "@reboot is not supported"],
  ["a time zone", { timeZone: "Middle/Earth" }, `in "Middle/Earth": `],
  ["no time zone", { timeZone: "" }, `in ""`],
  ["a type", { emit: { type: "Report due" } }, "emit.type of schedule report.daily: expected segments"],
  ["data", { emit: { type: "a", data: { at: new Date(0) } } }, "emit.data of schedule report.daily: "],
  ["a list as data", { emit: { type: "a", data: [1] } }, "expected an object as emit.data"],
  ["a taken key", { emit: { type: "a", data: { slot: 1 } } }, `without "slot"`],
  ["tenants", { tenants: 5 }, "as tenants of schedule report.daily, got number"],
  ["catchUp", { catchUp: "some" }, `expected "last", "none" or "all"`],
  ["spreadMs", { spreadMs: -1 }, "from 0 to 3600000 as spreadMs"],
  ["spreadMs beyond the next slot", { cron: "* * * * *", spreadMs: 60_000 }, "from 0 to 59999 as spreadMs"],
])("a wrong one is refused: %s", (_, wrong, message) => {
  const define = () => defineSchedule({ ...definition, ...wrong })
  expect(define).toThrow(expect.objectContaining({ code: "schedule_invalid" }))
  expect(define).toThrow(message)
})
