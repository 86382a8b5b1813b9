import { Client } from "pg"
import { expect, onTestFinished, test } from "vitest"
import { makeLogins } from "../../test/isolation/logins.ts"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import { createFleet } from "../fleet.ts"
import { openServerDatabase } from "../store/server-database.ts"
import { doctor } from "./doctor.ts"
import { doctorChecks, examine } from "./doctor-checks.ts"
import type { DoctorLine } from "./doctor-line.ts"

async function linesOf(connectionString: string): Promise<readonly DoctorLine[]> {
  const database = await openServerDatabase({ connectionString })
  onTestFinished(() => database.close())
  return examine(database)
}

const byStatus = (lines: readonly DoctorLine[], wanted: DoctorLine["status"]): readonly string[] =>
  lines.filter(({ status }) => status === wanted).map(({ check }) => check)

test("a server that was set up as the guide says is well", async () => {
  const { appUrl, ownerUrl } = await makeLogins()
  const fleet = createFleet({ databaseUrl: appUrl, ownerUrl, production: true, retention: false })
  await fleet.start()
  await fleet.tenants.provision("doctored", { placement: "shared" })
  await fleet.stop()
  const lines = await linesOf(appUrl)
  expect(byStatus(lines, "unsafe")).toEqual([])
  expect(new Set(lines.map(({ check }) => check)).size).toBe(doctorChecks.length)
})

test("what is unsafe is told with what to do", async () => {
  const { appUrl, ownerUrl, adminUrl } = await makeLogins()
  const fleet = createFleet({ databaseUrl: appUrl, ownerUrl, worker: false, retention: false })
  await fleet.start()
  await fleet.stop()
  const admin = new Client({ connectionString: adminUrl })
  await admin.connect()
  onTestFinished(() => admin.end())
  await admin.query("create table fleetprompt.notes (tenant text); grant select on fleetprompt.notes to public")
  await admin.query(`alter role "${new URL(appUrl).username}" inherit bypassrls`)
  const unsafe = (await linesOf(appUrl)).filter(({ status }) => status === "unsafe")
  expect(new Set(unsafe.map(({ check }) => check))).toEqual(new Set(["login", "tables", "gaps"]))
  for (const { advice } of unsafe) await admin.query(advice ?? "")
  expect(byStatus(await linesOf(appUrl), "unsafe")).toEqual([])
})

test("an empty database is told from one whose walls are down", async () => {
  const lines = await linesOf(await serverDatabaseUrl())
  expect(lines.find(({ check }) => check === "schemas")).toMatchObject({
    status: "warning",
    advice: "run: fleetprompt migrate",
  })
  expect(lines.map(({ check }) => check)).not.toContain("tables")
})

test("prints lines or JSON, and says whether all is safe", async () => {
  const printed: string[] = []
  const context = {
    environment: {
      databaseUrl: await serverDatabaseUrl(),
      listenUrl: undefined,
      metricsToken: undefined,
      githubSecret: undefined,
    },
    terminal: { line: () => {}, progress: () => {} },
    output: (text: string) => void printed.push(text),
    stop: new AbortController().signal,
  }
  expect(await doctor({ json: false }, context)).toBe(await doctor({ json: true }, context))
  expect(printed[0]).toMatch(/^ok +version +Postgres/)
  expect(JSON.parse(printed[1] ?? "")).toMatchObject({
    checks: expect.arrayContaining([{ check: "version", status: "ok", detail: expect.any(String) }]),
  })
  const { environment: _, ...rest } = context
  const nowhere = { ...rest, environment: { ...context.environment, databaseUrl: undefined } }
  await expect(doctor({ json: false }, nowhere)).rejects.toMatchObject({ code: "config_invalid" })
})
