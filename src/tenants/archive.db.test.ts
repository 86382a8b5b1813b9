import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { killedAndTakenOver, mortalDatabase, operationProcess } from "../../test/support/operation-rig.ts"
import { closedGate, interceptDatabase } from "../../test/support/intercepted-database.ts"
import { testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import { looked, testFleet, testSlug } from "../../test/support/test-fleet.ts"
import { defineHandler } from "../delivery/handler.ts"
import type { Fleet } from "../fleet.ts"
import { archivedTables, unarchivedTables } from "../store/tenant-tables.ts"
import { selectTenantTables } from "../store/tenant-removal.ts"
import type { Database } from "../store/database.ts"
import { hasHistory } from "../store/tenant-archive.ts"
import { SHARED_SCHEMA, tenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { readArchive } from "./archive-format.ts"
import type { Tenant } from "./tenant.ts"

let db: TestDatabase
let folder: string
beforeAll(async () => {
  db = await testDatabase()
  folder = await mkdtemp(join(tmpdir(), "archive-"))
})
afterAll(async () => {
  await db.close()
  await rm(folder, { recursive: true })
})

const handlers = [
  defineHandler({
    name: "follow",
    on: "item.**",
    run: ({ emit }) => emit("seen.item", { "a b": [1.5, null, "é\n"] }).then(() => {}),
  }),
  defineHandler({ name: "fails", on: "bad.**", retry: { attempts: 1 }, run: () => Promise.reject(new Error("no")) }),
]

async function exported(fleet: Fleet, slug: string, more = ""): Promise<string> {
  const file = join(folder, `${slug}${more}.jsonl.gz`)
  const { id } = await fleet.tenants.export(slug, { file })
  expect(await fleet.operations.wait(id)).toMatchObject({ status: "completed", error: null })
  return file
}

async function signalsOf(tenant: Tenant): Promise<readonly unknown[]> {
  const { signals } = await tenant.counts()
  const all: unknown[] = []
  if (signals > 0)
    for await (const { signal } of tenant.signals.tail()) {
      const { tenant: _, ...rest } = signal
      if (all.push(rest) === signals) break
    }
  return all
}

describe.each([
  ["own", "shared"],
  ["shared", "own"],
  ["own", "own"],
] as const)("an archive of a tenant with %s tables, imported into %s ones", (from, to) => {
  test("has all of it in order, under another slug, and keys stay known", async () => {
    const { fleet } = await testFleet(db.database, { handlers })
    const [slug, copy] = [testSlug(`${from} ${to}`), testSlug(`${from} ${to} copy`)]
    await fleet.tenants.provision(slug, { placement: from })
    const tenant = fleet.tenant(slug)
    for (let n = 0; n < 12; n++)
      await tenant.emit("item.added", { n, big: 1e21, deep: { n: [n] } }, { dedupeKey: `k${n}` })
    await tenant.emit("bad.one", {}, { visibility: "admin_only", subject: `order:${crypto.randomUUID()}` })
    await fleet.drain()
    await tenant.pauses.pause({ handler: "follow", reason: "held" })
    await looked(fleet)
    await tenant.emit("item.added", { n: 99 })
    const file = await exported(fleet, slug)
    expect((await stat(file)).mode & 0o077).toBe(0)
    const { id } = await fleet.tenants.import(copy, { file, placement: to, class: "premium" })
    expect(await fleet.operations.wait(id)).toMatchObject({ status: "completed", error: null })
    const there = fleet.tenant(copy)
    expect(await fleet.tenants.get(copy)).toMatchObject({ placement: to, class: "premium", status: "ready" })
    expect(await signalsOf(there)).toEqual(await signalsOf(tenant))
    expect(await there.counts()).toMatchObject({ signals: (await tenant.counts()).signals })
    const { letters } = await there.deadLetters.list()
    expect(letters).toHaveLength(1)
    expect((await there.emit("item.added", { n: 3, big: 1e21, deep: { n: [3] } }, { dedupeKey: "k3" })).inserted).toBe(
      false,
    )
    // What waits to be done is not done twice, here and there.
    expect(await there.openDeliveries()).toBe(0)
    await tenant.pauses.resume({ handler: "follow" })
    await fleet.drain()
  })
})

describe("an archive that is damaged", () => {
  async function original(more: string) {
    const { fleet } = await testFleet(db.database, { handlers, worker: false })
    const slug = testSlug(more)
    await fleet.tenants.provision(slug)
    for (let n = 0; n < 5; n++) await fleet.tenant(slug).emit("item.added", { n })
    return { fleet, slug, bytes: await readFile(await exported(fleet, slug)) }
  }

  async function refused(fleet: Fleet, name: string, bytes: Buffer): Promise<void> {
    const file = join(folder, `${name.replaceAll(/\W/g, "_")}.gz`)
    await writeFile(file, bytes)
    const slug = testSlug(`refused ${name}`)
    const { id } = await fleet.tenants.import(slug, { file })
    expect(await fleet.operations.wait(id), name).toMatchObject({
      status: "failed",
      error: { code: "archive_invalid" },
    })
    expect(await fleet.tenants.get(slug), name).toBeUndefined()
  }

  test("by a cut, a flipped bit, a changed, missing, doubled or swapped line, is refused, and makes nothing", async () => {
    const { fleet, bytes } = await original("damage")
    for (const share of [0, 0.3, 0.6, 0.99])
      await refused(fleet, `cut ${share}`, bytes.subarray(0, bytes.length * share))
    for (let at = 12; at < bytes.length; at += Math.floor(bytes.length / 9)) {
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ 8
      await refused(fleet, `flip ${at}`, flipped)
    }
    const lines = gunzipSync(bytes).toString().trimEnd().split("\n")
    const zip = (changed: readonly string[]): Buffer => gzipSync(`${changed.join("\n")}\n`)
    const row = lines.findIndex((line) => line.startsWith("{"))
    await refused(
      fleet,
      "changed",
      zip(lines.map((line, at) => (at === row ? line.replace("item.added", "item.stolen") : line))),
    )
    await refused(fleet, "missing", zip(lines.filter((_, at) => at !== row)))
    await refused(fleet, "doubled", zip(lines.flatMap((line, at) => (at === row ? [line, line] : [line]))))
    await refused(
      fleet,
      "swapped",
      zip(
        lines.map((line, at) => (at === row ? (lines[row + 1] ?? line) : at === row + 1 ? (lines[row] ?? line) : line)),
      ),
    )
    await refused(fleet, "no manifest", zip(lines.slice(0, -1)))
    await refused(fleet, "other version", zip(lines.map((line) => line.replace('"version":1', '"version":2'))))
    await refused(fleet, "no archive", zip(["hello"]))
    await refused(fleet, "no gzip", Buffer.from(lines.join("\n")))
  })

  test("by its contents alone, with good checksums, leaves no tenant behind", async () => {
    const { fleet, bytes } = await original("contents")
    const { createHash } = await import("node:crypto")
    const lines = gunzipSync(bytes).toString().trimEnd().split("\n")
    // One row that Postgres refuses, and checksums that are right for it.
    const row = lines.findLastIndex((line) => line.includes("item.added"))
    const forged = lines
      .slice(0, -1)
      .map((line, at) => (at === row ? line.replace(/"visibility": *"internal"/, '"visibility": "anybody"') : line))
    expect(forged[row]).not.toBe(lines[row])
    const begin = forged.findIndex((line) => line.startsWith('[{"table":"signals"'))
    const end = forged.findIndex((line) => line.startsWith('[{"end":"signals"'))
    const hash = (some: readonly string[]): string =>
      createHash("sha256")
        .update(some.map((line) => `${line}\n`).join(""))
        .digest("hex")
    const old = /"sha256":"(\w+)"/.exec(forged[end] ?? "")?.[1] ?? ""
    const sum = hash(forged.slice(begin + 1, end))
    const resealed = forged.map((line, at) => (at === end ? line.replace(old, sum) : line))
    const manifest = (lines.at(-1) ?? "")
      .replace(old, sum)
      .replace(/"sha256":"\w+"\}\}\]$/, `"sha256":"${hash(resealed)}"}}]`)
    const file = join(folder, "forged.gz")
    await writeFile(file, gzipSync(`${[...resealed, manifest].join("\n")}\n`))
    const slug = testSlug("forged into")
    const { id } = await fleet.tenants.import(slug, { file })
    expect(await fleet.operations.wait(id)).toMatchObject({ status: "failed" })
    expect(await fleet.tenants.get(slug)).toMatchObject({ status: "deleted" })
    // The slug is free again.
    const good = join(folder, "good.gz")
    await writeFile(good, bytes)
    const again = await fleet.tenants.import(slug, { file: good })
    expect(await fleet.operations.wait(again.id)).toMatchObject({ status: "completed" })
    expect((await fleet.tenant(slug).counts()).signals).toBe(5)
  })

  test("is not read into a tenant that has signals", async () => {
    const { fleet, slug, bytes } = await original("used")
    const file = join(folder, "used.gz")
    await writeFile(file, bytes)
    const { id } = await fleet.tenants.import(slug, { file })
    expect(await fleet.operations.wait(id)).toMatchObject({ status: "failed", error: { code: "tenant_state" } })
    expect(await fleet.tenants.get(slug)).toMatchObject({ status: "ready" })
    expect((await fleet.tenant(slug).counts()).signals).toBe(5)
  })
})

