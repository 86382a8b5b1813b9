import { execFile } from "node:child_process"
import { promisify } from "node:util"
import type { Database } from "../../src/store/database.ts"
import type { Told } from "./scan.ts"

const MAX_BYTES = 512 * 1024 * 1024

/** All that a server keeps, as pg_dump writes it: once as COPY and once as INSERT, which escape differently. */
export async function dumpServer(databaseUrl: string): Promise<readonly Told[]> {
  const run = promisify(execFile)
  const dump = async (...options: readonly string[]): Promise<Told> => {
    const { stdout } = await run("pg_dump", [...options, databaseUrl], { maxBuffer: MAX_BYTES })
    return { where: `pg_dump ${options.join(" ")}`, text: stdout }
  }
  return [await dump(), await dump("--inserts")]
}

/** All that a database keeps, read table by table; bytes as hex, and as the text that they may be. */
export async function dumpTables(database: Database): Promise<readonly Told[]> {
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
