import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { createFleet } from "../src/fleetprompt.ts"
import { startDev, testDirectory } from "./support/dev-process.ts"
import { serverDatabaseUrl } from "./support/test-database.ts"

const onServer = process.env["TEST_DATABASE"] === "server"

/** Arguments and environment that give each test a database of its own, embedded or on a server. */
async function ownDatabase(): Promise<{
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}> {
  if (onServer) return { args: [], env: { DATABASE_URL: await serverDatabaseUrl() } }
  return { args: ["--data-directory", join(await testDirectory(), "data")], env: {} }
}

interface Report {
  readonly signals: number
  readonly duplicates: number
  readonly deliveries: { readonly done: number; readonly failed: number; readonly dead: number }
  readonly deepestChain: number
  readonly elapsedMs: number
}

test(
  "dev --once --json feeds every example, waits until all is handled and reports; twice stores nothing twice",
  { timeout: 120_000 },
  async () => {
    const { args, env } = await ownDatabase()
    const first = await startDev([...args, "--once", "--json"], env).ended
    // The tests sign in to their server as its superuser, and are warned.
    expect(first.stderr.replace(/^! superuser = .*$/m, "")).not.toContain("!")
    expect(first.code).toBe(0)
    const report = JSON.parse(first.stdout) as Report
    expect(report).toMatchObject({ duplicates: 0, deliveries: { failed: 0, dead: 0 } })
    expect(report.signals).toBeGreaterThan(329)
    expect(report.deliveries.done).toBeGreaterThan(100)
    expect(report.deepestChain).toBeGreaterThanOrEqual(3)
    const second = await startDev([...args, "--once", "--json"], env).ended
    expect(JSON.parse(second.stdout)).toMatchObject({
      signals: report.signals,
      duplicates: 329,
      deliveries: report.deliveries,
    })
  },
)

test("dev --once prints a table for people", { timeout: 120_000 }, async () => {
  const { args, env } = await ownDatabase()
  const { stdout, code } = await startDev([...args, "--once"], env).ended
  expect(code).toBe(0)
  for (const row of [
    "signals in the store",
    "duplicates refused",
    "deliveries done",
    "deliveries dead",
    "longest causal chain",
    "elapsed",
  ])
    expect(stdout).toContain(row)
})

describe("a running dev", () => {
  test("serves its page's data, and ends in order on Ctrl-C", { timeout: 60_000 }, async () => {
    const { args, env } = await ownDatabase()
    const dev = startDev([...args, "--no-feed"], env)
    const summary = await (await fetch(`${await dev.url}/v1/summary`)).json()
    expect(summary).toMatchObject({ tenant: "demo", signals: 0, database: onServer ? "server" : "embedded" })
    expect(dev.printed().includes("a loss of power may cost the last writes")).toBe(!onServer)
    const feed = await fetch(`${await dev.url}/v1/signals/live`)
    dev.kill("SIGINT")
    const { code, stderr } = await dev.ended
    expect([code, stderr.includes("stopped; everything accepted is kept")]).toEqual([0, true])
    await feed.text().catch(() => {})
  })

  test.skipIf(onServer)(
    "refuses a second start on the same data directory with a clear line",
    { timeout: 60_000 },
    async () => {
      const { args } = await ownDatabase()
      const first = startDev([...args, "--no-feed"])
      await first.url
      const second = await startDev([...args, "--no-feed"]).ended
      expect(second.code).toBe(1)
      expect(second.stderr.trim().split("\n").at(-1)).toMatch(
        /^fleetprompt: .*in use.*\(data_directory_in_use\)$|^fleetprompt: .*\(data_directory_in_use\)$/,
      )
      expect((await fetch(`${await first.url}/v1/summary`)).status).toBe(200)
    },
  )
})

test("an unknown option is refused with a suggestion", async () => {
  const { code, stderr } = await startDev(["--onec"]).ended
  expect([code, stderr.includes("--once")]).toEqual([1, true])
})

test("a database that is not there is named, without its password", async () => {
  const { code, stderr } = await startDev([], { DATABASE_URL: "postgres://someone:hunter2@127.0.0.1:1/nowhere" }).ended
  expect(code).toBe(1)
  expect(stderr).toContain("database_unreachable")
  expect(stderr).toContain("127.0.0.1")
  expect(stderr).not.toContain("hunter2")
})

test("a module of one's own is run", { timeout: 60_000 }, async () => {
  const { args, env } = await ownDatabase()
  const module = join(import.meta.dirname, "fixtures", "app-module.mjs")
  const dev = startDev([module, ...args], env)
  const response = await fetch(`${await dev.url}/v1/webhooks/echo`, { method: "POST", body: "{}" })
  expect(response.status).toBe(202)
  const { id } = (await response.json()) as { id: string }
  const detail = await (await fetch(`${await dev.url}/v1/signals/${id}`)).json()
  expect(detail).toMatchObject({ signal: { type: "echo.received" } })
})

test(
  "the fleet's own start tells what it does and can be repeated on the same directory",
  { timeout: 60_000 },
  async () => {
    const dataDirectory = join(await testDirectory(), "data")
    const steps: string[] = []
    for (const _ of [1, 2]) {
      const fleet = createFleet({ dataDirectory, onProgress: (step) => steps.push(step) })
      await fleet.start()
      await fleet.tenants.provision("acme")
      await fleet.tenant("acme").emit("round.begun", {}, { dedupeKey: "once" })
      expect((await fleet.tenant("acme").counts()).signals).toBe(1)
      await fleet.stop()
    }
    expect(steps.length).toBeGreaterThan(1)
  },
)
