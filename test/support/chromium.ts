import { existsSync } from "node:fs"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { onTestFinished } from "vitest"

const PLACES = [
  process.env["CHROMIUM_PATH"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
]
/** It asks nobody but the server under test. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

/**
 * Path of a Chromium: CHROMIUM_PATH, else where systems have it. When there is none, undefined, said on
 * standard error; with REQUIRE_BROWSER=1 an error.
 */
export function findChromium(): string | undefined {
  const found = PLACES.find((place) => place !== undefined && existsSync(place))
  if (found !== undefined) return found
  const notice = "no Chromium found: install it or set CHROMIUM_PATH to run the tests of the page"
  if (process.env["REQUIRE_BROWSER"] === "1") throw new Error(notice)
  process.stderr.write(`skipped: ${notice}\n`)
  return undefined
}

/** Starts the browser. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ARGUMENTS })
}

/** A page and what went wrong in it. */
export interface WatchedPage {
  readonly page: Page
  /** Console errors and warnings, uncaught exceptions, refusals of the content security policy, requests to elsewhere. */
  readonly faults: string[]
}

/** Opens a page that belongs to the running test and closes with it. `origin` is the only one it may ask. */
export async function watchedPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ baseURL: origin, ...options })
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const faults: string[] = []
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") faults.push(`console: ${message.text()}`)
  })
  page.on("pageerror", (error) => faults.push(`uncaught: ${String(error)}`))
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`request to ${request.url()}`)
  })
  return { page, faults }
}
