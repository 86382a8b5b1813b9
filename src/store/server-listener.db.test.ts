import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { startTcpProxy, type TcpProxy } from "../../test/support/tcp-proxy.ts"
import { serverDatabaseUrl } from "../../test/support/test-database.ts"
import type { Database, ListenEvents } from "./database.ts"
import { clientConfig, serverAddress } from "./server-connection.ts"
import { openServerDatabase } from "./server-database.ts"
import { type ListenerOptions, ServerListener } from "./server-listener.ts"

let url: string
let admin: Database
beforeAll(async () => {
  url = await serverDatabaseUrl()
  admin = await openServerDatabase({ connectionString: url, applicationName: "admin" })
})
afterAll(() => admin.close())

async function startedListener(
  options?: ListenerOptions,
): Promise<{ readonly listener: ServerListener; readonly proxy: TcpProxy }> {
  const proxy = await startTcpProxy(Number(new URL(url).port))
  const connectionString = Object.assign(new URL(url), { port: String(proxy.port) }).href
  const listener = new ServerListener(
    clientConfig(connectionString, "listener"),
    serverAddress(connectionString),
    options,
  )
  onTestFinished(async () => {
    await listener.close()
    await proxy.close()
  })
  return { listener, proxy }
}

interface Ear extends ListenEvents {
  /** Resolves with the next message. */
  readonly next: () => Promise<string>
  /** Resolves when the next gap was told of. */
  readonly gap: () => Promise<void>
}

function ear(): Ear {
  const messages: string[] = []
  const gaps: true[] = []
  let onChange: () => void = () => undefined
  const changed = (): Promise<void> => new Promise((resolve) => (onChange = resolve))
  return {
    onMessage: (payload) => {
      messages.push(payload)
      onChange()
    },
    onGap: () => {
      gaps.push(true)
      onChange()
    },
    next: async () => {
      while (messages.length === 0) await changed()
      return messages.shift() ?? ""
    },
    gap: async () => {
      while (gaps.length === 0) await changed()
      gaps.shift()
    },
  }
}

async function notify(channel: string, payload: string): Promise<void> {
  await admin.query("select pg_notify($1, $2)", [channel, payload])
}

async function connections(): Promise<number> {
  const rows = await admin.query("select 1 from pg_stat_activity where application_name = 'listener'")
  return rows.length
}

test("hears again on every channel after the connection broke, and tells each listener of the gap", async () => {
  const { listener, proxy } = await startedListener()
  const [news, other] = [ear(), ear()]
  await listener.listen("news", news)
  await listener.listen("other", other)
  for (let round = 0; round < 3; round += 1) {
    proxy.cut()
    await Promise.all([news.gap(), other.gap()])
    await notify("news", `news ${round}`)
    await notify("other", `other ${round}`)
    expect(await news.next()).toBe(`news ${round}`)
    expect(await other.next()).toBe(`other ${round}`)
  }
})

test("notices by its heartbeat that the network swallows everything, and says so", async () => {
  const said: true[] = []
  const { listener, proxy } = await startedListener({ heartbeatMs: 50, onDistrust: () => said.push(true) })
  const news = ear()
  await listener.listen("news", news)
  proxy.swallow()
  proxy.recover()
  await news.gap()
  await notify("news", "after the hole")
  expect(await news.next()).toBe("after the hole")
  expect(said).toEqual([true])
})

test("the server may end the connection", async () => {
  const { listener } = await startedListener()
  const news = ear()
  await listener.listen("news", news)
  await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'listener'")
  await news.gap()
  await notify("news", "after the end")
  expect(await news.next()).toBe("after the end")
})

test("all channels share one connection, which is there while somebody listens", async () => {
  const { listener, proxy } = await startedListener()
  const stops = await Promise.all(["a", "b", "c"].map((channel) => listener.listen(channel, ear())))
  expect(proxy.connections()).toBe(1)
  await Promise.all(stops.map((stop) => stop()))
  while ((await connections()) > 0) await Promise.resolve()
  const again = ear()
  await listener.listen("a", again)
  await notify("a", "again")
  expect(await again.next()).toBe("again")
})

test("listening to what cannot be reached fails", async () => {
  const { listener, proxy } = await startedListener()
  await proxy.close()
  await expect(listener.listen("news", ear())).rejects.toMatchObject({ code: "database_unreachable" })
})

test("close ends at once while it is waiting to connect again", async () => {
  const { listener, proxy } = await startedListener()
  await listener.listen("news", ear())
  await proxy.close()
  await expect(listener.close()).resolves.toBeUndefined()
})
