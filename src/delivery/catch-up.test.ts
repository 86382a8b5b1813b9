import { expect, test } from "vitest"
import { planSlot } from "./catch-up.ts"
import { type CatchUp, defineSchedule } from "./schedule.ts"

const at = (time: string): number => Date.parse(`2026-05-${time}Z`)
const schedule = (catchUp: CatchUp, cron = "0 * * * *") =>
  defineSchedule({ name: "test", cron, catchUp, emit: { type: "test.due" } })

test.each(["last", "none", "all"] as const)("in time, %s fires the slot", (catchUp) => {
  const slot = at("05T10:00")
  expect(planSlot(schedule(catchUp), slot, slot + 3)).toEqual({ kind: "fire", slot, droppedFrom: undefined })
})

test("after a day without any process, last fires the last slot", () => {
  expect(planSlot(schedule("last"), at("05T10:00"), at("06T10:30"))).toMatchObject({ slot: at("06T10:00") })
})

test("none leaves them out, but not the one that is hardly late", () => {
  expect(planSlot(schedule("none"), at("05T10:00"), at("06T10:30"))).toEqual({ kind: "skip", nextSlot: at("06T11:00") })
  expect(planSlot(schedule("none"), at("05T10:00"), at("06T10:01"))).toMatchObject({ slot: at("06T10:00") })
  expect(planSlot(schedule("none"), at("05T10:00"), at("05T10:02:00.001"))).toMatchObject({ kind: "skip" })
})

test("all begins with the first", () => {
  const plan = planSlot(schedule("all"), at("05T10:00"), at("06T10:30"))
  expect(plan).toEqual({ kind: "fire", slot: at("05T10:00"), droppedFrom: undefined })
})

test("all makes up for 100 at most, and says from where the others were dropped", () => {
  const minutely = schedule("all", "* * * * *")
  expect(planSlot(minutely, at("05T10:00"), at("06T10:00:30"))).toEqual({
    kind: "fire",
    slot: at("06T08:21"),
    droppedFrom: at("05T10:00"),
  })
  const [first, last] = [at("06T08:21"), at("06T10:00")]
  expect((last - first) / 60_000 + 1).toBe(100)
})

test("years of seconds take no time to be caught up with", () => {
  const everySecond = schedule("last", "* * * * * *")
  expect(planSlot(everySecond, at("05T10:00") - 5 * 366 * 86_400_000, at("05T10:00"))).toMatchObject({
    slot: at("05T10:00"),
  })
})
