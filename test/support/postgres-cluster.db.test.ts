import { existsSync } from "node:fs"
import { Client } from "pg"
import { expect, onTestFinished, test } from "vitest"
import { createClusterTemplate, startPostgresCluster } from "./postgres-cluster.ts"

const hasSystem = existsSync("/usr/lib/postgresql")
const kinds: readonly ("system" | "package")[] = hasSystem ? ["system", "package"] : ["package"]

test.each(kinds)("a cluster of the %s's programs survives a crash and is gone when stopped", async (binaries) => {
  const cluster = await startPostgresCluster({ binaries, settings: { work_mem: "5MB" } })
  onTestFinished(cluster.stop)
  expect(await ask(cluster.url, "show work_mem")).toBe("5MB")
  expect(await ask(cluster.url, "show fsync")).toBe("on")
  await ask(cluster.url, "create table kept as select 7 as number")
  await cluster.crashAndRestart()
  expect(await ask(cluster.url, "select number from kept")).toBe(7)
  const directory = String(await ask(cluster.url, "show data_directory"))
  await cluster.stop()
  await expect(ask(cluster.url, "select 1")).rejects.toThrow("ECONNREFUSED")
  expect(existsSync(directory)).toBe(false)
})

test("a cluster from a template can be killed or halted and started again with what it had", async () => {
  const template = await createClusterTemplate()
  onTestFinished(template.remove)
  const cluster = await startPostgresCluster({ template })
  onTestFinished(cluster.stop)
  await ask(cluster.url, "create table kept as select 7 as number")
  for (const how of ["kill", "immediate", "fast"] as const) {
    const pids = await cluster.pids()
    expect(pids.length).toBeGreaterThan(3)
    await cluster.halt(how)
    await expect(ask(cluster.url, "select 1")).rejects.toThrow("ECONNREFUSED")
    expect(await cluster.pids()).toEqual([])
    await cluster.start({ work_mem: "6MB" })
    expect(await ask(cluster.url, "select number from kept")).toBe(7)
  }
  expect(await ask(cluster.url, "show work_mem")).toBe("6MB")
})

async function ask(connectionString: string, statement: string): Promise<unknown> {
  const client = new Client({ connectionString })
  await client.connect()
  try {
    const { rows } = await client.query<Record<string, unknown>>(statement)
    return Object.values(rows[0] ?? {})[0]
  } finally {
    await client.end()
  }
}
