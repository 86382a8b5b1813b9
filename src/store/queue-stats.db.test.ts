import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { serverDatabaseUrl, testDatabase, type TestDatabase } from "../../test/support/test-database.ts"
import type { Database } from "./database.ts"
import { migrateControl } from "./migrate.ts"
import { readFleetStats, selectOldestSnapshot, selectQueueStats } from "./queue-stats.ts"
import { openServerDatabase } from "./server-database.ts"

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await migrateControl(db.database)
})
afterAll(() => db.close())

/** A delivery of a handler, due in so many seconds and held for so many. */
async function addDelivery(handler: string, dueInS: number, heldForS: number | null = null): Promise<void> {
  await db.database.query(
    `insert into fleetprompt.deliveries (tenant, signal_id, handler, run_at, leased_until)
     values ('acme', $1::uuid, $2, now() + $3::float8 * interval '1 second', now() + $4::float8 * interval '1 second')`,
    [crypto.randomUUID(), handler, dueInS, heldForS],
  )
}

describe("the queue", () => {
  test("counts what is due, scheduled and running by handler, with the age of the oldest due", async () => {
    expect(await selectQueueStats(db.database)).toEqual([])
    await addDelivery("a", -100)
    await addDelivery("a", -10)
    await addDelivery("a", 100)
    await addDelivery("a", -1000, 50)
    // Its lease ended 5 seconds ago: due again since then.
    await addDelivery("a", -2000, -5)
    await addDelivery("b", 60)
    const [a, b, ...more] = await selectQueueStats(db.database)
    expect(a).toMatchObject({ handler: "a", due: 3, scheduled: 1, running: 1 })
    expect(a?.oldestDueAgeMs).toBeGreaterThanOrEqual(100_000)
    expect(a?.oldestDueAgeMs).toBeLessThan(900_000)
    expect(b).toEqual({ handler: "b", due: 0, scheduled: 1, running: 0, oldestDueAgeMs: null })
    expect(more).toEqual([])
    const stats = await readFleetStats(db.database)
    expect(stats.queue).toHaveLength(2)
    expect(stats.pool).toEqual({ total: expect.any(Number), idle: expect.any(Number), waiting: 0 })
  })
})

describe("the oldest snapshot", () => {
  let server: Database
  let url: string
  beforeAll(async () => {
    url = await serverDatabaseUrl()
    server = await openServerDatabase({ connectionString: url })
    await server.query("create table notes (note text)")
  })
  afterAll(() => server.close())

  test("is of no age on the embedded database, which has one connection", async () => {
    expect(await selectOldestSnapshot(db.database)).toMatchObject({ ageMs: 0 })
  })

  test.each([
    ["reads under one snapshot", "set transaction isolation level repeatable read", "select count(*) from notes"],
    ["has written and waits", "select 1", "insert into notes values ('mine')"],
  ])("is that of a transaction which %s", async (_, begin, statement) => {
    expect((await selectOldestSnapshot(server))?.ageMs).toBe(0)
    await server.transaction(async (tx) => {
      await tx.query(begin)
      await tx.query(statement)
      const first = await selectOldestSnapshot(server)
      expect(first?.ageMs).toBeGreaterThan(0)
      await server.query("insert into notes values ('later')")
      const second = await selectOldestSnapshot(server)
      expect(second?.ageMs).toBeGreaterThan(first?.ageMs ?? 0)
      expect(second?.transactions).toBeGreaterThan(first?.transactions ?? 0)
    })
    expect((await selectOldestSnapshot(server))?.ageMs).toBe(0)
  })

  test("cannot be told by a role that may not see what others do", async () => {
    const name = `reader_${crypto.randomUUID().slice(0, 8)}`
    await server.query(`create role ${name} login password '${name}'`)
    const reader = await openServerDatabase({ connectionString: asUser(url, name) })
    try {
      // The superuser's pool has a connection open, whose doings this role may not see.
      await server.query("select 1")
      expect(await selectOldestSnapshot(reader)).toBeNull()
      await server.query(`grant pg_read_all_stats to ${name}`)
      expect(await selectOldestSnapshot(reader)).toMatchObject({ ageMs: 0 })
    } finally {
      await reader.close()
      await server.query(`drop role ${name}`)
    }
  })
})

function asUser(url: string, user: string): string {
  const changed = new URL(url)
  changed.username = user
  changed.password = user
  return changed.href
}
