import { createServer } from "node:net"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { databaseContract } from "../../test/database-contract.ts"
import { startPostgresCluster } from "../../test/support/postgres-cluster.ts"
import { startTcpProxy, type TcpProxy } from "../../test/support/tcp-proxy.ts"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import type { Database } from "./database.ts"
import { openServerDatabase, type ServerDatabaseSettings } from "./server-database.ts"

databaseContract("a server", async () => {
  const database = await openServerDatabase({ connectionString: await serverDatabaseUrl() })
  return { database, dispose: () => database.close() }
})

let url: string
let admin: Database
beforeAll(async () => {
  url = await serverDatabaseUrl()
  admin = await openServerDatabase({ connectionString: url, applicationName: "admin" })
  await admin.script("create table facts (key text primary key)")
})
afterAll(() => admin.close())

async function opened(settings: Partial<ServerDatabaseSettings> = {}): Promise<Database> {
  const database = await openServerDatabase({ connectionString: url, applicationName: "tested", ...settings })
  onTestFinished(() => database.close())
  return database
}

async function openedThroughProxy(
  settings: Partial<ServerDatabaseSettings> = {},
): Promise<{ readonly database: Database; readonly proxy: TcpProxy }> {
  const proxy = await startTcpProxy(Number(new URL(url).port))
  onTestFinished(() => proxy.close())
  return { database: await opened({ connectionString: withParts({ port: String(proxy.port) }), ...settings }), proxy }
}

function withParts(parts: Partial<Record<"port" | "host" | "password" | "pathname", string>>): string {
  return Object.assign(new URL(url), parts).href
}

/** Ends the backends of the tested database, as a server that restarts does. */
async function terminateBackends(): Promise<number> {
  const rows = await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tested' and datname = current_database()",
  )
  return rows.length
}

async function has(key: string): Promise<boolean> {
  return (await admin.query("select 1 from facts where key = $1", [key])).length === 1
}

describe("settings", () => {
  test.each([
    ["", "empty"],
    ["mysql://localhost/app", "another database's"],
    ["localhost:5432", "without a scheme"],
    ["postgres://user:pa/ss@localhost/app", "with an unescaped / in the password"],
    ["postgres://user:12/34@localhost/app", "with digits before the / in the password"],
    ["postgres://user:pa#ss@localhost/app", "with an unescaped # in the password"],
    ["postgres://user:pass@localhost:port/app", "with a port that is none"],
  ])("a URL %j, %s, is refused without being repeated", async (connectionString) => {
    const error = await failure(openServerDatabase({ connectionString }))
    expect(error).toMatchObject({ code: "config_invalid" })
    expect(error).not.toHaveProperty("cause")
    for (const part of ["pa", "ss@", "12", "34"]) expect(messageWithoutAdvice(error)).not.toContain(part)
  })

  test("a password with escaped characters is understood", async () => {
    await admin.script(`create role odd login password 'p/a#s@s%:?'`)
    onTestFinished(() => admin.script("drop role odd"))
    const { host, pathname } = new URL(url)
    const connectionString = `postgres://odd:${encodeURIComponent("p/a#s@s%:?")}@${host}${pathname}`
    const database = await opened({ connectionString })
    expect(await database.query("select current_user as name")).toEqual([{ name: "odd" }])
  })

  test("the application's name is shown to the server", async () => {
    const database = await opened({ applicationName: "my shop" })
    expect(await database.query("show application_name")).toEqual([{ application_name: "my shop" }])
  })
})

describe("a server that cannot be reached", () => {
  test("is named with its host and port, and what to do", async () => {
    const port = await unusedPort()
    const error = await failure(openServerDatabase({ connectionString: withParts({ port }) }))
    expect(error).toMatchObject({ code: "database_unreachable" })
    expect(String(error)).toContain(`127.0.0.1:${port}`)
    expect(String(error)).toContain("ECONNREFUSED")
  })

  test("a wrong password is said, and not repeated", async () => {
    const error = await failure(openServerDatabase({ connectionString: withParts({ password: "hush-hush" }) }))
    expect(error).toMatchObject({ code: "database_unreachable", cause: { code: "28P01" } })
    expect(String(error)).toContain("check the user and password")
    expect(everythingOf(error)).not.toContain("hush-hush")
  })

  test("a database that is not there is said", async () => {
    const error = await failure(openServerDatabase({ connectionString: withParts({ pathname: "/nowhere" }) }))
    expect(error).toMatchObject({ code: "database_unreachable", cause: { code: "3D000" } })
    expect(String(error)).toContain("create the database")
  })

  test("one without a free connection is said, and works again when there is one", async () => {
    const [limit] = await admin.query<{ name: string }>("select quote_ident(current_database()) as name")
    const database = await opened({ maxConnections: 2 })
    await admin.script(`alter database ${limit?.name} connection limit 0; create role plain login password 'plain'`)
    onTestFinished(() => admin.script(`alter database ${limit?.name} connection limit -1; drop role plain`))
    const connectionString = Object.assign(new URL(url), { username: "plain", password: "plain" }).href
    const error = await failure(openServerDatabase({ connectionString }))
    expect(error).toMatchObject({ code: "database_unreachable", cause: { code: "53300" } })
    expect(String(error)).toContain("max_connections")
    expect(await database.query("select 1 as one")).toEqual([{ one: 1 }])
  })
})

