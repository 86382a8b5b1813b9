import type { Page } from "playwright-core"
import { describe, expect, test } from "vitest"
import { triageHandlers } from "../src/demo/triage.ts"
import { barriers } from "./support/accessibility.ts"
import { describePage, failingHandler, rowOf } from "./support/test-page.ts"

describePage("the page", (open) => {
  describe.each(["light", "dark"] as const)("in %s colours", (colorScheme) => {
    test.each([1280, 360])("has no barrier that axe finds, %i pixels wide", async (width) => {
      const failing = failingHandler("billing.sync", "github.issues.*", new Error("connect ECONNREFUSED"), 5)
      const viewport = { width, height: 800 }
      const { page, faults, post, tenant } = await open("/", [...triageHandlers, failing], { colorScheme, viewport })
      await page.getByRole("heading", { name: "No signals yet" }).waitFor()
      expect(await barriers(page)).toEqual([])
      await post("issues.opened", "star.created")
      const long = await tenant.emit(LONG, { [LONG]: LONG }, { subject: LONG })
      await rowOf(page, "triage.assigned").waitFor()
      await page.locator(".chip.retrying").waitFor()
      expect(await barriers(page)).toEqual([])
      expect(await widerThanTheirPlace(page)).toEqual([])
      await rowOf(page, "github.issues.opened").getByRole("link").click()
      await page.getByRole("region", { name: "payload" }).waitFor()
      expect(await barriers(page)).toEqual([])
      expect(await widerThanTheirPlace(page)).toEqual([])
      await page.goto(`/#/signals/${long.signal.id}`)
      await page.getByRole("region", { name: "payload" }).getByText(LONG).waitFor()
      expect(await widerThanTheirPlace(page)).toEqual([])
      expect(faults).toEqual([])
    })
  })

  test("has none in the list of keys and in what it says of a problem", async () => {
    const { page } = await open("/?pattern=a..b")
    await page.getByRole("alert").getByText("segment 2").waitFor()
    expect(await barriers(page)).toEqual([])
    await page.keyboard.press("?")
    await page.getByRole("dialog", { name: "Keys" }).waitFor()
    expect(await barriers(page)).toEqual([])
  })
})

/** A type and a subject that fit nowhere. */
const LONG = `order.${"very-long-name".repeat(12)}`
/** What may scroll down, but must not scroll sideways. */
const PLACES = ["html", "header", ".toolbar", "#rows-pane", ".detail-head", "#detail-body"]

async function widerThanTheirPlace(page: Page): Promise<readonly string[]> {
  const widths = PLACES.map((place) => page.locator(place).evaluate((node) => node.scrollWidth - node.clientWidth))
  const excess = await Promise.all(widths)
  return PLACES.filter((_, index) => (excess[index] ?? 0) > 0)
}
