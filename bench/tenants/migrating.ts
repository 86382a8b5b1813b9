import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import type { Pool } from "pg"
import { tell, tellProgress } from "./progress.ts"
import { type Times, timesOf } from "./provisioning.ts"

const OPEN = "select count(*) from fleetprompt.deliveries where handler = 'fleetprompt.migration'"
/** How often it is looked how far it got, milliseconds. */
const LOOK_MS = 100

/** What came of migrating all tenants. */
export interface Migrated {
  /** Of each schema, from the beginning of its last attempt to its end. totalMs is that of the whole. */
  readonly times: Times
  readonly failed: number
  readonly attemptsAbove1: number
  /** Schemas in which the migration ran other than once. */
  readonly notOnce: number
  /** Schemas that were done when the process was killed; null when it was not. */
  readonly killedAt: number | null
  /** From the kill until the next schema was done, milliseconds. */
  readonly resumedAfterMs: number | null
}

/** How tenants are migrated. */
export interface MigrateOrder {
  readonly url: string
  readonly pool: Pool
  /** Which of the benchmark's migrations, 1 or 2. */
  readonly step: number
  readonly concurrency: number
  readonly tenants: number
  /** Whether the process is killed half-way, and another goes on. */
  readonly kill: boolean
}

/** Lets another process migrate all tenants. */
export async function migrateAll(order: MigrateOrder): Promise<Migrated> {
  const { pool, step, tenants, kill } = order
  const startedAt = performance.now()
  let child = startMigrator(order)
  try {
    let killed: { readonly at: number; readonly done: number } | undefined
    let resumedAfterMs: number | null = null
    for (let done = 0; done < tenants;) {
      await sleep(LOOK_MS)
      done = await countDone(pool, step)
      tellProgress(`migrated (${step})`, done, tenants, performance.now() - startedAt)
      if (killed && resumedAfterMs === null && done > killed.done)
        resumedAfterMs = Math.round(performance.now() - killed.at)
      if (kill && !killed && done >= tenants / 2) {
        child.kill("SIGKILL")
        await once(child, "exit")
        killed = { at: performance.now(), done: await countDone(pool, step) }
        tell(`killed the process when ${killed.done} of ${tenants} were done; another begins`)
        child = startMigrator(order)
      }
      if ((await countFailed(pool)) > 0) break
    }
    const totalMs = performance.now() - startedAt
    // What the killed process held is known to be done when its leases have ended.
    while ((await number(pool, OPEN, [])) > 0) await sleep(LOOK_MS)
    return { ...(await outcome(order, totalMs)), killedAt: killed?.done ?? null, resumedAfterMs }
  } finally {
    if (child.connected) child.disconnect()
    await Promise.race([once(child, "exit"), sleep(20_000)])
    child.kill("SIGKILL")
  }
}

function startMigrator({ url, step, concurrency }: MigrateOrder): ChildProcess {
  const args = [url, String(step), String(concurrency)]
  return fork(new URL("migrator.js", import.meta.url), args, { stdio: ["ignore", 2, 2, "ipc"] })
}

async function countDone(pool: Pool, step: number): Promise<number> {
  return number(pool, "select count(*) from fleetprompt.tenants where schema_version >= $1 and slug <> 'fleetprompt'", [
    900_000 + step,
  ])
}

async function countFailed(pool: Pool): Promise<number> {
  return number(pool, "select count(*) from fleetprompt.migration_runs where status = 'failed'", [])
}

async function outcome({ pool, step }: MigrateOrder, totalMs: number) {
  const version = 900_000 + step
  const { rows } = await pool.query<{ ms: number; attempt: number }>(
    `select (extract(epoch from finished_at - started_at) * 1000)::float8 as ms, attempt
     from fleetprompt.migration_runs where to_version = $1 and status = 'completed'`,
    [version],
  )
  const notOnce = await number(
    pool,
    `select count(*) from fleetprompt.tenants as home
     where slug <> 'fleetprompt'
       and 1 <> (select count(*) from bench.ran where step = $1 and schema = '"' || home.schema_name || '"')`,
    [step],
  )
  const times = timesOf(
    rows.map(({ ms }) => ms),
    totalMs,
  )
  return {
    times,
    failed: await countFailed(pool),
    attemptsAbove1: rows.filter(({ attempt }) => attempt > 1).length,
    notOnce,
  }
}

async function number(pool: Pool, text: string, values: readonly unknown[]): Promise<number> {
  const { rows } = await pool.query<[string]>({ text, values: [...values], rowMode: "array" })
  return Number(rows[0]?.[0])
}
