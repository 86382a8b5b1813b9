import { createServer } from "node:net"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { createFleet, defineHandler, type Fleet } from "../src/fleetprompt.ts"
import type { Tenant } from "../src/tenants/tenant.ts"
import { serverDatabaseUrl } from "./support/test-database.ts"
import { testSlug } from "./support/test-fleet.ts"
import { startWorker, type CommandProcess } from "./support/command-process.ts"

const MODULE = join(import.meta.dirname, "fixtures", "worker-module.mjs")
const STARTED = /SIGTERM or Ctrl-C stops it/

/** Handlers of the fixture by name, so that this process makes their deliveries; it runs none of them. */
const handlers = [
  defineHandler({ name: "work.do", on: "work.asked", run: async () => {} }),
  defineHandler({ name: "wait.do", on: "wait.asked", run: async () => {} }),
]

interface Emitter {
  readonly databaseUrl: string
  readonly fleet: Fleet
  readonly tenant: Tenant
}

async function startedEmitter(): Promise<Emitter> {
  const databaseUrl = await serverDatabaseUrl()
  const fleet = createFleet({ databaseUrl, handlers, worker: false })
  await fleet.start()
  onTestFinished(() => fleet.stop())
  const slug = testSlug()
  await fleet.tenants.provision(slug)
  return { databaseUrl, fleet, tenant: fleet.tenant(slug) }
}

function emitAll(tenant: Tenant, count: number): Promise<unknown> {
  return Promise.all(Array.from({ length: count }, (_, n) => tenant.emit("work.asked", { n })))
}

async function idsOf(tenant: Tenant, pattern: string): Promise<readonly string[]> {
  const { signals } = await tenant.signals.list({ pattern, limit: 500, visibilities: ["internal", "admin_only"] })
  return signals.map(({ id }) => id)
}

/** Data of all signals of a type. */
async function dataOf(tenant: Tenant, pattern: string): Promise<readonly unknown[]> {
  const ids = await idsOf(tenant, pattern)
  const details = await Promise.all(ids.map((id) => tenant.signals.get(id, ["internal", "admin_only"])))
  return details.map((detail) => detail?.signal.data)
}

async function counted(tenant: Tenant, pattern: string, count: number): Promise<void> {
  while ((await idsOf(tenant, pattern)).length < count) await new Promise((resolve) => setImmediate(resolve))
}

async function started(databaseUrl: string, args: readonly string[] = [], env = {}): Promise<CommandProcess> {
  const worker = startWorker([MODULE, ...args], { DATABASE_URL: databaseUrl, ...env })
  await worker.printed(STARTED)
  return worker
}

describe("a worker", () => {
  test("handles what other processes emit, and says what it does", { timeout: 60_000 }, async () => {
    const { databaseUrl, fleet, tenant } = await startedEmitter()
    const worker = await started(databaseUrl, ["--concurrency", "4"])
    await emitAll(tenant, 20)
    await fleet.drain()
    expect(await dataOf(tenant, "work.done")).toHaveLength(20)
    worker.kill("SIGINT")
    const { code, stderr } = await worker.ended
    expect(code).toBe(0)
    const { host, pathname, password } = new URL(databaseUrl)
    for (const part of [`${host}${pathname}`, "4 at once of 2 handlers", "work.do", "wait.do", "stopped;"]) {
      expect(stderr).toContain(part)
    }
    expect(stderr).not.toContain(password)
  })

  test("that is stopped under load ends well, and another does the rest", { timeout: 60_000 }, async () => {
    const { databaseUrl, fleet, tenant } = await startedEmitter()
    await emitAll(tenant, 300)
    const first = await started(databaseUrl, ["--concurrency", "4"])
    await counted(tenant, "work.done", 20)
    first.kill("SIGTERM")
    const { code, stderr } = await first.ended
    expect([code, stderr.includes("stopped;")]).toEqual([0, true])
    expect((await idsOf(tenant, "work.done")).length).toBeLessThan(300)
    await started(databaseUrl)
    await fleet.drain()
    const done = (await dataOf(tenant, "work.done")) as readonly { n: number; attempt: number }[]
    expect(new Set(done.map(({ n }) => n)).size).toBe(300)
    expect(done).toEqual(done.map(({ n }) => ({ n, attempt: 1 })))
    expect(await tenant.counts()).toMatchObject({ done: 300, failed: 0, dead: 0 })
  })

  test("gives back after the grace what does not end, and no attempt is lost", { timeout: 60_000 }, async () => {
    const { databaseUrl, fleet, tenant } = await startedEmitter()
    const stuck = await started(databaseUrl, ["--grace", "0"], { STUCK: "1" })
    await tenant.emit("wait.asked", {})
    await counted(tenant, "wait.begun", 1)
    stuck.kill("SIGTERM")
    const { code, stderr } = await stuck.ended
    expect(code).toBe(0)
    expect(stderr).toContain("1 given back to other workers")
    await started(databaseUrl)
    await fleet.drain()
    expect(await dataOf(tenant, "wait.done")).toEqual([{ attempt: 1 }])
  })
})

