import type { Queryable } from "./database.ts"

/** Whether the server takes writes: one that follows another does not, nor one that was set to read-only. */
export async function selectTakesWrites(tx: Queryable): Promise<boolean> {
  const [row] = await tx.query<{ takes: boolean }>(
    "/* selectTakesWrites */ select current_setting('transaction_read_only') = 'off' as takes",
  )
  return row?.takes === true
}
