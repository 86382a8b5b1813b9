import type { Transaction } from "./database.ts"
import type { TenantDatabase } from "./within-tenant.ts"

/** What can run a statement under settings of its own. */
export type IndexWalker = TenantDatabase

/**
 * Runs a statement that is to walk along indexes and take little. Left to the statistics, which may be old, it may
 * read and sort a whole table for each batch of a few rows. The settings end with the transaction.
 */
export function walkIndexes<Row extends object>(
  db: IndexWalker,
  text: string,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  return db.transaction((tx) => walkIndexesWithin<Row>(tx, text, values))
}

/** The same in the caller's transaction, for the rest of which the settings hold. */
export async function walkIndexesWithin<Row extends object>(
  tx: Transaction,
  text: string,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  await tx.query(SETTINGS)
  return tx.query<Row>(text, values)
}

const OFF = ["enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_hashjoin", "enable_mergejoin", "jit"]
const SETTINGS = `/* walkIndexes */ select ${OFF.map((name) => `set_config('${name}', 'off', true)`).join(", ")}`
