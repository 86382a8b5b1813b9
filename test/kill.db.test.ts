import { join } from "node:path"
import { sign } from "@octokit/webhooks-methods"
import { expect, test } from "vitest"
import { type Example, loadExamples } from "../src/demo/feed.ts"
import { startDev, testDirectory } from "./support/dev-process.ts"
import { serverDatabaseUrl } from "./support/test-database.ts"

const SECRET = "outside-the-product"
const onServer = process.env["TEST_DATABASE"] === "server"

async function post(url: string, example: Example): Promise<{ readonly id: string; readonly inserted: boolean }> {
  const body = new TextDecoder().decode(example.body)
  const response = await fetch(`${url}/v1/webhooks/github`, {
    method: "POST",
    body,
    headers: {
      "x-github-event": example.event,
      "x-github-delivery": example.deliveryId,
      "x-hub-signature-256": await sign(SECRET, body),
    },
  })
  if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`)
  return (await response.json()) as { id: string; inserted: boolean }
}

interface Row {
  readonly id: string
  readonly deliveries: readonly { readonly status: string; readonly attempts: number }[]
}

async function allSignals(url: string): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (let next: string | null = ""; next !== null;) {
    const page = (await (await fetch(`${url}/v1/signals?limit=500${next && `&before=${next}`}`)).json()) as {
      signals: Row[]
      next: string | null
    }
    rows.push(...page.signals)
    next = page.next
  }
  return rows
}

/**
 * The ledger is this test: it notes each acceptance it was told of. The process is killed while requests are
 * under way, more than once; what is not noted may or may not have been stored, what is noted must be.
 */
test("SIGKILL in the middle of the feed loses nothing and repeats nothing", { timeout: 180_000 }, async () => {
  const examples = await loadExamples()
  const database = onServer ? [] : ["--data-directory", join(await testDirectory(), "data")]
  const env = { GITHUB_WEBHOOK_SECRET: SECRET, ...(onServer && { DATABASE_URL: await serverDatabaseUrl() }) }
  const accepted = new Map<string, string>()

  for (const killAfter of [40, 150]) {
    const dev = startDev(["--no-feed", ...database], env)
    const url = await dev.url
    const waiting = examples.filter(({ deliveryId }) => !accepted.has(deliveryId))
    const feeders = Array.from({ length: 8 }, async () => {
      for (let example = waiting.shift(); example; example = waiting.shift()) {
        accepted.set(example.deliveryId, (await post(url, example)).id)
        if (accepted.size >= killAfter) dev.kill("SIGKILL")
      }
    })
    await Promise.allSettled(feeders)
    expect((await dev.ended).signal).toBe("SIGKILL")
  }

  const dev = startDev(["--no-feed", ...database], env)
  const url = await dev.url
  for (const example of examples) {
    const { id, inserted } = await post(url, example)
    const known = accepted.get(example.deliveryId)
    if (known !== undefined) expect({ id, inserted }).toEqual({ id: known, inserted: false })
    accepted.set(example.deliveryId, id)
  }
  await settled(url)
  const rows = await allSignals(url)
  const stored = new Set(rows.map(({ id }) => id))
  expect(stored.size).toBe(rows.length)
  expect([...accepted.values()].filter((id) => !stored.has(id))).toEqual([])
  expect(new Set(accepted.values()).size).toBe(examples.length)
  expect(rows.flatMap(({ deliveries }) => deliveries).filter(({ status }) => status !== "done")).toEqual([])

  const undisturbed = await startDev(
    ["--once", "--json", ...(onServer ? [] : ["--data-directory", join(await testDirectory(), "data")])],
    onServer ? { DATABASE_URL: await serverDatabaseUrl() } : {},
  ).ended
  const report = JSON.parse(undisturbed.stdout) as { signals: number; deliveries: { done: number } }
  expect(rows.length).toBe(report.signals)
  expect(rows.flatMap(({ deliveries }) => deliveries)).toHaveLength(report.deliveries.done)
})

/** Follows the live summary until nothing is left to do. */
async function settled(url: string): Promise<void> {
  for (;;) {
    const { deliveries } = (await (await fetch(`${url}/v1/summary`)).json()) as { deliveries: Record<string, number> }
    if (deliveries["waiting"] === 0 && deliveries["running"] === 0 && deliveries["retrying"] === 0) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
