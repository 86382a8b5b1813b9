import { join } from "node:path"
import { afterEach, expect, test } from "vitest"
import { testDirectory } from "../../test/support/dev-process.ts"
import { sampleManifest } from "../../test/support/sample-manifest.ts"
import type { CommandContext } from "./command-context.ts"
import { decideRollout, listRollouts, showRollout, startRollout } from "./rollouts.ts"
import { withFleet } from "./with-fleet.ts"

afterEach(() => {
  process.exitCode = undefined
})

test("a rollout is begun, listed, shown and cancelled", async () => {
  const lines: string[] = []
  const context: CommandContext = {
    environment: { databaseUrl: undefined, listenUrl: undefined, metricsToken: undefined, githubSecret: undefined },
    terminal: { line: () => {}, progress: () => {} },
    output: (text) => void lines.push(text),
    stop: new AbortController().signal,
  }
  const text = (): string => lines.splice(0).join("\n")
  const plain = { json: false, watch: false, dataDirectory: join(await testDirectory(), "data") }
  await withFleet(plain, context, async (fleet) => {
    await fleet.packages.publish(sampleManifest())
    await fleet.tenants.provision("acme")
  })
  const json = { ...plain, json: true }
  await startRollout("hot-leads", "1.0.0", { ...json, tenants: ["acme"], canary: 1, by: "ada", gateWait: 0 }, context)
  const started = JSON.parse(text()) as { readonly id: string }
  expect(started).toMatchObject({ status: "running", createdBy: "operator:ada", total: 1, gate: { waitMs: 0 } })
  await listRollouts("hot-leads", plain, context)
  expect(text()).toMatch(new RegExp(`${started.id} +hot-leads +1\\.0\\.0 +running`))
  await decideRollout("cancel", started.id, { ...plain, reason: "not now" }, context)
  expect(text()).toBe(`${started.id}  hot-leads 1.0.0  cancelled\n0 of 1 tenants: 1 pending\nwhy: not now`)
  await showRollout(started.id, json, context)
  expect(JSON.parse(text())).toMatchObject({ status: "cancelled", stopReason: "not now" })
  await expect(showRollout("nothing", plain, context)).rejects.toMatchObject({ code: "rollout_unknown" })
})
