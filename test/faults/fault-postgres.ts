import { Client } from "pg"
import { type ClusterOptions, type PostgresCluster, startPostgresCluster } from "../../test/support/postgres-cluster.ts"
import { until } from "./wait.ts"

/** A private Postgres that a scenario breaks as it likes. */
export interface FaultPostgres {
  /** Of its superuser, on the database `postgres`. */
  readonly url: string
  readonly port: number
  /** Asks as the superuser, over a connection of its own. */
  readonly query: <Row extends object>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>
  /** Kills all its processes as a crash would, and starts it again on the same port. */
  readonly crashAndRestart: () => Promise<void>
  /** Ends it and keeps its files: fast, in order, the default; immediate, as a crash would. */
  readonly stop: (how?: "fast" | "immediate") => Promise<void>
  /** SIGKILL to all its processes. `start` begins with recovery. */
  readonly kill9: () => Promise<void>
  /** Starts it again, with these settings instead of the old ones when they are given. */
  readonly start: PostgresCluster["start"]
  /** SIGSTOP to all its processes: it answers nobody and refuses nobody. */
  readonly pause: () => Promise<void>
  /** SIGCONT. */
  readonly resume: () => Promise<void>
  /** Ends a share (0 to 1) of the clients' connections, those of the harness left out. Returns how many. */
  readonly terminateBackends: (share: number) => Promise<number>
  /** Resolves when it answers. */
  readonly ready: (withinMs?: number) => Promise<void>
  /** Where its files are. */
  readonly data: string
  /** Its processes, the first one first. */
  readonly pids: () => Promise<readonly number[]>
  /** Stops it and removes its files. */
  readonly remove: () => Promise<void>
}

/** Connections of the harness itself, which no fault is meant for. */
const HARNESS = "faults-harness"

/** Starts one. */
export async function startFaultPostgres(options: ClusterOptions): Promise<FaultPostgres> {
  const cluster = await startPostgresCluster(options)
  const query: FaultPostgres["query"] = (text, values) => ask(cluster.url, text, values)
  const signal = async (name: "SIGSTOP" | "SIGCONT"): Promise<void> => {
    for (const pid of await cluster.pids()) sendSignal(pid, name)
  }
  return {
    url: cluster.url,
    port: Number(new URL(cluster.url).port),
    query,
    crashAndRestart: cluster.crashAndRestart,
    stop: (how = "fast") => cluster.halt(how),
    kill9: () => cluster.halt("kill"),
    start: cluster.start,
    pause: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    terminateBackends: async (share) => (await query(TERMINATE, [share, HARNESS])).length,
    ready: async (withinMs = 30_000) => {
      await until(async () => (await query("select 1")).length > 0, { withinMs, what: "Postgres answers" })
    },
    data: cluster.data,
    pids: cluster.pids,
    remove: () => remove(cluster, signal),
  }
}

const TERMINATE = `select pg_terminate_backend(pid) from pg_stat_activity
  where backend_type = 'client backend' and pid <> pg_backend_pid() and application_name <> $2 and random() < $1`

/** One that is paused would not hear that it is to end. */
async function remove(cluster: PostgresCluster, signal: (name: "SIGCONT") => Promise<void>): Promise<void> {
  await signal("SIGCONT")
  await cluster.stop()
}

function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It ended meanwhile.
  }
}

async function ask<Row extends object>(
  connectionString: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const client = new Client({ connectionString, application_name: HARNESS, connectionTimeoutMillis: 5_000 })
  // An error between two answers; the next statement tells of it.
  client.on("error", () => {})
  await client.connect()
  try {
    const { rows } = await client.query<Row>(text, [...values])
    return rows
  } finally {
    await client.end()
  }
}
