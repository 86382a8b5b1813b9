import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Command } from "commander"
import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import { readEnvironment } from "../config.ts"
import { addTenantCommands } from "./tenants.ts"

let databaseUrl: string
let databases: string
let folder: string
beforeAll(async () => {
  databaseUrl = await serverDatabaseUrl()
  databases = `eu=${await serverDatabaseUrl()}`
  folder = await mkdtemp(join(tmpdir(), "tenants-"))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(() => {
  process.exitCode = undefined
})

/** Runs `fleetprompt tenants …`. */
async function tenants(...args: readonly string[]) {
  const printed: string[] = []
  const progress: string[] = []
  const program = new Command().exitOverride()
  addTenantCommands(program, () => ({
    environment: readEnvironment({ DATABASE_URL: databaseUrl, FLEETPROMPT_DATABASES: databases }),
    terminal: { line: (text) => void progress.push(text), progress: (text) => void progress.push(text) },
    output: (text) => void printed.push(text),
    stop: new AbortController().signal,
  }))
  process.exitCode = undefined
  await program.parseAsync(["tenants", ...args], { from: "user" })
  return {
    text: printed.join("\n"),
    progress,
    exitCode: process.exitCode,
    json: (): unknown => JSON.parse(printed.join("\n")),
  }
}

test("a tenant's life on the command line", { timeout: 300_000 }, async () => {
  expect((await tenants("list")).text).toContain("there is no tenant")
  await tenants("provision", "acme")
  await tenants("provision", "small", "--placement", "shared")
  expect((await tenants("class", "acme", "premium", "--reason", "they pay")).text).toBe("acme is premium")
  expect((await tenants("list")).text).toMatch(/acme +ready +own +main +premium/)
  const suspended = await tenants("suspend", "acme", "--reason", "unpaid")
  expect(suspended.text).toMatch(/^suspend acme completed/)
  expect((await tenants("list", "--json")).json()).toMatchObject([
    { slug: "acme", status: "suspended", statusReason: "unpaid" },
    { slug: "small", status: "ready" },
  ])
  await tenants("resume", "acme")
  const file = join(folder, "acme.gz")
  expect((await tenants("export", "acme", "--file", file, "--json")).json()).toMatchObject({ status: "completed" })
  const imported = await tenants("import", "copy", "--file", file, "--placement", "shared")
  expect([imported.text.slice(0, 21), imported.exitCode]).toEqual(["import copy completed", undefined])
  const moved = await tenants("move", "acme", "--to", "shared", "--json")
  expect(moved.json()).toMatchObject({ status: "completed", kind: "move", requestedBy: "operator:command line" })
  expect(moved.progress.some((line) => line.startsWith("move acme: "))).toBe(true)
  expect((await tenants("delete", "copy", "--delay", "3")).text).toMatch(/^delete copy waiting, from /)
  expect((await tenants("undelete", "copy")).text).toBe("copy stays")
  expect((await tenants("operations", "--tenant", "copy", "--json")).json()).toMatchObject([
    { kind: "delete", status: "cancelled" },
    { kind: "import", status: "completed" },
  ])
  const fine = await tenants("check")
  expect([fine.text, fine.exitCode]).toEqual(["all tenants are as they should be", undefined])
  await expect(tenants("suspend", "nobody_here")).rejects.toMatchObject({ code: "tenant_unknown" })
})

test(
  "an archive that is none ends with exit code 1, and check tells of what is wrong",
  { timeout: 300_000 },
  async () => {
    const failed = await tenants("import", "never", "--file", join(folder, "missing.gz"))
    expect(failed.exitCode).toBe(1)
    expect(failed.text).toContain("nothing was imported")
    expect((await tenants("check")).exitCode).toBeUndefined()
    expect((await tenants("repair")).text).toContain("nothing that can be mended")
    await expect(tenants("repair", "--destroy")).rejects.toMatchObject({ code: "config_invalid" })
  },
)

test("a tenant in a further database, and on its way to the first one", { timeout: 300_000 }, async () => {
  expect((await tenants("provision", "europa", "--cell", "eu")).text).toBe(
    "europa is ready, with own tables in eu, standard",
  )
  expect((await tenants("list")).text).toMatch(/europa +ready +own +eu +standard/)
  const moved = await tenants("move", "europa", "--cell", "main", "--json")
  expect(moved.json()).toMatchObject({ status: "completed", params: { cell: "main", from: "own", to: "own" } })
  expect((await tenants("list")).text).toMatch(/europa +ready +own +main +standard/)
  await expect(tenants("move", "europa", "--cell", "us")).rejects.toMatchObject({ code: "cell_unknown" })
  await expect(tenants("move", "europa")).rejects.toMatchObject({ code: "config_invalid" })
  expect((await tenants("check")).exitCode).toBeUndefined()
})
