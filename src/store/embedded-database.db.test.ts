import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import { databaseContract } from "../../test/database-contract.ts"
import { type NodeProcess, startNode } from "../../test/support/node-process.ts"
import type { Database } from "./database.ts"
import { type EmbeddedDatabaseSettings, openEmbeddedDatabase } from "./embedded-database.ts"

databaseContract("the embedded database in memory", async () => {
  const database = await openEmbeddedDatabase()
  return { database, dispose: () => database.close() }
})

databaseContract("the embedded database in a directory", async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), "fleetprompt-embedded-"))
  const database = await openEmbeddedDatabase({ dataDirectory })
  return {
    database,
    dispose: async () => {
      await database.close()
      await rm(dataDirectory, { recursive: true })
    },
  }
})

async function emptyDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "fleetprompt-embedded-"))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function opened(settings: EmbeddedDatabaseSettings): Promise<Database> {
  const database = await openEmbeddedDatabase(settings)
  onTestFinished(() => database.close())
  return database
}

async function numbersIn(database: Database): Promise<readonly number[]> {
  const rows = await database.query<{ number: number }>("select number from numbers order by number")
  return rows.map(({ number }) => number)
}

describe("a data directory", () => {
  test("is created where it is missing, for its owner alone, and each step is told", async () => {
    const directory = join(await emptyDirectory(), "not", "there")
    const steps: string[] = []
    const database = await opened({ dataDirectory: directory, onProgress: (step) => void steps.push(step) })
    expect(await database.query("select 1 as one")).toEqual([{ one: 1 }])
    expect(steps).toEqual([
      `creating the embedded database in ${directory}`,
      `opening the embedded database in ${directory}`,
    ])
    const modes = await Promise.all(
      [directory, join(directory, "postgres")].map(async (path) => (await stat(path)).mode & 0o777),
    )
    expect(modes).toEqual([0o700, 0o700])
  })

  test("keeps its rows when it is closed and opened again", async () => {
    const dataDirectory = await emptyDirectory()
    const first = await openEmbeddedDatabase({ dataDirectory })
    await first.script("create table numbers (number integer); insert into numbers values (1), (2)")
    await first.close()
    const second = await opened({ dataDirectory })
    expect(await numbersIn(second)).toEqual([1, 2])
  })

  test("is refused to who opens it a second time, and free when it is closed", async () => {
    const dataDirectory = await emptyDirectory()
    const first = await openEmbeddedDatabase({ dataDirectory })
    await expect(openEmbeddedDatabase({ dataDirectory })).rejects.toMatchObject({ code: "data_directory_in_use" })
    await first.close()
    await (await openEmbeddedDatabase({ dataDirectory })).close()
    expect(await readdir(dataDirectory)).toEqual(["postgres"])
  })

  test("that cannot be opened is named, and not left locked", async () => {
    const dataDirectory = await emptyDirectory()
    await mkdir(join(dataDirectory, "postgres"))
    await writeFile(join(dataDirectory, "postgres", "PG_VERSION"), "9.6\n")
    await expect(openEmbeddedDatabase({ dataDirectory })).rejects.toMatchObject({
      code: "database_unreachable",
      message: expect.stringContaining(`could not open the embedded database in ${dataDirectory}`),
    })
    expect(await readdir(dataDirectory)).toEqual(["postgres"])
  })
})

