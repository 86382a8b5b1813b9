import { createServer } from "node:net"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { startPostgresCluster } from "../../test/support/postgres-cluster.ts"
import { startTcpProxy, type TcpProxy } from "../../test/support/tcp-proxy.ts"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import { isFleetPromptError } from "../errors.ts"
import type { Database } from "./database.ts"
import { openServerDatabase } from "./server-database.ts"
import { HotConnections, type HotSettings } from "./server-hot.ts"

let url: string
let admin: Database
beforeAll(async () => {
  url = await serverDatabaseUrl()
  admin = await openServerDatabase({ connectionString: url, applicationName: "admin" })
})
afterAll(() => admin.close())

function opened(settings: Partial<HotSettings> = {}): HotConnections {
  const hot = new HotConnections({
    connectionString: url,
    applicationName: "hot",
    maxConnections: 1,
    statementTimeoutMs: 10_000,
    turnTimeoutMs: 10_000,
    isPooled: false,
    ...settings,
  })
  onTestFinished(() => hot.close())
  return hot
}

async function throughProxy(settings: Partial<HotSettings> = {}): Promise<{ hot: HotConnections; proxy: TcpProxy }> {
  const proxy = await startTcpProxy(Number(new URL(url).port))
  onTestFinished(() => proxy.close())
  const connectionString = Object.assign(new URL(url), { port: String(proxy.port) }).href
  return { hot: opened({ connectionString, ...settings }), proxy }
}

/** Runs a statement that takes a moment so often at once. */
function asks(hot: HotConnections, count: number): Promise<unknown[]> {
  return Promise.all(Array.from({ length: count }, () => hot.query("select pg_sleep(0.005)")))
}

async function valueOf(hot: HotConnections, text: string): Promise<unknown> {
  const [row] = await hot.query<object>(text)
  return Object.values(row ?? {})[0]
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** Asks again and again until it is so. */
async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}

async function terminate(): Promise<number> {
  const rows = await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hot' and datname = current_database()",
  )
  return rows.length
}

describe("plans", () => {
  test.each(["enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_hashjoin", "enable_mergejoin", "jit"])(
    "do without %s",
    async (setting) => {
      expect(await valueOf(opened(), `show ${setting}`)).toBe("off")
    },
  )

  test("are generic; other connections keep the server's way", async () => {
    expect(await valueOf(opened(), "show plan_cache_mode")).toBe("force_generic_plan")
    expect(await admin.query("show enable_seqscan")).toEqual([{ enable_seqscan: "on" }])
  })

  test("options of the connection string are added, and win", async () => {
    const connectionString = `${url}?options=${encodeURIComponent("-c work_mem=5MB -c enable_sort=on")}`
    const hot = opened({ connectionString })
    expect(await valueOf(hot, "show work_mem")).toBe("5MB")
    expect(await valueOf(hot, "show enable_sort")).toBe("on")
    expect(await valueOf(hot, "show enable_seqscan")).toBe("off")
  })
})

describe("prepared statements", () => {
  const SELECT_COUNT = "select count(*) from pg_prepared_statements"

  test("are made once for each text", async () => {
    const hot = opened()
    for (let round = 0; round < 3; round += 1) await Promise.all([hot.query("select 1"), hot.query("select 2")])
    expect(await valueOf(hot, SELECT_COUNT)).toBe(3)
  })

  test("are so many at most, and further texts run without", async () => {
    const hot = opened()
    const texts = Array.from({ length: 1_100 }, (_, index) => `select ${index} as n`)
    for (const _ of [1, 2]) {
      const answers = await Promise.all(texts.map((text) => hot.query<{ n: number }>(text)))
      expect(answers.map(([row]) => row?.n)).toEqual(texts.map((_text, index) => index))
    }
    expect(await valueOf(hot, SELECT_COUNT)).toBe(1_000)
  })

  test("behind a pooler there are none, and no options", async () => {
    const hot = opened({ isPooled: true })
    await asks(hot, 20)
    expect(await valueOf(hot, SELECT_COUNT)).toBe(0)
    expect(await valueOf(hot, "show enable_seqscan")).toBe("on")
  })
})

