import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, expect, test } from "vitest"
import { testDirectory } from "../../test/support/dev-process.ts"
import { appendAudit } from "../audit/append-audit.ts"
import { createFleet } from "../fleet.ts"
import { openEmbeddedDatabase } from "../store/embedded-database.ts"
import { tenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import {
  auditAnchor,
  auditCheck,
  auditExport,
  auditKey,
  auditList,
  auditPrune,
  auditReseal,
  auditVerify,
} from "./audit.ts"
import type { CommandContext } from "./command-context.ts"

afterEach(() => {
  process.exitCode = undefined
})

interface Printed {
  readonly context: CommandContext
  readonly text: () => string
}

function printing(): Printed {
  const lines: string[] = []
  const context: CommandContext = {
    environment: { databaseUrl: undefined, listenUrl: undefined, metricsToken: undefined, githubSecret: undefined },
    terminal: { line: () => {}, progress: () => {} },
    output: (text) => void lines.push(text),
    stop: new AbortController().signal,
  }
  return { context, text: () => lines.join("\n") }
}

/** A data directory with two tenants, of which acme has entries. */
async function withEntries(count: number): Promise<string> {
  const dataDirectory = join(await testDirectory(), "data")
  const fleet = createFleet({ dataDirectory, worker: false, retention: false })
  await fleet.start()
  for (const slug of ["acme", "other"]) await fleet.tenants.provision(slug)
  await fleet.stop()
  await withDatabase(dataDirectory, async (database) => {
    const scope = tenantScope("acme")
    await withinTenant(database, scope, (tx) =>
      appendAudit(
        tx,
        scope,
        Array.from({ length: count }, (_, n) => entry(n)),
      ),
    )
  })
  return dataDirectory
}

const entry = (n: number) =>
  ({ action: "member.add", resource: `member:${n}`, actor: { kind: "user", id: "ada", role: "owner" } }) as const

async function withDatabase(
  dataDirectory: string,
  run: (database: Awaited<ReturnType<typeof openEmbeddedDatabase>>) => Promise<unknown>,
): Promise<void> {
  const database = await openEmbeddedDatabase({ dataDirectory })
  await run(database)
  await database.close()
}

/** Runs a command; answers what it printed for programs. */
async function printed(run: (context: CommandContext) => Promise<void>): Promise<string> {
  const { context, text } = printing()
  await run(context)
  return text()
}

test("the commands list, check, export, anchor, prune and reseal a log", async () => {
  const dataDirectory = await withEntries(4)
  const base = { dataDirectory, key: [] }
  const listed = await printed((context) => auditList("acme", { ...base, limit: 2, json: false }, context))
  expect(listed).toMatch(/^4 {2}\S+Z {2}user:ada \(owner\) {2}member\.add {2}member:3 {2}done\n3 /)

  const checked = await printed((context) => auditVerify([], { ...base, json: false }, context))
  expect(checked).toMatch(/^ok {6}platform: .*\nok {6}acme: 4 rows, signed .*\nok {6}other: 0 rows, no entry yet$/)
  expect(process.exitCode).toBeUndefined()

  const file = join(dataDirectory, "..", "acme.jsonl")
  await printed((context) => auditExport("acme", { ...base, file }, context))
  await expect(printed((context) => auditExport("acme", { ...base, file }, context))).rejects.toThrow(/EEXIST/)
  const key = [await printed((context) => auditKey(base, context))]
  expect(await printed((context) => auditCheck(file, { key, json: false }, context))).toMatch(/^ok {6}acme: 4 rows/)
  expect(process.exitCode).toBeUndefined()
  const changed = join(dataDirectory, "..", "changed.jsonl")
  await writeFile(changed, (await readFile(file, "utf8")).replace("member:2", "member:9"))
  const found = await printed((context) => auditCheck(changed, { key, json: false }, context))
  expect(found).toContain("edited: row 3 was changed")
  expect(process.exitCode).toBe(1)

  const anchors = join(dataDirectory, "..", "anchors.jsonl")
  await writeFile(anchors, await printed((context) => auditAnchor(["acme"], base, context)))
  process.exitCode = undefined
  await printed((context) => auditVerify(["acme"], { ...base, anchors, json: true }, context))
  expect(process.exitCode).toBeUndefined()

  const refused = auditPrune("acme", { ...base, archive: changed, before: "2100-01-01T00:00:00Z" }, printing().context)
  await expect(refused).rejects.toMatchObject({ code: "data_invalid" })
  const before = "2100-01-01T00:00:00Z"
  const pruned = await printed((context) => auditPrune("acme", { ...base, archive: file, before, by: "ada" }, context))
  expect(pruned).toBe("removed 4 rows that happened before 2100-01-01T00:00:00Z")

  await withDatabase(dataDirectory, (database) =>
    database.query("update org_acme.audit_heads set signature = decode(repeat('00', 64), 'hex')"),
  )
  await printed((context) => auditVerify(["acme"], { ...base, json: true }, context))
  expect(process.exitCode).toBe(1)
  const resealed = await printed((context) => auditReseal(["acme"], { ...base, reason: "tried out" }, context))
  expect(resealed).toContain("head_forged")
  process.exitCode = undefined
  await printed((context) => auditVerify(["acme"], { ...base, json: true }, context))
  expect(process.exitCode).toBeUndefined()
})