describe("a process that is killed", () => {
  /** Commits one number after the other and prints each when it is committed. */
  const WRITER = `
    const { openEmbeddedDatabase } = await import(dist + "store/embedded-database.js")
    const database = await openEmbeddedDatabase({ dataDirectory: args[0], onProgress: console.log })
    await database.script("create table if not exists numbers (number integer primary key)")
    const [{ next }] = await database.query("select coalesce(max(number), 0) + 1 as next from numbers")
    console.log("writing")
    for (let number = next; ; number += 1) {
      await database.transaction((tx) => tx.query("insert into numbers values ($1)", [number]))
      console.log(number)
    }
  `

  async function committedBefore(writer: NodeProcess, count: number): Promise<readonly number[]> {
    while ((await writer.nextLine()) !== "writing") continue
    const numbers: number[] = []
    while (numbers.length < count) numbers.push(Number(await writer.nextLine()))
    await writer.kill("SIGKILL")
    return numbers
  }

  test("while it writes loses nothing that was committed", async () => {
    const dataDirectory = await emptyDirectory()
    const committed: number[] = []
    for (const count of [1, 20, 300]) {
      committed.push(...(await committedBefore(startNode(WRITER, dataDirectory), count)))
    }
    const database = await opened({ dataDirectory })
    const found = await numbersIn(database)
    expect(found).toEqual(expect.arrayContaining(committed))
    // What was committed and not yet told of when the process died may be there too, without a gap.
    expect(found).toEqual(found.map((_, index) => index + 1))
  })

  test("while it creates the database leaves nothing that is taken for one", async () => {
    const dataDirectory = await emptyDirectory()
    const creator = startNode(WRITER, dataDirectory)
    expect(await creator.nextLine()).toContain("creating")
    await creator.kill("SIGKILL")
    await mkdir(join(dataDirectory, "unfinished-long-ago"), { recursive: true })
    const database = await openEmbeddedDatabase({ dataDirectory })
    expect(await database.query("select 1 as one")).toEqual([{ one: 1 }])
    await database.close()
    expect(await readdir(dataDirectory)).toEqual(["postgres"])
  })

  test("while another waits for the directory leaves it to the other", async () => {
    const dataDirectory = await emptyDirectory()
    const writer = startNode(WRITER, dataDirectory)
    while ((await writer.nextLine()) !== "writing") continue
    await expect(openEmbeddedDatabase({ dataDirectory })).rejects.toMatchObject({
      code: "data_directory_in_use",
      message: expect.stringContaining(`in process ${writer.pid}`),
    })
    await writer.kill("SIGKILL")
    const database = await opened({ dataDirectory })
    expect(await database.query("select 1 as one")).toEqual([{ one: 1 }])
  })
})

describe("one connection", () => {
  test("a statement on the database inside a transaction is refused in the end, and all goes on", async () => {
    const database = await opened({ turnTimeoutMs: 50 })
    const nested = database.transaction(() => database.query("select 1"))
    await expect(nested).rejects.toMatchObject({
      code: "database_busy",
      message: expect.stringContaining("use the tx it is given"),
    })
    expect(await database.query("select 1 as one")).toEqual([{ one: 1 }])
  })

  test("forgets what a transaction of the program's own left in it, and goes on to hear", async () => {
    const database = await opened({})
    const heard: string[] = []
    await database.listen("news", { onMessage: (message) => void heard.push(message), onGap: () => {} })
    const left = `set search_path = nowhere; unlisten news; listen other; select pg_advisory_lock(7);
      create temporary table kept (id integer)`
    for (const isThrown of [false, true]) {
      const own = database.transaction(
        async (tx) => {
          await tx.script(left)
          if (isThrown) throw new Error("thrown")
        },
        { role: "login" },
      )
      await own.catch(() => undefined)
      const [session] = await database.query<object>(
        `select current_setting('search_path') = 'nowhere' as path, array(select pg_listening_channels())::text[] as listening,
           (select count(*)::integer from pg_locks where locktype = 'advisory') as locks,
           to_regclass('pg_temp.kept') is null as "isGone", 'é' as text`,
      )
      expect(session).toEqual({ path: false, listening: ["news"], locks: 0, isGone: true, text: "é" })
    }
    await database.query("select pg_notify('news', 'hello')")
    await vi.waitFor(() => expect(heard).toEqual(["hello"]))
  })

  test("is vacuumed now and then, when it was used", async () => {
    const database = await opened({ maintainEveryMs: 20 })
    await database.script("create table numbers (number integer)")
    await database.query("insert into numbers select * from generate_series(1, 10000)")
    const vacuums = async (): Promise<number> => {
      const rows = await database.query<{ count: number }>(
        "select vacuum_count as count from pg_stat_user_tables where relname = 'numbers'",
      )
      return rows[0]?.count ?? 0
    }
    while ((await vacuums()) === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(await vacuums()).toBeGreaterThan(0)
  })
})

test("without PGlite, the error names what to install", async () => {
  const hidden = `data:text/javascript,${encodeURIComponent(
    `export async function resolve(name, context, next) {
       if (name.startsWith("@electric-sql")) throw Object.assign(new Error("hidden"), { code: "ERR_MODULE_NOT_FOUND" })
       return next(name, context)
     }`,
  )}`
  const script = `
    const { register } = await import("node:module")
    register(args[0])
    const { openEmbeddedDatabase } = await import(dist + "store/embedded-database.js")
    await openEmbeddedDatabase().catch((error) => console.log(error.code + ": " + error.message))
  `
  expect(await startNode(script, hidden).nextLine()).toBe(
    "embedded_database_missing: expected a database URL or the package @electric-sql/pglite, found neither; set DATABASE_URL or run: npm install @electric-sql/pglite",
  )
})
