import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { gunzipSync } from "node:zlib"
import type { Fleet } from "../../src/fleet.ts"
import type { Database } from "../../src/store/database.ts"
import { openEmbeddedDatabase } from "../../src/store/embedded-database.ts"
import { openServerDatabase } from "../../src/store/server-database.ts"
import { serverDatabaseUrl } from "../support/test-database.ts"
import type { Told } from "./scan.ts"

const MAX_BYTES = 512 * 1024 * 1024

/** All that a server keeps, as pg_dump writes it: once as COPY and once as INSERT, which escape differently. */
async function dumpServer(databaseUrl: string): Promise<readonly Told[]> {
  const run = promisify(execFile)
  const dump = async (...options: readonly string[]): Promise<Told> => {
    const { stdout } = await run("pg_dump", [...options, databaseUrl], { maxBuffer: MAX_BYTES })
    return { where: `pg_dump ${options.join(" ")}`, text: stdout }
  }
  return [await dump(), await dump("--inserts")]
}

/** All that a database keeps, read table by table; bytes as hex, and as the text that they may be. */
async function dumpTables(database: Database): Promise<readonly Told[]> {
  const tables = await database.owner.query<{ readonly name: string }>(
    `select format('%I.%I', nspname, relname) as name from pg_class join pg_namespace on pg_namespace.oid = relnamespace
     where relkind in ('r', 'p', 'm') and nspname not in ('pg_catalog', 'information_schema') and nspname not like 'pg_toast%'
     order by 1`,
  )
  return database.owner.transaction(async (tx) => {
    const told: Told[] = []
    for (const { name } of tables) {
      const rows = await tx.query<{ readonly row: string }>(`select line::text as row from ${name} as line`)
      const text = rows.map(({ row }) => row).join("\n")
      const bytes = [...text.matchAll(/\\x([0-9a-f]+)/g)].map(([, hex = ""]) =>
        Buffer.from(hex, "hex").toString("latin1"),
      )
      told.push({ where: `${name}, ${rows.length} rows`, text: [text, ...bytes].join("\n") })
    }
    return told
  })
}

/** A database of which all that it keeps can be read, however it is kept. */
interface DumpedDatabase {
  readonly database: Database
  readonly dump: () => Promise<readonly Told[]>
}

/** Opens an empty one: embedded, or with TEST_DATABASE=server on a real server. */
export async function openToDump(): Promise<DumpedDatabase> {
  if (process.env["TEST_DATABASE"] !== "server") {
    const database = await openEmbeddedDatabase()
    return { database, dump: () => dumpTables(database) }
  }
  const url = await serverDatabaseUrl()
  const database = await openServerDatabase({ connectionString: url })
  return { database, dump: async () => [...(await dumpServer(url)), ...(await dumpTables(database))] }
}

/** The fleet closes its database, and the test still reads it. */
export function keptOpen(database: Database): Database {
  return new Proxy(database, {
    get: (target, name) => {
      if (name === "close") return async () => {}
      const value: unknown = Reflect.get(target, name, target)
      // The database's own methods, which need it as `this`.
      return typeof value === "function" ? (value.bind(target) as unknown) : value
    },
  })
}

/** A tenant's archive, as its file holds it when it is unpacked. */
export async function archiveOf(fleet: Fleet, slug: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "archive-"))
  try {
    const file = join(folder, `${slug}.jsonl.gz`)
    const { id } = await fleet.tenants.export(slug, { file })
    const { status, error } = await fleet.operations.wait(id)
    if (status !== "completed") throw new Error(`the archive of ${slug} is ${status}: ${JSON.stringify(error)}`)
    return gunzipSync(await readFile(file)).toString("utf8")
  } finally {
    await rm(folder, { recursive: true })
  }
}
