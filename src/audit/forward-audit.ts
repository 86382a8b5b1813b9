import { deleteForwarded, insertForwarded, selectAuditIntake } from "../store/audit-forward.ts"
import type { Database } from "../store/database.ts"

/** Most entries that are passed on in one go. */
const BATCH = 500

/**
 * Passes the waiting entries of one log on to the database that has the log. The other database commits first, and knows
 * an entry by its id: cut short between the two commits, it is passed on again and noted once.
 *
 * @returns how many.
 */
export async function forwardAudit(
  log: string,
  from: Pick<Database, "transaction">,
  to: Pick<Database, "transaction">,
): Promise<number> {
  let forwarded = 0
  while (true) {
    const entries = await from.transaction((tx) => selectAuditIntake(tx, log, BATCH), { role: "engine" })
    if (entries.length > 0) {
      await to.transaction((tx) => insertForwarded(tx, log, entries), { role: "engine" })
      const arrivals = entries.map(({ arrival }) => arrival)
      await from.transaction((tx) => deleteForwarded(tx, log, arrivals), { role: "engine" })
    }
    forwarded += entries.length
    if (entries.length < BATCH) return forwarded
  }
}
