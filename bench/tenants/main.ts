import { spawnSync } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { Pool } from "pg"
import type { Fleet } from "../../src/fleetprompt.ts"
import { startPostgresServer } from "../durable/postgres.ts"
import { percentile } from "../durable/statistics.ts"
import { compare, storedTicks } from "./checks.ts"
import { beginEmitting, type Emitted, TICK } from "./emitting.ts"
import { type Migrated, migrateAll } from "./migrating.ts"
import { type Moved, moveAll } from "./moving.ts"
import { type Options, readOptions, USAGE } from "./options.ts"
import { laterMigrations, loadPackage } from "./our-package.ts"
import { tell } from "./progress.ts"
import { provisionAll } from "./provisioning.ts"
import { type EmitsBeside, reportOf, type Results } from "./report.ts"

/** Signals a second of each of the two processes' fleets while tenants are migrated. */
const EMITS_PER_SECOND = 25
const ROOT = new URL("../../../../", import.meta.url)

const startedAt = new Date()

async function main(options: Options): Promise<void> {
  const server = await startPostgresServer()
  const interrupted = () => void server.stop().finally(() => process.exit(1))
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted)
  try {
    const { url } = await server.createDatabase()
    const results = await run(options, url, server.version)
    const report = reportOf(results)
    if (options.keep) await keep(report)
    process.stdout.write(`${options.json ? JSON.stringify(results) : report}\n`)
    if (!results.ok) process.exitCode = 1
  } finally {
    await server.stop()
  }
}

/** The older release handles what both emit; the newer one runs nothing, since its processes are those that migrate. */
async function run(options: Options, url: string, postgres: string): Promise<Results> {
  const { createFleet, defineHandler, migrations } = await loadPackage()
  const handled = new Set<string>()
  const handlers = [defineHandler({ name: "bench.note", on: TICK, run: ({ signal }) => void handled.add(signal.id) })]
  const common = { databaseUrl: url, retention: false, handlers } as const
  const older = createFleet({ ...common, migrations: { auto: false } })
  const pool = new Pool({ connectionString: url, max: 2 })
  // A server that is stopped first ends them, which is no matter.
  pool.on("error", () => {})
  await older.start()
  const slugs = Array.from({ length: options.tenants }, (_, n) => `bench_${n}`)
  try {
    tell(`${options.tenants} tenants are provisioned, ${options.provisioning} at once`)
    const provisioning = await provisionAll(older, slugs, options.provisioning)
    await pool.query("create schema bench")
    await pool.query("create table bench.ran (schema text, step integer, primary key (schema, step))")
    const later = { ...common, tenantMigrations: [...migrations, ...laterMigrations()] }
    const newer = createFleet({ ...later, worker: false, migrations: { auto: false } })
    await newer.start()
    const emitting = [older, newer].map((fleet) => beginEmitting(fleet, slugs, EMITS_PER_SECOND))
    const order = { url, pool, concurrency: options.concurrency, tenants: options.tenants }
    tell(`they are migrated, ${options.concurrency} at once, while both releases emit`)
    const migrated = await migrateAll({ ...order, step: 1, kill: false })
    tell("they are migrated by another migration, and the process is killed half-way")
    const killed = await migrateAll({ ...order, step: 2, kill: true })
    const emitted = await Promise.all(emitting.map(({ end }) => end()))
    await older.drain()
    const emits = compareEmits(emitted, await storedTicks(pool, slugs), handled.size)
    await Promise.all([stop(older), stop(newer)])
    const moved = options.moved === 0 ? null : await move(createFleet(later), options, slugs, pool)
    const ok = isAsExpected({ migrated, killed, emits, moved, tenants: options.tenants })
    const date = startedAt.toISOString().slice(0, 10)
    return { date, options, postgres, provisioning, migrated, killed, emits, moved, ok }
  } finally {
    await stop(older)
    await pool.end()
  }
}

async function move(fleet: Fleet, { moved, signals }: Options, slugs: readonly string[], pool: Pool): Promise<Moved> {
  tell(`${moved} tenants are moved to the shared schema and back`)
  await fleet.start()
  try {
    // Moving makes schemas anew, by the same migrations.
    await pool.query("alter table bench.ran drop constraint ran_pkey")
    // Makes the schema that they are moved to.
    await fleet.tenants.provision("bench_shared", { placement: "shared" })
    return await moveAll(fleet, pool, slugs.slice(0, moved), signals)
  } finally {
    await stop(fleet)
  }
}

async function stop(fleet: Fleet): Promise<void> {
  await fleet.stop({ graceMs: 1_000 })
}

function compareEmits(emitted: readonly Emitted[], stored: ReadonlyMap<string, number>, handled: number): EmitsBeside {
  const acknowledged = new Map<string, number>()
  for (const each of emitted)
    for (const [slug, count] of each.acknowledged) acknowledged.set(slug, (acknowledged.get(slug) ?? 0) + count)
  const latencies = emitted.flatMap(({ latenciesMs }) => latenciesMs)
  const failures = emitted.flatMap((each) => each.failures)
  for (const failure of failures.slice(0, 5)) tell(`an emit failed: ${failure}`)
  const at = (share: number): number => Math.round((percentile(latencies, share) ?? 0) * 10) / 10
  return {
    emits: latencies.length,
    failed: failures.length,
    ...compare(acknowledged, stored),
    handled,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  }
}

interface Figures {
  readonly migrated: Migrated
  readonly killed: Migrated
  readonly emits: EmitsBeside
  readonly moved: Moved | null
  readonly tenants: number
}

function isAsExpected({ migrated, killed, emits, moved, tenants }: Figures): boolean {
  const isWhole = [migrated, killed].every(
    ({ failed, notOnce, times }) => failed === 0 && notOnce === 0 && times.count === tenants,
  )
  const areKept = emits.failed === 0 && emits.lost === 0 && emits.unexpected === 0 && emits.handled === emits.emits
  const areMoved = !moved || (moved.failed === 0 && moved.unequal === 0 && moved.checksums[0] === moved.checksums[1])
  return isWhole && areKept && areMoved
}

/** In the repository's format, which its checks ask for. */
async function keep(report: string): Promise<void> {
  const date = startedAt.toISOString().slice(0, 10)
  const file = fileURLToPath(new URL(`bench/results/tenants-${date}.md`, ROOT))
  await writeFile(file, `# Tenants: provisioned, migrated, moved, ${date}\n\n${report}\n`)
  spawnSync(fileURLToPath(new URL("node_modules/.bin/oxfmt", ROOT)), [file], { stdio: "ignore" })
  tell(`wrote ${file}`)
}

try {
  await main(readOptions(process.argv.slice(2)))
} catch (error) {
  tell(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n\n${USAGE}`)
  process.exitCode = 1
}
