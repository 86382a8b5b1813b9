import { join } from "node:path"
import { expect, test } from "vitest"
import { testDirectory } from "../support/dev-process.ts"
import { startStart } from "../support/command-process.ts"
import { serverDatabaseUrl } from "../support/test-database.ts"
import { PASSWORD, tenantOf } from "./members.ts"
import { tokenIn, Visitor } from "./visitor.ts"

const onServer = process.env["TEST_DATABASE"] === "server"
const SECRET = "a secret of the test, of 32 characters at least"

async function ownDatabase(): Promise<{
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}> {
  if (onServer) return { args: [], env: { DATABASE_URL: await serverDatabaseUrl(), FLEETPROMPT_SECRET: SECRET } }
  return { args: ["--data-directory", join(await testDirectory(), "data")], env: {} }
}

test(
  "start prints a link that makes the first owner, mails to the terminal, and knows people again after a restart",
  { timeout: 120_000 },
  async () => {
    const { args, env } = await ownDatabase()
    const first = startStart(args, env)
    const [, link = ""] = await first.printed(/^\s+(http:\/\/localhost:\d+\/auth\/first\?token=\S+)$/m)
    const mia = new Visitor(new URL(link).origin)
    expect((await mia.get("/")).location).toBe("/auth/sign-in")
    const form = { organisation: "Acme", slug: "acme", name: "Mia", email: "mia@acme.example", password: PASSWORD }
    expect((await mia.post("/auth/first", { ...form, token: tokenIn(link) })).status).toBe(303)
    expect(await tenantOf(mia)).toBe("acme")
    expect((await mia.get("/")).text).toContain("<title>FleetPrompt</title>")
    await mia.post("/auth/reset", { email: "mia@acme.example" })
    await first.printed(/a mail to mia@acme\.example/)
    first.kill("SIGTERM")
    const { code, stderr } = await first.ended
    expect([code, stderr.includes("stopped; everything accepted is kept")]).toEqual([0, true])
    const second = startStart(args, env)
    const [, url = ""] = await second.printed(/listening on (http:\S+)/)
    await second.printed(/SIGTERM or Ctrl-C/)
    const again = new Visitor(url)
    const [[, cookie = ""] = []] = mia.cookies
    again.cookies.set("fleetprompt-dev.session_token", cookie)
    expect(await tenantOf(again)).toBe("acme")
    second.kill("SIGTERM")
    expect((await second.ended).stderr).not.toContain("/auth/first")
  },
)

test("a public address without https is refused, and a secret that is too short", { timeout: 60_000 }, async () => {
  const { args, env } = await ownDatabase()
  const plain = await startStart(args, { ...env, PUBLIC_URL: "http://fleet.example" }).ended
  expect([plain.code, plain.stderr.includes("https")]).toEqual([1, true])
  const short = await startStart(args, { ...env, FLEETPROMPT_SECRET: "short" }).ended
  expect([short.code, short.stderr.includes("32 characters"), short.stderr.includes("short;")]).toEqual([
    1,
    true,
    false,
  ])
})
