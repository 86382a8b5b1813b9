import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import { openDatabase } from "./open-database.ts"

test("a database URL opens that server", async () => {
  const databaseUrl = await serverDatabaseUrl()
  const database = await openDatabase({ databaseUrl })
  onTestFinished(() => database.close())
  expect(database.kind).toBe("server")
  expect(await database.query("select current_database() as name")).toEqual([
    { name: new URL(databaseUrl).pathname.slice(1) },
  ])
})

test("without a URL, the data directory holds an embedded database", async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), "fleetprompt-open-"))
  onTestFinished(() => rm(dataDirectory, { recursive: true }))
  const database = await openDatabase({ dataDirectory })
  onTestFinished(() => database.close())
  expect(database.kind).toBe("embedded")
  expect(await readdir(dataDirectory)).toContain("postgres")
})

test("an empty URL is a mistake and not a wish for the embedded database", async () => {
  await expect(openDatabase({ databaseUrl: "" })).rejects.toMatchObject({ code: "config_invalid" })
})