test("an archive shows one moment, whatever is stored while it is written", async () => {
  const { fleet, tenant } = await testFleet(db.database, { handlers })
  const over = new AbortController()
  const emitters = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) await tenant.emit("item.added", {})
  })
  for (let n = 0; n < 20; n++) await tenant.emit("item.added", { n })
  const file = await exported(fleet, tenant.slug)
  over.abort()
  await Promise.all(emitters)
  await fleet.drain()
  const rows: Record<string, Record<string, unknown>[]> = {}
  // A row is an object of columns.
  for await (const part of readArchive(file))
    if (part.kind === "row") (rows[part.table] ??= []).push(JSON.parse(part.line) as Record<string, unknown>)
  const ids = new Set(rows["signals"]?.map(({ id }) => id))
  const open = new Set(rows["deliveries"]?.map((row) => row["signal_id"]))
  for (const effect of rows["effects"] ?? [])
    expect([ids.has(effect["cause_id"]), ids.has(effect["effect_id"])]).toEqual([true, true])
  const done = new Set((rows["attempts"] ?? []).map((row) => row["signal_id"]))
  // Each signal for the handler is either still to be done or was done, at that moment.
  for (const signal of rows["signals"] ?? [])
    if (signal["type"] === "item.added") expect(open.has(signal["id"]) || done.has(signal["id"])).toBe(true)
})