describe("connections", () => {
  test("are opened as they are needed, and not more than the limit", async () => {
    const hot = opened({ maxConnections: 3 })
    expect(hot.use()).toEqual({ total: 0, idle: 0, waiting: 0 })
    await hot.query("select 1")
    await hot.query("select 1")
    expect(hot.use()).toEqual({ total: 1, idle: 1, waiting: 0 })
    await until(async () => {
      await asks(hot, 100)
      return hot.use().total === 3
    })
    await asks(hot, 100)
    expect(hot.use()).toEqual({ total: 3, idle: 3, waiting: 0 })
  })

  test("have so many statements under way; whoever comes later waits, and in vain not for ever", async () => {
    const hot = opened({ turnTimeoutMs: 500 })
    await hot.query("select 1")
    const held = Array.from({ length: 16 }, () => failure(hot.query("select pg_sleep(60)")))
    const late = [1, 2, 3].map((n) => failure(hot.query("select $1::int", [n])))
    expect(hot.use()).toEqual({ total: 1, idle: 0, waiting: 3 })
    for (const error of await Promise.all(late)) {
      expect(error).toMatchObject({ code: "database_busy", message: expect.stringContaining("raise hotConnections") })
    }
    await until(async () => (await terminate()) > 0)
    const errors = await Promise.all(held)
    expect(errors.map((error) => Reflect.get(Object(error), "code"))).toEqual(
      held.map(() => "database_connection_lost"),
    )
    expect(await hot.query("select 1 as one")).toEqual([{ one: 1 }])
  })

  test("behind a pooler have one statement under way", async () => {
    const hot = opened({ isPooled: true, maxConnections: 2 })
    await until(async () => {
      await asks(hot, 10)
      return hot.use().total === 2
    })
    const asked = asks(hot, 10)
    expect(hot.use()).toEqual({ total: 2, idle: 0, waiting: 8 })
    await asked
  })

  test("that saw very many statements are replaced, and nothing fails meanwhile", async () => {
    const hot = opened({ turnTimeoutMs: 500 })
    const first = await valueOf(hot, "select pg_backend_pid()")
    for (let n = 0; n < 5_000; n += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, index) => hot.query(`select ${n + index}`)))
    }
    await until(async () => (await valueOf(hot, "select pg_backend_pid()")) !== first)
    expect(hot.use().total).toBe(1)
  })
})

describe("a connection that breaks", () => {
  test("while idle is replaced, and the process lives", async () => {
    const hot = opened()
    await hot.query("select 1")
    expect(await terminate()).toBe(1)
    await until(() => hot.use().total === 0)
    expect(await hot.query("select 1 as one")).toEqual([{ one: 1 }])
  })

  test("fails all that was under way on it, and what was answered stays answered", async () => {
    const { hot, proxy } = await throughProxy()
    const answered = await hot.query("select 1 as one")
    const lost = Array.from({ length: 10 }, () => failure(hot.query("select pg_sleep(60)")))
    proxy.cut()
    for (const error of await Promise.all(lost)) expect(error).toMatchObject({ code: "database_connection_lost" })
    expect(answered).toEqual([{ one: 1 }])
    expect(await hot.query("select 1 as one")).toEqual([{ one: 1 }])
  })

  test("that answers read-only is given up, since another server may have taken over", async () => {
    const hot = opened()
    const first = await valueOf(hot, "select pg_backend_pid()")
    await hot.query("set default_transaction_read_only = on")
    await expect(hot.query("create table refused ()")).rejects.toMatchObject({ code: "25006" })
    expect(await valueOf(hot, "select pg_backend_pid()")).not.toBe(first)
  })

  test("again and again harms only what was under way", async () => {
    const hot = opened({ maxConnections: 3 })
    const outcomes = { answered: 0, lost: 0 }
    const others: unknown[] = []
    const stop = new AbortController()
    const callers = Array.from({ length: 20 }, async () => {
      while (!stop.signal.aborted) {
        const error = await failure(hot.query("select pg_sleep(0.001)"))
        if (error === undefined) outcomes.answered += 1
        else if (isFleetPromptError(error) && error.code === "database_connection_lost") outcomes.lost += 1
        else others.push(error)
      }
    })
    for (let round = 0; round < 10; round += 1) {
      const before = outcomes.answered
      await until(() => outcomes.answered > before + 20)
      await terminate()
    }
    stop.abort()
    await Promise.all(callers)
    expect(others).toEqual([])
    expect(outcomes.lost).toBeGreaterThan(0)
    expect(hot.use().waiting).toBe(0)
  })
})

