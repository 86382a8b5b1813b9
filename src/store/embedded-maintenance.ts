import type { Database } from "./database.ts"
import { quoteName } from "./tenant-scope.ts"

/** So much is replayed when a killed process starts again: about half a second. */
const CHECKPOINT_AFTER_BYTES = 64 * 1024 * 1024

/** A table is due when so many rows, and a tenth of it, are dead or were changed. */
const MIN_CHANGES = 500

interface Table {
  readonly schema: string
  readonly name: string
}

/**
 * Does what a server's background processes do and the embedded database has none for: removes dead
 * rows and renews statistics of tables that changed much, and writes a checkpoint, without which the
 * write-ahead log grows for ever. Table by table, so that other statements get their turn in between.
 */
export async function maintain(database: Pick<Database, "query" | "script">): Promise<void> {
  // Counts reach the statistics views with the statement after this one.
  await database.query("select pg_stat_force_next_flush()")
  for (const { schema, name } of await dueTables(database)) {
    await database.script(`vacuum (analyze) ${quoteName(schema)}.${quoteName(name)}`)
  }
  const [row] = await database.query<{ bytes: number }>(
    "select pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn)::float8 as bytes from pg_control_checkpoint()",
  )
  if (row && row.bytes > CHECKPOINT_AFTER_BYTES) await database.script("checkpoint")
}

function dueTables(database: Pick<Database, "query">): Promise<readonly Table[]> {
  return database.query<Table>(
    `select stat.schemaname as schema, stat.relname as name
       from pg_stat_user_tables as stat join pg_class as class on class.oid = stat.relid
      where greatest(stat.n_dead_tup, stat.n_mod_since_analyze) > $1 + 0.1 * greatest(class.reltuples, 0)`,
    [MIN_CHANGES],
  )
}