test("an import that is killed at any statement is taken back by another process", { timeout: 300_000 }, async () => {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  for (let n = 0; n < 20; n++) await tenant.emit("item.added", { n })
  const file = await exported(fleet, tenant.slug, "killed")
  for (let statements = 1; statements < 200; statements += 5) {
    const slug = testSlug(`killed ${statements}`)
    const { database, died } = mortalDatabase(db.database, statements)
    const victim = operationProcess(database)
    const watcher = operationProcess(db.database)
    const request = await victim.tenants.import(slug, { file }).catch(() => undefined)
    if (!request) continue
    victim.work()
    const ended = watcher.operations.wait(request.id)
    const isKilled = await Promise.race([died.then(() => true), ended.then(() => false)])
    watcher.work()
    const { status } = await ended
    await Promise.all([victim.stop(), watcher.stop()])
    const found = await watcher.tenants.get(slug)
    if (status === "completed") expect((await fleet.tenant(slug).counts()).signals).toBe(20)
    // Whoever takes it back needs no file: nothing half full is left, and the slug is free.
    else expect([undefined, "deleted", ...(await isWhole(db.database, slug))]).toContain(found?.status)
    if (!isKilled) break
  }
})

test("an import is completed by another process when its own goes away after it opened the tenant", async () => {
  const { fleet, tenant } = await testFleet(db.database, { worker: false })
  for (let n = 0; n < 20; n++) await tenant.emit("item.added", { n })
  const file = await exported(fleet, tenant.slug, "opened")
  let isDead = false
  const cut = closedGate()
  const mortal = interceptDatabase(db.database, async ({ name, run }) => {
    isDead ||= name === "finishOperation"
    if (!isDead) return run()
    void cut.pass()
    throw new Error("this process was killed by the test")
  })
  const [victim, watcher] = [operationProcess(mortal), operationProcess(db.database)]
  const slug = testSlug("opened")
  const { id } = await victim.tenants.import(slug, { file })
  victim.work()
  await cut.reached
  watcher.work()
  expect(await watcher.operations.wait(id)).toMatchObject({ status: "completed", error: null })
  await Promise.all([victim.stop(), watcher.stop()])
  expect((await fleet.tenant(slug).counts()).signals).toBe(20)
})

/** A tenant that was made and not filled yet is one like any other. */
async function isWhole(database: Database, slug: string): Promise<readonly string[]> {
  const [row] = await database.query<{ count: number }>(
    "select count(*)::int as count from fleetprompt.tenants where slug = $1 and status in ('ready', 'provisioning')",
    [slug],
  )
  if (row?.count !== 1) return []
  const scope = tenantScope(slug)
  const isFilled = await withinTenant(database, scope, (tx) => hasHistory(tx, scope)).catch(() => false)
  return isFilled ? [] : ["ready", "provisioning"]
}

test("every table with rows of tenants is one that archives know", async () => {
  const { fleet, tenant } = await testFleet(db.database)
  await fleet.tenants.provision(testSlug("shared"), { placement: "shared" })
  for (const schema of [`org_${tenant.slug}`, SHARED_SCHEMA, "fleetprompt"]) {
    const tables = await selectTenantTables(db.database, schema)
    const unknown = tables.filter((table) => !(table in archivedTables) && !unarchivedTables.has(table))
    expect(unknown, schema).toEqual([])
  }
})

test("an export that is killed leaves no file, and fails", async () => {
  const { tenant } = await testFleet(db.database, { worker: false })
  await tenant.emit("item.added", {})
  const file = join(folder, "never.gz")
  const process = operationProcess(db.database)
  const { id } = await process.tenants.export(tenant.slug, { file })
  // Another process cannot write it, and notes so when the first has been silent for a while.
  const { operation } = await killedAndTakenOver(db.database, id, 0)
  await process.stop()
  expect(operation).toMatchObject({ status: "failed" })
  await expect(stat(file)).rejects.toThrow("ENOENT")
})