test("a worker that is told twice to stop ends at once", { timeout: 60_000 }, async () => {
  const { databaseUrl, tenant } = await startedEmitter()
  const stuck = await started(databaseUrl, ["--grace", "600"], { STUCK: "1" })
  await tenant.emit("wait.asked", {})
  await counted(tenant, "wait.begun", 1)
  stuck.kill("SIGTERM")
  await stuck.printed(/stopping/)
  // Signals that come close together count as one.
  const again = setInterval(() => stuck.kill("SIGTERM"), 50)
  onTestFinished(() => clearInterval(again))
  expect((await stuck.ended).code).toBe(130)
})

describe("health and metrics", () => {
  test("are served where they are asked for", { timeout: 60_000 }, async () => {
    const { databaseUrl, fleet, tenant } = await startedEmitter()
    const token = "0123456789abcdef"
    const worker = await started(databaseUrl, ["--health-port", "0"], { METRICS_TOKEN: token })
    const [, url = ""] = await worker.printed(/(http:\S+)\/health/)
    expect(url).toContain("127.0.0.1")
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ status: "alive", name: "fleetprompt" })
    const ready = await fetch(`${url}/ready`)
    expect([ready.status, await ready.json()]).toMatchObject([200, { ready: true }])
    await emitAll(tenant, 3)
    await fleet.drain()
    expect((await fetch(`${url}/metrics`)).status).toBe(401)
    const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })
    expect(await metrics.text()).toMatch(/^fleetprompt_deliveries_settled_total\{[^}]*"work\.do"[^}]*\} 3$/m)
    expect((await fetch(`${url}/v1/summary`)).status).toBe(404)
  })

  test("on a port that is taken are refused with what to do", async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void taken.close())
    const address = taken.address()
    const port = typeof address === "object" ? String(address?.port) : ""
    const { code, stderr } = await startWorker([MODULE, "--health-port", port], {
      DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
    }).ended
    expect(code).toBe(1)
    expect(stderr).toContain("give another as --health-port")
  })
})

describe("a worker that cannot work says why", () => {
  test("without a server", async () => {
    const { code, stderr } = await startWorker([MODULE]).ended
    expect(code).toBe(1)
    expect(stderr).toContain("expected DATABASE_URL")
    expect(stderr).toContain("(config_invalid)")
  })

  test("with a server that is not there, without its password", async () => {
    const { code, stderr } = await startWorker([MODULE], {
      DATABASE_URL: "postgres://someone:hunter2@127.0.0.1:1/nowhere",
    }).ended
    expect([code, stderr.includes("database_unreachable"), stderr.includes("hunter2")]).toEqual([1, true, false])
  })

  test("without handlers", async () => {
    const module = join(import.meta.dirname, "fixtures", "app-module.mjs")
    const { code, stderr } = await startWorker([module], { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" }).ended
    expect([code, stderr.includes("a worker only runs handlers")]).toEqual([1, true])
  })

  test.each([
    ["--concurrency", "0"],
    ["--grace", "soon"],
    ["--health-port", "-1"],
  ])("with %s %s", async (...args) => {
    const { code, stderr } = await startWorker([MODULE, ...args]).ended
    expect([code, stderr.includes(args[0] ?? "")]).toEqual([1, true])
  })
})
