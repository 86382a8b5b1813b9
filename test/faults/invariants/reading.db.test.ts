import { describe, expect, test } from "vitest"
import { markerOf } from "../ledger/content.ts"
import { plantedHistory } from "./planted-history.ts"

const past = plantedHistory()

describe("I9", () => {
  test("finds a gap", async () => {
    await past.plant("delete from seen where signal_id = $1", past.ids[1])
    expect(await past.violations("I9")).toEqual([
      `subscriber of-${past.slug} never saw signal ${past.ids[1]} of ${past.slug}`,
    ])
  })

  test("finds what was seen again, and what was seen late", async () => {
    await past.ledger.saw({ subscriber: `of-${past.slug}`, signalId: past.ids[2] ?? "", cursor: "" })
    await past.ledger.saw({ subscriber: `of-${past.slug}`, signalId: past.ids[0] ?? "", cursor: "" })
    expect(await past.violations("I9")).toEqual([
      `subscriber of-${past.slug} saw signal ${past.ids[2]} of ${past.slug} twice`,
      `subscriber of-${past.slug} saw signal ${past.ids[0]} of ${past.slug} after a later one`,
    ])
  })
})

describe("I10", () => {
  test("finds another tenant's marker in a row", async () => {
    const marker = markerOf(past.other)
    await past.plant("alter table org.signals disable trigger all")
    await past.plant(
      `update org.signals set data = jsonb_build_object('text', 'x ' || $1) where id = $2`,
      marker,
      past.ids[0],
    )
    expect(await past.violations("I10")).toEqual([
      `org_${past.slug}.signals holds ${marker} of ${past.other} in a row of ${past.slug}`,
    ])
  })

  test("finds another tenant's marker in what a tenant got to see", async () => {
    const marker = markerOf(past.other)
    await past.ledger.output(past.slug, "log", `error: ${marker}`)
    await past.ledger.output(past.other, "log", `error: ${marker}`)
    expect(await past.violations("I10")).toEqual([
      `${past.slug}/log holds ${marker} of ${past.other} in a row of ${past.slug}`,
    ])
  })
})
