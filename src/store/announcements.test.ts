import { expect, test } from "vitest"
import { announce, parseAnnouncement } from "./announcements.ts"
import type { Queryable } from "./database.ts"

test("announcements are cut so that each fits into a notification", async () => {
  const ids = Array.from({ length: 1_000 }, (_, index) => `00000000-0000-7000-8000-${String(index).padStart(12, "0")}`)
  let payloads: string[] = []
  const tx: Queryable = {
    query: async (_, values = []) => {
      payloads = JSON.parse(String(values[1]))
      return []
    },
  }
  const lanes = ids.map((id) => ({ handler: `h.${id}`, tenant: "t".repeat(41), priority: 0 }))
  const news = [{ tenant: "t".repeat(41), stored: ids, delivered: ids.slice(0, 10) }]
  await announce(tx, "me", { news, lanes, pauses: true })
  expect(Math.max(...payloads.map((payload) => Buffer.byteLength(payload)))).toBeLessThan(8_000)
  const heard = payloads.map(parseAnnouncement)
  const heardNews = heard.flatMap((each) => each?.news ?? [])
  expect(heardNews.flatMap(({ stored }) => stored)).toEqual(ids)
  expect(heardNews.flatMap(({ delivered }) => delivered)).toEqual(ids.slice(0, 10))
  expect(heard.flatMap((each) => each?.lanes ?? [])).toEqual(lanes)
  expect(heard.map((each) => each?.origin)).toEqual(payloads.map(() => "me"))
  expect(heard.filter((each) => each?.pauses)).toHaveLength(1)
})

test.each(["", "{}", "null", "[]", '{"origin":"me","news":1}', "not json"])(
  "%j is not taken for an announcement",
  (payload) => {
    expect(parseAnnouncement(payload)).toBeUndefined()
  },
)
