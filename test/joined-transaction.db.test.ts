import { drizzle } from "drizzle-orm/node-postgres"
import { Kysely, PostgresDialect, sql } from "kysely"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createFleet, defineHandler, type Fleet, type JoinableTransaction } from "../src/fleetprompt.ts"
import { serverDatabaseUrl } from "./support/test-database.ts"

/**
 * Joining a caller's own transaction needs a second connection, so it runs on a real server, with each
 * library's own pool. Every way is the same story: the caller's row, the signal and its delivery are
 * there together or not at all.
 */
let fleet: Fleet
let pool: pg.Pool

beforeAll(async () => {
  const url = await serverDatabaseUrl()
  pool = new pg.Pool({ connectionString: url, max: 4 })
  pool.on("error", () => {})
  await pool.query("create table leads (id text primary key)")
  fleet = createFleet({
    databaseUrl: url,
    worker: false,
    handlers: [defineHandler({ name: "noop", on: "**", run: () => {} })],
  })
  await fleet.start()
})
afterAll(async () => {
  await fleet.stop()
  await pool.end()
})

type Work = (tx: JoinableTransaction, insert: (id: string) => Promise<unknown>) => Promise<void>

async function withPg(work: Work): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query("begin")
    await work(client, (id) => client.query("insert into leads values ($1)", [id]))
    await client.query("commit")
  } catch (error) {
    await client.query("rollback")
    throw error
  } finally {
    client.release()
  }
}

function withKysely(work: Work): Promise<void> {
  const kysely = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) })
  return kysely.transaction().execute((tx) => work(tx, (id) => sql`insert into leads values (${id})`.execute(tx)))
}

function withDrizzle(work: Work): Promise<void> {
  return drizzle(pool).transaction((tx) => work(tx, (id) => tx.execute(`insert into leads values ('${id}')`)))
}

function withFleet(work: Work): Promise<void> {
  return fleet.transaction((tx) => work(tx, (id) => tx.query("insert into leads values ($1)", [id])))
}

describe.each([
  ["pg", withPg],
  ["kysely", withKysely],
  ["drizzle", withDrizzle],
  ["fleet", withFleet],
])("a transaction of %s", (name, within) => {
  const tenantOf = async (suffix: string) => {
    const slug = `join_${name}_${suffix}`
    await fleet.tenants.provision(slug)
    return fleet.tenant(slug)
  }

  test("commits the caller's row, the signal and its delivery together", async () => {
    const tenant = await tenantOf("commit")
    let before = -1
    await within(async (tx, insert) => {
      await insert(tenant.slug)
      const { inserted, signal } = await tenant.emit(
        "lead.received",
        { text: "it's $1 and ünï" },
        { tx, dedupeKey: "k" },
      )
      expect(inserted).toBe(true)
      expect(signal.data).toEqual({ text: "it's $1 and ünï" })
      before = (await tenant.counts()).signals
    })
    expect(before).toBe(0)
    expect([(await tenant.counts()).signals, await tenant.openDeliveries()]).toEqual([1, 1])
    expect((await pool.query("select 1 from leads where id = $1", [tenant.slug])).rowCount).toBe(1)
  })

  test("rolls them back together", async () => {
    const tenant = await tenantOf("rollback")
    const work = within(async (tx, insert) => {
      await insert(tenant.slug)
      await tenant.emit("lead.received", {}, { tx })
      throw new Error("no")
    })
    await expect(work).rejects.toThrow("no")
    expect([(await tenant.counts()).signals, await tenant.openDeliveries()]).toEqual([0, 0])
    expect((await pool.query("select 1 from leads where id = $1", [tenant.slug])).rowCount).toBe(0)
  })

  test("is still usable after a duplicate", async () => {
    const tenant = await tenantOf("duplicate")
    const { signal } = await tenant.emit("lead.received", {}, { dedupeKey: "k" })
    await within(async (tx, insert) => {
      const again = await tenant.emit("lead.received", {}, { tx, dedupeKey: "k" })
      expect([again.inserted, again.signal.id]).toEqual([false, signal.id])
      await insert(tenant.slug)
    })
    expect((await pool.query("select 1 from leads where id = $1", [tenant.slug])).rowCount).toBe(1)
  })
})