describe("a connection that breaks", () => {
  test("while idle is replaced, and the process lives", async () => {
    const database = await opened({ maxConnections: 4 })
    await Promise.all(Array.from({ length: 4 }, () => database.query("select pg_sleep(0.01)")))
    expect(await terminateBackends()).toBe(4)
    await until(async () => (await failure(database.query("select 1"))) === undefined)
    const answers = await Promise.all(Array.from({ length: 8 }, () => database.query("select 1 as one")))
    expect(answers).toEqual(Array.from({ length: 8 }, () => [{ one: 1 }]))
  })

  test("under a statement gives database_connection_lost, and the next statement works", async () => {
    const database = await opened()
    const cut = failure(database.query("select pg_sleep(60)"))
    await until(async () => (await terminateSleepers()) > 0)
    expect(await cut).toMatchObject({ code: "database_connection_lost", cause: { code: "57P01" } })
    expect(await database.query("select 1 as one")).toEqual([{ one: 1 }])
  })

  test("inside a transaction rolls it back; its connection is not used again", async () => {
    const database = await opened({ maxConnections: 1 })
    const broken = database.transaction(async (tx) => {
      await tx.query("insert into facts values ('broken')")
      await terminateBackends()
      await tx.query("select 1")
    })
    await expect(broken).rejects.toMatchObject({ code: "database_connection_lost" })
    expect(await has("broken")).toBe(false)
    await database.transaction((tx) => tx.query("insert into facts values ('after broken')"))
    expect(await has("after broken")).toBe(true)
  })

  test("inside a transaction whose run hides it still fails, with the reason", async () => {
    const database = await opened({ maxConnections: 1 })
    const hidden = database.transaction(async (tx) => {
      await terminateBackends()
      await tx.query("select 1").catch(() => undefined)
    })
    await expect(hidden).rejects.toMatchObject({ code: "database_connection_lost" })
  })

  test("keeps the error of run, when that is what made the transaction fail", async () => {
    const database = await opened({ maxConnections: 1 })
    const mistake = new Error("mine")
    const failed = database.transaction(async () => {
      await terminateBackends()
      throw mistake
    })
    expect(await failure(failed)).toBe(mistake)
    expect(await database.query("select 1 as one")).toEqual([{ one: 1 }])
  })

  test("after COMMIT was sent leaves it open whether it took effect, and says so", async () => {
    const { database, proxy } = await openedThroughProxy()
    const unknown = database.transaction(async (tx) => {
      await tx.query("insert into facts values ('unknown')")
      proxy.cutAfter("commit")
    })
    const error = await failure(unknown)
    expect(error).toMatchObject({ code: "database_connection_lost" })
    expect(String(error)).toContain("may or may not have taken effect")
    expect(await has("unknown")).toBe(true)
    expect(await database.query("select 1 as one")).toEqual([{ one: 1 }])
  })
})

