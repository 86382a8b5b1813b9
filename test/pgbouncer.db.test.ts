import { Client } from "pg"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { createFleet, defineHandler, type Fleet, type FleetOptions } from "../src/fleetprompt.ts"
import type { Database } from "../src/store/database.ts"
import { openServerDatabase, type ServerDatabaseSettings } from "../src/store/server-database.ts"
import { databaseContract } from "./database-contract.ts"
import { hasPgBouncer, type PgBouncer, startPgBouncer } from "./support/pgbouncer.ts"
import { serverDatabaseUrl } from "./support/test-database.ts"
import { testSlug } from "./support/test-fleet.ts"

describe.skipIf(!hasPgBouncer())("behind a PgBouncer in transaction mode", () => {
  let serverUrl: string
  let bouncer: PgBouncer
  beforeAll(async () => {
    serverUrl = await serverDatabaseUrl()
    bouncer = await startPgBouncer(serverUrl)
  })
  afterAll(() => bouncer.stop())

  /** A database of a contract's own, through the same PgBouncer. */
  async function emptyDatabase(): Promise<{ readonly direct: string; readonly pooled: string }> {
    const direct = await serverDatabaseUrl()
    const { port } = new URL(bouncer.url)
    return { direct, pooled: Object.assign(new URL(direct), { port }).href }
  }

  databaseContract(
    "a server with nowhere to listen",
    async () => {
      const { pooled } = await emptyDatabase()
      const database = await openServerDatabase({ connectionString: pooled })
      return { database, dispose: () => database.close() }
    },
    { hears: false },
  )

  databaseContract("a server with a direct connection to listen on", async () => {
    const { direct, pooled } = await emptyDatabase()
    const database = await openServerDatabase({ connectionString: pooled, listenUrl: direct })
    return { database, dispose: () => database.close() }
  })

  async function opened(settings: Partial<ServerDatabaseSettings> = {}): Promise<Database> {
    const database = await openServerDatabase({ connectionString: bouncer.url, ...settings })
    onTestFinished(() => database.close())
    return database
  }

  test("a listenUrl that leads to a pooler is refused", async () => {
    const database = await opened({ listenUrl: bouncer.url })
    const listening = database.listen("news", { onMessage: () => {}, onGap: () => {} })
    await expect(listening).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringContaining("DATABASE_LISTEN_URL"),
    })
  })

  test("more callers than the pool has connections are all answered", async () => {
    const database = await opened({ maxConnections: 10, hotConnections: 10 })
    const numbers = Array.from({ length: 300 }, (_, index) => index)
    const answers = await Promise.all(
      numbers.map((n) => (n % 2 ? database : database.hot).query("select $1::int as n, pg_sleep(0.001)::text", [n])),
    )
    expect(answers.map(([row]) => Reflect.get(row ?? {}, "n"))).toEqual(numbers)
  })

  test("nothing stays behind in the server's sessions", async () => {
    const database = await opened()
    await Promise.all(Array.from({ length: 50 }, (_, n) => database.hot.query(`select ${n} as n`)))
    await database.transaction((tx) => tx.query("select 1"))
    const left = await database.query(
      "select (select count(*) from pg_prepared_statements) as prepared, (select count(*) from pg_listening_channels()) as heard",
    )
    expect(left).toEqual([{ prepared: 0, heard: 0 }])
  })

  describe.each([
    ["with nowhere to listen", false],
    ["with a direct connection to listen on", true],
  ])("a fleet %s", (_name, isHearing) => {
    async function started(options: FleetOptions): Promise<Fleet> {
      const listenUrl = isHearing ? serverUrl : undefined
      const fleet = createFleet({ ...options, databaseUrl: bouncer.url, listenUrl })
      await fleet.start()
      onTestFinished(() => fleet.stop({ graceMs: 0 }))
      return fleet
    }

    test("emits and handles several hundred signals, each once, retries included", async () => {
      const slug = testSlug(String(isHearing))
      const runs = new Map<number, number>()
      const echoes = new Set<unknown>()
      const count = defineHandler({
        name: "count",
        on: "number.made",
        run: async ({ signal, emit }) => {
          const { n } = signal.data as { n: number }
          runs.set(n, (runs.get(n) ?? 0) + 1)
          await emit("number.seen", { n })
          if (n % 50 === 0 && runs.get(n) === 1) throw new Error("the first time is to fail")
        },
      })
      const note = defineHandler({
        name: "note",
        on: "number.seen",
        run: async ({ signal }) => void echoes.add((signal.data as { n: number }).n),
      })
      const fleet = await started({ handlers: [count, note] })
      await fleet.tenants.provision(slug)
      const numbers = Array.from({ length: 400 }, (_, n) => n)
      const tenant = fleet.tenant(slug)
      const emitted = await Promise.all(
        numbers.flatMap((n) => [1, 2].map(() => tenant.emit("number.made", { n }, { dedupeKey: `n:${n}` }))),
      )
      expect(emitted.filter(({ inserted }) => inserted)).toHaveLength(400)
      await fleet.drain()
      expect(numbers.map((n) => runs.get(n))).toEqual(numbers.map((n) => (n % 50 === 0 ? 2 : 1)))
      expect(echoes.size).toBe(400)
      expect((await tenant.counts()).signals).toBe(800)
    })

    test("joins a caller's transaction, and a rollback leaves nothing", async () => {
      const slug = testSlug(String(isHearing))
      const handled: unknown[] = []
      const note = defineHandler({
        name: "note",
        on: "lead.*",
        run: async ({ signal }) => void handled.push(signal.data),
      })
      const fleet = await started({ handlers: [note] })
      await fleet.tenants.provision(slug)
      const client = new Client({ connectionString: bouncer.url })
      await client.connect()
      onTestFinished(() => client.end())
      for (const end of ["rollback", "commit"]) {
        await client.query("begin")
        await fleet.tenant(slug).emit("lead.received", { end }, { tx: client })
        await client.query(end)
      }
      await fleet.drain()
      expect(handled).toEqual([{ end: "commit" }])
      expect((await fleet.tenant(slug).counts()).signals).toBe(1)
    })
  })
})
