import { expect, onTestFinished, test } from "vitest"
import { startPostgresCluster } from "../../test/support/postgres-cluster.ts"
import type { Queryable } from "./database.ts"
import { ServerClient } from "./server-client.ts"
import { clientConfig, serverAddress } from "./server-connection.ts"
import { openServerDatabase } from "./server-database.ts"
import { ServerListener } from "./server-listener.ts"

/** Connections of each kind: all of them are to be replaced, though most are idle. */
const CONNECTIONS = 3

test("a server that takes no writes for a while is looked for anew, also by those who only read or listen", async () => {
  const cluster = await startPostgresCluster()
  onTestFinished(cluster.stop)
  const limits = { maxConnections: CONNECTIONS, hotConnections: CONNECTIONS }
  const database = await openServerDatabase({ connectionString: cluster.url, ...limits })
  onTestFinished(() => database.close())
  const listener = new ServerListener(clientConfig(cluster.url, "listener"), serverAddress(cluster.url), {
    heartbeatMs: 50,
  })
  onTestFinished(() => listener.close())
  let gaps = 0
  await listener.listen("news", { onMessage: () => {}, onGap: () => (gaps += 1) })
  const [pool, hot] = await Promise.all([pidsOf(database, CONNECTIONS), pidsOf(database.hot, CONNECTIONS)])
  const takesWritesAgain = await readOnlyForAMoment(cluster.url)
  await database.script("alter system set default_transaction_read_only = on")
  await database.query("select pg_reload_conf()")
  await Promise.all([
    until(async () => !pool.has(await pidOf(database))),
    until(async () => !hot.has(await pidOf(database.hot))),
    until(async () => gaps > 0),
  ])
  expect(takesWritesAgain.isOutdated).toBe(false)
})

async function pidOf(database: Queryable): Promise<unknown> {
  const [row] = await database.query<{ pid: number }>("select pg_backend_pid() as pid, pg_sleep(0.01)")
  return row?.pid
}

/** Those of so many connections, once they are open. */
async function pidsOf(database: Queryable, count: number): Promise<ReadonlySet<unknown>> {
  const pids = new Set<unknown>()
  await until(async () => {
    for (const pid of await Promise.all(Array.from({ length: 50 }, () => pidOf(database)))) pids.add(pid)
    return pids.size === count
  })
  return pids
}

async function readOnlyForAMoment(connectionString: string): Promise<ServerClient> {
  const client = new ServerClient({ connectionString })
  await client.connect()
  onTestFinished(() => client.end())
  for (const value of ["on", "off"]) await client.query(`set default_transaction_read_only = ${value}`)
  return client
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}
