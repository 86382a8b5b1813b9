import { readFile } from "node:fs/promises"
import { Pool } from "pg"
import { type PostgresCluster, startPostgresCluster } from "../../test/support/postgres-cluster.ts"

/** The same for all. Everything else is as Postgres comes, so each commit waits for the disk. */
export const SETTINGS: Readonly<Record<string, string>> = {
  fsync: "on",
  synchronous_commit: "on",
  shared_buffers: "512MB",
  max_wal_size: "8GB",
  max_connections: "300",
  max_locks_per_transaction: "256",
}

/** Can count statements; it is told to only where that is measured, since counting costs. */
const COUNTING = { shared_preload_libraries: "pg_stat_statements" }

/** A database of one run. */
export interface RunDatabase {
  readonly name: string
  readonly url: string
}

/** What the server did for a database so far. */
export interface Activity {
  /** Statements of its clients. Transactions where the server cannot count statements. */
  readonly queries: number
  /** Time on the processor by process of its connections, milliseconds. Empty where the system does not tell. */
  readonly cpuMs: ReadonlyMap<number, number>
}

/** The benchmark's own Postgres server. */
export interface PostgresServer {
  readonly version: string
  readonly createDatabase: () => Promise<RunDatabase>
  readonly dropDatabase: (database: RunDatabase) => Promise<void>
  /** Counts statements while that runs. */
  readonly counting: <Result>(run: () => Promise<Result>) => Promise<Result>
  readonly activity: (database: RunDatabase) => Promise<Activity>
  /** Bytes of its files. */
  readonly size: (database: RunDatabase) => Promise<number>
  readonly stop: () => Promise<void>
}

/** Starts a private server from the system's programs. It ends with this process. */
export async function startPostgresServer(): Promise<PostgresServer> {
  const { cluster, counts } = await startCluster()
  const pool = new Pool({ connectionString: cluster.url })
  if (counts) await pool.query("create extension pg_stat_statements")
  const count = (what: "top" | "none") => (counts ? countStatements(pool, what) : undefined)
  await count("none")
  let countings = 0
  let databases = 0
  return {
    version: await firstValue(pool, "show server_version", []),
    createDatabase: async () => {
      const name = `bench_${++databases}`
      await pool.query(`create database ${name}`)
      // What the last run left to be written is not this one's to wait for.
      await pool.query("checkpoint")
      const url = new URL(cluster.url)
      url.pathname = name
      return { name, url: url.href }
    },
    dropDatabase: async ({ name }) => {
      await pool.query(`drop database if exists ${name} with (force)`)
    },
    counting: async (run) => {
      if (++countings === 1) await count("top")
      try {
        return await run()
      } finally {
        if (--countings === 0) await count("none")
      }
    },
    activity: async ({ name }) => ({
      queries: Number(await firstValue(pool, counts ? STATEMENTS : TRANSACTIONS, [name])),
      cpuMs: await cpuMsOf(pool, name),
    }),
    size: async ({ name }) => Number(await firstValue(pool, "select pg_database_size($1)", [name])),
    stop: async () => {
      await pool.end()
      await cluster.stop()
    },
  }
}

const STATEMENTS = `select coalesce(sum(calls), 0) from pg_stat_statements
  join pg_database on pg_database.oid = dbid where datname = $1`
const TRANSACTIONS = "select xact_commit + xact_rollback from pg_stat_database where datname = $1"

async function countStatements(pool: Pool, which: "top" | "none"): Promise<void> {
  await pool.query(`alter system set pg_stat_statements.track = '${which}'`)
  await pool.query("select pg_reload_conf()")
}

/** Some packages of Postgres come without the extension that counts. */
async function startCluster(): Promise<{ readonly cluster: PostgresCluster; readonly counts: boolean }> {
  try {
    return { cluster: await startPostgresCluster({ settings: { ...SETTINGS, ...COUNTING } }), counts: true }
  } catch {
    return { cluster: await startPostgresCluster({ settings: SETTINGS }), counts: false }
  }
}

async function firstValue(pool: Pool, text: string, values: readonly string[]): Promise<string> {
  const { rows } = await pool.query<[string]>({ text, values: [...values], rowMode: "array" })
  return String(rows[0]?.[0])
}

const CPU_TICK_MS = 10
/** The 14th and 15th field of /proc/PID/stat, counted from the one after the name in brackets. */
const USER_TICKS = 11

async function cpuMsOf(pool: Pool, database: string): Promise<ReadonlyMap<number, number>> {
  const { rows } = await pool.query<{ pid: number }>("select pid from pg_stat_activity where datname = $1", [database])
  const stats = await Promise.all(rows.map(({ pid }) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined)))
  return new Map(rows.flatMap(({ pid }, index) => (stats[index] === undefined ? [] : [[pid, cpuMsIn(stats[index])]])))
}

function cpuMsIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[USER_TICKS]) + Number(fields[USER_TICKS + 1])) * CPU_TICK_MS
}
