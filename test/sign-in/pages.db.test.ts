import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { barriers } from "../support/accessibility.ts"
import { type BuiltPage, buildPage } from "../support/built-page.ts"
import { findChromium, launchChromium, watchedPage } from "../support/chromium.ts"
import { testDatabase, type TestDatabase } from "../support/test-database.ts"
import { organisation, PASSWORD, testEmail } from "./members.ts"
import { signInServer } from "./sign-in-server.ts"
import { linkIn } from "./visitor.ts"

const executable = findChromium()
const WIDE = { width: 1280, height: 800 }
const NARROW = { width: 360, height: 740 }

describe.skipIf(executable === undefined)("the pages of sign-in in a browser", () => {
  let db: TestDatabase
  let built: BuiltPage
  let browser: Browser
  beforeAll(async () => {
    db = await testDatabase()
    built = await buildPage()
    browser = await launchChromium(executable ?? "")
  })
  afterAll(async () => {
    await browser.close()
    await built.remove()
    await db.close()
  })

  const cases = (["light", "dark"] as const).flatMap((colorScheme) => [
    { colorScheme, viewport: WIDE },
    { colorScheme, viewport: NARROW },
  ])

  test.each(cases)("lead from an invitation in and out again, $colorScheme, $viewport.width wide", async (look) => {
    const { colorScheme, viewport } = look
    const server = await signInServer(
      db.database,
      { signUp: "open", providers: [saml("Acme"), saml("A company with a very long name that breaks somewhere")] },
      built.directory,
    )
    const [first, second] = [await organisation(server, "first"), await organisation(server, "second")]
    const { page, faults } = await watchedPage(browser, server.url, { colorScheme, viewport })
    const seen = async (name: string): Promise<void> => {
      expect([name, await barriers(page), await tooWide(page)]).toEqual([name, [], 0])
      await save(page, `${name}-${colorScheme}-${viewport.width}`)
    }
    await page.goto("/")
    await page.getByRole("heading", { name: "Sign in" }).waitFor()
    await seen("sign-in")
    await page.getByLabel("Email").fill(testEmail("mia"))
    await page.getByLabel("Password").fill("not the password")
    await page.keyboard.press("Enter")
    await page.getByRole("alert").getByText("do not belong together").waitFor()
    await seen("sign-in-refused")
    await page.goto("/auth/sign-up")
    await seen("sign-up")
    await page.goto("/auth/reset")
    await seen("reset")
    await page.goto("/auth/reset/new?token=x")
    await seen("reset-new")

    const { token } = await server.fleet.tenant(first).invitations.create({ email: testEmail("mia"), role: "admin" })
    await page.goto(linkIn(server.signIn.invitationLink(token)))
    await seen("invitation")
    await page.getByLabel("Your name").fill("Mia")
    await page.getByLabel("New password").fill(PASSWORD)
    await page.getByRole("button", { name: "Join" }).click()
    await page.getByRole("heading", { name: "No signals yet" }).waitFor()
    await seen("signals")
    await page.getByRole("link", { name: "Account" }).click()
    await page.getByText("This one").waitFor()
    await seen("account")

    const user = await server.fleet.people.find(testEmail("mia"))
    await server.fleet.tenant(second).members.add(user?.id ?? "", "member")
    await page.goto("/auth/organisations")
    await seen("organisations")
    await page.getByRole("button", { name: "The second" }).click()
    await page.locator("#tenant").getByText(second).waitFor()
    await page.goto("/auth/account")
    await page.getByRole("button", { name: "Sign out", exact: true }).click()
    await page.getByRole("status").getByText("You are signed out").waitFor()
    await seen("signed-out")
    // What the browser says of the answers 401 to a wrong password is no fault of the page.
    expect(faults.filter((fault) => !fault.includes("status of 401"))).toEqual([])
  })

  test("the first owner's page has no barrier", async () => {
    const fresh = await testDatabase()
    const server = await signInServer(fresh.database, {}, built.directory)
    const link = linkIn((await server.signIn.firstOwnerLink()) ?? "")
    const { page, faults } = await watchedPage(browser, server.url)
    await page.goto(link)
    expect([await barriers(page), await tooWide(page)]).toEqual([[], 0])
    await save(page, "first-owner")
    await page.getByLabel("Organisation").fill("Acme")
    await page.getByLabel("Short name").fill("Not a slug")
    await page.getByLabel("Your name").fill("Mia")
    await page.getByLabel("Email").fill("mia@acme.example")
    await page.getByLabel("New password").fill(PASSWORD)
    await page.getByRole("button", { name: "Set up" }).click()
    // The browser itself does not send it.
    expect(new URL(page.url()).pathname).toBe("/auth/first")
    await page.getByLabel("Short name").fill("acme")
    await page.getByRole("button", { name: "Set up" }).click()
    await page.getByRole("heading", { name: "No signals yet" }).waitFor()
    expect(faults).toEqual([])
    await fresh.close()
  })
})

function saml(name: string) {
  return {
    kind: "saml",
    id: name
      .toLowerCase()
      .replaceAll(/[^a-z]+/g, "-")
      .slice(0, 30),
    name,
    domains: ["acme.example"],
    entityId: "https://idp.example/metadata",
    entryPoint: "https://idp.example/sso",
    certificates: ["none"],
  } as const
}

async function save(page: Page, name: string): Promise<void> {
  const folder = process.env["SIGN_IN_SCREENSHOTS"]
  if (folder !== undefined) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true })
}

async function tooWide(page: Page): Promise<number> {
  return page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth")
}
