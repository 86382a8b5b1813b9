import { fileURLToPath } from "node:url"
import type { Page } from "playwright-core"
import { test } from "vitest"
import { loadExamples } from "../src/demo/feed.ts"
import { demoHandlers } from "../src/demo/handlers.ts"
import { describePage, failingHandler, gatedHandler, rowOf } from "./support/test-page.ts"

const wanted = process.env["SCREENSHOTS"] === "1"
/** What is on top when the pictures are taken. */
const LATEST = "release.published check_suite.completed pull_request.opened issues.labeled discussion.created \
deployment.created issue_comment.created release.released workflow_run.completed label.created \
dependabot_alert.created pull_request.closed fork".split(" ")
const LAST = ["star.created", "issues.opened"]
const HANDLERS = [
  ...demoHandlers,
  failingHandler("crm.push", "github.star.*", new TypeError("the CRM answered 422: no such account"), 1),
  failingHandler("billing.sync", "github.issues.*", new Error("connect ECONNREFUSED 192.0.2.7:443"), 5),
]
const WIDE = { width: 1280, height: 800 }
const NARROW = { width: 360, height: 740 }

async function save(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0)
  await page.screenshot({ path: fileURLToPath(new URL(`../docs/screenshots/${name}.png`, import.meta.url)) })
}

/** The rest of what GitHub sends, one of each kind. */
async function earlierKinds(): Promise<readonly string[]> {
  const kinds = (await loadExamples()).map(({ event, action }) => (action === null ? event : `${event}.${action}`))
  return [...new Set(kinds)].filter((kind) => ![...LATEST, ...LAST].includes(kind))
}

describePage("pictures for the documentation", (open) => {
  test.runIf(wanted)("of the list, of a signal, in the dark and on a phone", async () => {
    const slow = gatedHandler("review.summarise", "github.pull_request.*").handler
    const { page, post } = await open("/", [...HANDLERS, slow], { tenant: "octokit", viewport: WIDE })
    await post(...(await earlierKinds()))
    await post(...LATEST)
    await post(...LAST)
    await rowOf(page, "github.star.created").locator(".chip.dead").waitFor()
    await page.locator("#counters .retrying:not(.zero)").waitFor()
    await page.locator("#counters .waiting.zero").waitFor()
    await save(page, "live")
    await page.setViewportSize(NARROW)
    await save(page, "narrow")
    await page.setViewportSize(WIDE)
    await rowOf(page, "github.issues.opened").getByRole("link").click()
    await page.getByText("led to 4 effects").waitFor()
    await save(page, "detail")
    await page.emulateMedia({ colorScheme: "dark" })
    await save(page, "dark")
    await page.emulateMedia({ colorScheme: "light" })
    await page.setViewportSize(NARROW)
    await save(page, "narrow-detail")
  })
})
