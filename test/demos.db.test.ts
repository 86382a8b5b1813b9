import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { expect, onTestFinished, test } from "vitest"

const ROOT = join(import.meta.dirname, "..")

/** How a demo ended, and what it printed. */
interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly printed: string
}

/** Runs a script of the built package to its end, on the embedded database. */
async function run(script: string, ...args: readonly string[]): Promise<Ended> {
  const { DATABASE_URL: _, ...env } = process.env
  const child = spawn(process.execPath, [join(ROOT, script), ...args], { env, stdio: ["ignore", "pipe", "inherit"] })
  onTestFinished(() => void child.kill("SIGKILL"))
  const [printed, [code, signal]] = await Promise.all([text(child.stdout), once(child, "exit")])
  // What `exit` tells.
  return { code: code as number | null, signal: signal as NodeJS.Signals | null, printed }
}

test("npm run demo:packages shows what led to what, each signal with its cause", { timeout: 300_000 }, async () => {
  const { code, printed } = await run("examples/dist/packages/demo.js", "--json")
  expect(code).toBe(0)
  type Link = {
    readonly type: string
    readonly id: string
    readonly causationId: string | null
    readonly depth: number
  }
  const chains = JSON.parse(printed) as readonly (readonly Link[])[]
  expect(chains.map((links) => links.map(({ type }) => type).toSorted())).toEqual([
    [
      "lead.enriched",
      "lead.qualified",
      "lead.received.zillow",
      "notification.sent",
      "notification.sent",
      "property.researched",
    ],
    ["lead.qualified", "lead.received.zillow", "notification.sent"],
    [
      "lead.enriched",
      "lead.qualified",
      "lead.received",
      "notification.sent",
      "notification.sent",
      "property.researched",
    ],
    ["github.issues.opened", "notification.sent", "triage.commented", "triage.labelled", "triage.routed"],
  ])
  for (const links of chains)
    for (const { causationId, depth } of links)
      expect(links.find(({ id }) => id === causationId)?.depth ?? -1).toBe(depth - 1)
  expect(printed).toContain(`"reason": "status 500"`)
})

test("npm run demo:install goes on with an installation whose process was killed", { timeout: 300_000 }, async () => {
  const data = await mkdtemp(join(tmpdir(), "demo-install-"))
  onTestFinished(() => rm(data, { recursive: true, force: true }))
  const killed = await run("scripts/demo-install.mjs", "--data", data, "--kill-at", "activate")
  expect(killed.signal).toBe("SIGKILL")
  const { code, printed } = await run("scripts/demo-install.mjs", "--data", data, "--json")
  expect(code).toBe(0)
  const signals = JSON.parse(printed) as readonly { readonly type: string; readonly causationId: string | null }[]
  expect(signals.map(({ type }) => type)).toEqual([
    "package.install.requested",
    "directive.requested",
    "directive.started",
    "package.install.started",
    "package.install.completed",
    "directive.completed",
  ])
  expect((await run("scripts/demo-install.mjs", "--kill-at", "nowhere")).code).toBe(2)
})
