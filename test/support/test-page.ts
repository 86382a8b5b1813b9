import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, onTestFinished } from "vitest"
import { githubWebhook } from "../../src/connectors/github.ts"
import { feedGithub, loadExamples } from "../../src/demo/feed.ts"
import { defineHandler } from "../../src/delivery/handler.ts"
import type { Handler } from "../../src/delivery/handler-definition.ts"
import { createFetchHandler } from "../../src/server/fetch-handler.ts"
import { type RunningServer, serve } from "../../src/server/serve.ts"
import { type BuiltPage, buildPage } from "./built-page.ts"
import { findChromium, launchChromium, type WatchedPage, watchedPage } from "./chromium.ts"
import { testDatabase, type TestDatabase } from "./test-database.ts"
import { testFleet, type TestFleet, testSlug } from "./test-fleet.ts"

/** The page in a browser, on a fleet of its own. */
interface TestPage extends TestFleet, WatchedPage {
  readonly server: RunningServer
  /** Ends the server, its feeds included. */
  readonly stopServer: () => Promise<void>
  /** Starts it again on the same port. */
  readonly startServer: () => Promise<void>
  /** Posts GitHub's own examples of these kinds, such as `issues.opened`, to the webhook. */
  readonly post: (...kinds: readonly string[]) => Promise<void>
}

/** Opens the page at a path. */
export type OpenPage = (path: string, handlers?: readonly Handler[], options?: PageOptions) => Promise<TestPage>

/** What a browser may be told besides, and the tenant's slug when a reader is to see it. */
interface PageOptions extends BrowserContextOptions {
  readonly tenant?: string
}

const SECRET = "it is a secret to everybody"
const executable = findChromium()

/** A suite of tests in a browser; skipped, and said so, where there is none. */
export function describePage(name: string, tests: (open: OpenPage) => void): void {
  describe.skipIf(executable === undefined)(name, () => {
    let parts: Parts
    beforeAll(async () => {
      parts = {
        database: await testDatabase(),
        built: await buildPage(),
        browser: await launchChromium(executable ?? ""),
      }
    })
    afterAll(async () => {
      await parts.browser.close()
      await parts.built.remove()
      await parts.database.close()
    })
    tests((...given) => openPage(parts, ...given))
  })
}

interface Parts {
  readonly database: TestDatabase
  readonly built: BuiltPage
  readonly browser: Browser
}

async function openPage(
  { database, built, browser }: Parts,
  path: string,
  handlers: readonly Handler[] = [],
  { tenant = testSlug(), ...options }: PageOptions = {},
): Promise<TestPage> {
  const webhooks = [githubWebhook({ tenant, secret: SECRET })]
  const { fleet } = await testFleet(database.database, { handlers, webhooks })
  await fleet.tenants.provision(tenant)
  const authenticate = () => ({ kind: "host" as const, id: "reader", tenant, role: "owner" as const })
  const listen = (port: number): Promise<RunningServer> =>
    serve(createFetchHandler(fleet, { authenticate, pageDirectory: built.directory }), { port })
  const server = await listen(0)
  let running = server
  onTestFinished(() => running.close())
  const watched = await watchedPage(browser, server.url, options)
  await watched.page.goto(path)
  return {
    fleet,
    tenant: fleet.tenant(tenant),
    ...watched,
    server,
    stopServer: () => running.close(),
    startServer: async () => void (running = await listen(Number(new URL(server.url).port))),
    post: (...kinds) => postExamples(server.url, kinds),
  }
}

async function postExamples(url: string, kinds: readonly string[]): Promise<void> {
  const all = await loadExamples()
  const examples = kinds.map((kind) => {
    const found = all.find(({ event, action }) => kind === (action === null ? event : `${event}.${action}`))
    if (!found) throw new Error(`expected an example of ${kind}, the package has none`)
    return found
  })
  const abort = new AbortController().signal
  const { refused } = await feedGithub({ url: `${url}/v1/webhooks/github`, secret: SECRET, examples, abort })
  expect(refused).toEqual([])
}

/** The row of the one signal of a type. */
export function rowOf(page: Page, type: string): Locator {
  return page.getByRole("row").filter({ has: page.getByRole("link", { name: type, exact: true }) })
}

/** The types in the list, from the top. */
export function typesShown(page: Page): Promise<readonly string[]> {
  return page.locator("#rows a").allTextContents()
}

/** A handler that waits until it is let go. */
export function gatedHandler(name: string, on: string): { readonly handler: Handler; readonly letGo: () => void } {
  let letGo = (): void => {}
  const gate = new Promise<void>((resolve) => (letGo = resolve))
  onTestFinished(() => letGo())
  return { handler: defineHandler({ name, on, run: () => gate }), letGo }
}

/** A handler that throws. */
export function failingHandler(name: string, on: string, error: Error, maxAttempts: number): Handler {
  return defineHandler({
    name,
    on,
    retry: { attempts: maxAttempts },
    run: () => {
      throw error
    },
  })
}
