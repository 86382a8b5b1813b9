import { join } from "node:path"
import { expect, test } from "vitest"
import { testDirectory } from "../../test/support/dev-process.ts"
import type { ApiKeyRecord } from "../store/api-keys.ts"
import { createFleet } from "../fleet.ts"
import { readApiKey } from "../access/api-key-text.ts"
import { createApiKey, listApiKeys, renewApiKey, revokeApiKey } from "./api-keys.ts"
import type { CommandContext } from "./command-context.ts"

function printing() {
  const lines: string[] = []
  const context: CommandContext = {
    environment: {
      databaseUrl: undefined,
      listenUrl: undefined,
      metricsToken: undefined,
      githubSecret: undefined,
      keyEnvironment: "cli",
    },
    terminal: { line: () => {}, progress: () => {} },
    output: (text) => void lines.push(text),
    stop: new AbortController().signal,
  }
  return { context, last: () => lines.at(-1) ?? "" }
}

test("keys are made, listed, renewed and revoked on the command line", async () => {
  const dataDirectory = join(await testDirectory(), "data")
  const settings = { dataDirectory, worker: false, retention: false, apiKeys: { environment: "cli" } } as const
  const first = createFleet(settings)
  await first.start()
  await first.tenants.provision("acme")
  await first.stop()
  const { context, last } = printing()
  const options = { tenant: "acme", dataDirectory, by: "ada", json: false }
  const create = { ...options, name: "import", account: "importer", role: "member", days: 30 } as const
  await createApiKey({ ...create, scope: ["signals:read"] }, context)
  const key = last()
  const id = readApiKey(key)?.id ?? ""
  // The account is there now, and gets a second key.
  await createApiKey({ ...create, json: true }, context)
  const second = JSON.parse(last()) as { key: string; record: ApiKeyRecord }
  await listApiKeys(options, context)
  expect(last()).toContain(id)
  expect(last()).toContain("signals:read")
  expect(last()).not.toContain(key)
  await renewApiKey(id, { ...options, overlap: 1 }, context)
  const renewed = last()
  await revokeApiKey(second.record.id, options, context)
  expect(last()).toBe(`revoked ${second.record.id}`)
  await revokeApiKey(second.record.id, options, context)
  expect(last()).toBe(`${second.record.id} had ended before`)
  const fleet = createFleet(settings)
  await fleet.start()
  const checked = await Promise.all([key, renewed, second.key].map((each) => fleet.apiKeys.check(each)))
  expect(checked.map((each) => each?.kind)).toEqual(["service_account", "service_account", undefined])
  const { entries } = await fleet.tenant("acme").audit.list({})
  expect(entries.find(({ action }) => action === "api_key.revoke")?.actor).toMatchObject({
    kind: "operator",
    id: "ada",
  })
  expect(await fleet.tenant("acme").serviceAccounts.list()).toHaveLength(1)
  await fleet.stop()
})
