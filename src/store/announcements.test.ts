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
  await announce(tx, [{ tenant: "t".repeat(41), stored: ids, delivered: ids.slice(0, 10) }])
  expect(Math.max(...payloads.map((payload) => Buffer.byteLength(payload)))).toBeLessThan(8_000)
  const heard = payloads.map(parseAnnouncement)
  expect(heard.flatMap((each) => each?.stored ?? [])).toEqual(ids)
  expect(heard.flatMap((each) => each?.delivered ?? [])).toEqual(ids.slice(0, 10))
})

test.each(["", "{}", "null", "[]", '{"tenant":1,"stored":[],"delivered":[]}', "not json"])(
  "%j is not taken for an announcement",
  (payload) => {
    expect(parseAnnouncement(payload)).toBeUndefined()
  },
)