describe("a network that swallows everything", () => {
  test("ends statements in time; idle connections are not trusted either, and all goes on", async () => {
    const { hot, proxy } = await throughProxy({ maxConnections: 3, statementTimeoutMs: 200 })
    await until(async () => {
      await asks(hot, 50)
      return hot.use().total === 3
    })
    proxy.swallow()
    const error = await failure(hot.query("select 1"))
    expect(error).toMatchObject({ code: "database_connection_lost", cause: { message: "no answer within 200 ms" } })
    expect(hot.use().total).toBe(0)
    proxy.recover()
    expect(await hot.query("select 1 as one")).toEqual([{ one: 1 }])
  })

  test("is not seen in a process that was busy itself", async () => {
    const hot = opened({ statementTimeoutMs: 100 })
    await hot.query("select 1")
    const asked = hot.query("select 1 as one")
    const end = performance.now() + 400
    while (performance.now() < end) continue
    expect(await asked).toEqual([{ one: 1 }])
  })
})

describe("a server that cannot be reached", () => {
  test("is told to all who wait after one try, and used again when it is there", async () => {
    const server = { tries: 0 }
    const listener = createServer((socket) => {
      server.tries += 1
      socket.destroy()
    })
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void listener.close())
    const address = listener.address()
    const port = typeof address === "object" ? String(address?.port) : ""
    const hot = opened({ connectionString: Object.assign(new URL(url), { port }).href, maxConnections: 4 })
    for (const round of [1, 2, 3]) {
      const errors = await Promise.all(Array.from({ length: 200 }, () => failure(hot.query("select 1"))))
      expect(errors).toEqual(errors.map(() => expect.objectContaining({ code: "database_unreachable" })))
      expect(server.tries).toBe(round)
    }
  })

  test("since it crashed loses nothing that was acknowledged", async () => {
    const cluster = await startPostgresCluster()
    onTestFinished(cluster.stop)
    const hot = opened({ connectionString: cluster.url, maxConnections: 4 })
    await hot.query("create table numbers (number integer primary key)")
    const acknowledged: number[] = []
    const stop = new AbortController()
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      for (let number = writer; !stop.signal.aborted; number += 16) {
        const error = await failure(hot.query("insert into numbers values ($1)", [number]))
        if (error === undefined) acknowledged.push(number)
        else expect(error).toMatchObject({ code: expect.stringMatching(/^database_(unreachable|connection_lost)$/) })
      }
    })
    for (let crash = 0; crash < 2; crash += 1) {
      const before = acknowledged.length
      await until(() => acknowledged.length > before + 100)
      await cluster.crashAndRestart()
    }
    const after = acknowledged.length
    await until(() => acknowledged.length > after)
    stop.abort()
    await Promise.all(writers)
    const rows = await hot.query<{ number: number }>("select number from numbers")
    const found = new Set(rows.map(({ number }) => number))
    expect(acknowledged.filter((number) => !found.has(number))).toEqual([])
  })
})

describe("close", () => {
  test("lets finish what is under way and what waits", async () => {
    const hot = opened()
    const asked = Array.from({ length: 40 }, (_, n) => hot.query("select $1::int as n", [n]))
    await hot.close()
    expect(await Promise.all(asked)).toEqual(asked.map((_, n) => [{ n }]))
    expect(hot.use()).toEqual({ total: 0, idle: 0, waiting: 0 })
  })

  test("of connections that were never used, or cannot be made, ends too", async () => {
    await expect(opened().close()).resolves.toBeUndefined()
    const { hot, proxy } = await throughProxy()
    await proxy.close()
    const refused = failure(hot.query("select 1"))
    await hot.close()
    expect(await refused).toMatchObject({ code: "database_unreachable" })
  })
})