describe("a server that crashes", () => {
  test("again and again loses nothing that was acknowledged, and works again when it is back", async () => {
    const cluster = await startPostgresCluster()
    onTestFinished(cluster.stop)
    const database = await opened({ connectionString: cluster.url, maxConnections: 4 })
    const gaps = { told: 0 }
    await database.listen("news", { onMessage: () => {}, onGap: () => (gaps.told += 1) })
    await database.script("create table numbers (number integer primary key)")
    const acknowledged: number[] = []
    const stop = new AbortController()
    const write = async (writer: number): Promise<void> => {
      for (let number = writer; !stop.signal.aborted; number += 4) {
        const error = await failure(database.query("insert into numbers values ($1)", [number]))
        if (error === undefined) {
          acknowledged.push(number)
          continue
        }
        expect(error).toMatchObject({ code: expect.stringMatching(/^database_(unreachable|connection_lost)$/) })
        // As callers do, it lets the server breathe before it tries again.
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
    const writers = [0, 1, 2, 3].map(write)
    for (let crash = 0; crash < 3; crash += 1) {
      const before = acknowledged.length
      await until(async () => acknowledged.length > before + 20)
      await cluster.crashAndRestart()
    }
    const after = acknowledged.length
    await until(async () => acknowledged.length > after && gaps.told > 0)
    stop.abort()
    await Promise.all(writers)
    const rows = await database.query<{ number: number }>("select number from numbers")
    const found = new Set(rows.map(({ number }) => number))
    expect(acknowledged.filter((number) => !found.has(number))).toEqual([])
  })
})

describe("a network that swallows everything", () => {
  test("ends statements and transactions in time, and the pool recovers", async () => {
    const { database, proxy } = await openedThroughProxy({ maxConnections: 3, statementTimeoutMs: 200 })
    await Promise.all(Array.from({ length: 3 }, () => database.query("select pg_sleep(0.01)")))
    proxy.swallow()
    const held = database.transaction((tx) => tx.query("select 1"))
    const [error, heldError] = await Promise.all([database.query("select 1"), held].map(failure))
    expect(error).toMatchObject({ code: "database_connection_lost", cause: { message: "no answer within 200 ms" } })
    expect(heldError).toMatchObject({ code: "database_connection_lost" })
    proxy.recover()
    expect(await database.query("select 1 as one")).toEqual([{ one: 1 }])
  })
})

describe("a network that forgets all connections", () => {
  test.each(["pool", "hot"] as const)(
    "is found out by one in the %s for all that are idle, of either kind",
    async (kind) => {
      const { database, proxy } = await openedThroughProxy({ statementTimeoutMs: 200 })
      await Promise.all([database, database.hot].map((each) => each.query("select 1")))
      proxy.swallow()
      proxy.recover()
      const [first, second] = kind === "pool" ? [database, database.hot] : [database.hot, database]
      expect(await failure(first.query("select 1"))).toMatchObject({ code: "database_connection_lost" })
      expect(await second.query("select 1 as one")).toEqual([{ one: 1 }])
    },
  )
})

describe("a transaction that does nothing", () => {
  test("since the network swallows its statements is ended by the server, and leaves no locks", async () => {
    const { database, proxy } = await openedThroughProxy({ statementTimeoutMs: 200, idleTransactionMs: 200 })
    const stuck = database.transaction(async (tx) => {
      await tx.query("insert into facts values ('contended')")
      proxy.swallow()
      await tx.query("select 1")
    })
    expect(await failure(stuck)).toMatchObject({ code: "database_connection_lost" })
    await expect(admin.query("insert into facts values ('contended')")).resolves.toEqual([])
  })

  test("since its process stands still is ended by the server, and told so when it goes on", async () => {
    const database = await opened({ idleTransactionMs: 100 })
    const late = database.transaction(async (tx) => {
      await tx.query("insert into facts values ('stood still')")
      expect(await failure(admin.query("insert into facts values ('stood still')"))).toBeUndefined()
      await tx.query("select 1")
    })
    expect(await failure(late)).toMatchObject({ code: "database_connection_lost" })
  })

  test("may take as long as the server's own setting says, or whoever begins it", async () => {
    const options = encodeURIComponent("-c idle_in_transaction_session_timeout=12345")
    const [own, plain] = [await opened({ connectionString: `${url}?options=${options}` }), await opened()]
    const show = "show idle_in_transaction_session_timeout"
    expect(await own.transaction((tx) => tx.query(show))).toEqual([{ idle_in_transaction_session_timeout: "12345ms" }])
    const asked = await plain.transaction((tx) => tx.query(show), { idleMs: 60_000 })
    expect(asked).toEqual([{ idle_in_transaction_session_timeout: "1min" }])
    expect(await plain.query(show)).toEqual([{ idle_in_transaction_session_timeout: "0" }])
  })
})

describe("too few connections", () => {
  test("a transaction that asks the database for another is refused in the end, and all goes on", async () => {
    const database = await opened({ maxConnections: 1, turnTimeoutMs: 50 })
    const nested = database.transaction(() => database.query("select 1"))
    const error = await failure(nested)
    expect(error).toMatchObject({ code: "database_busy" })
    expect(String(error)).toContain("use the tx it is given")
    expect(await database.query("select 1 as one")).toEqual([{ one: 1 }])
  })
})

async function terminateSleepers(): Promise<number> {
  const rows = await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep(60%' and pid <> pg_backend_pid()",
  )
  return rows.length
}

/** Asks again and again until it is so. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

function everythingOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.stack} ${JSON.stringify(Object.entries(error))} ${everythingOf(error.cause)}`
}

/** The advice holds an example of a URL. */
function messageWithoutAdvice(error: unknown): string {
  return String(error)
    .replaceAll("postgres://user:password@host:5432/name", "")
    .replaceAll("password percent-encoded", "")
    .replaceAll("special characters of the", "")
}

async function unusedPort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return String(typeof address === "object" && address?.port)
}
