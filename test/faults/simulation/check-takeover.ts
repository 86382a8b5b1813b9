import { isClaim } from "./check-queue.ts"
import type { Change } from "./evidence.ts"
import type { Ledger } from "./ledger.ts"
import type { Violation } from "./violation.ts"

/** Handlers without limits: what they run waits for nothing but a free worker. */
const PLAIN = new Set(["plain", "parent", "audit", "batched"])
/** Two looks at the queue, and handlers that hang in every place until they time out, more than once. */
const LONGEST_MS = 2 * 1_000 + 4 * 2_500

/**
 * I8: what a lost worker held is taken over soon after its lease has ended.
 *
 * @param steadyMs since when all workers run and nothing goes wrong.
 */
export function checkTakeover(changes: readonly Change[], steadyMs: number): readonly Violation[] {
  return changes.flatMap((change) => {
    const { old, new: row, began } = change
    if (!isClaim(change) || !row || !PLAIN.has(row.handler) || old?.leasedUntil == null) return []
    const lateMs = began / 1000 - Math.max(old.leasedUntil / 1000, old.runAt / 1000, steadyMs)
    if (lateMs <= LONGEST_MS) return []
    const what = `${row.handler} on ${row.signal_id} was taken over ${Math.round(lateMs)} ms after its lease had ended`
    return [{ invariant: "I8", what, ids: [row.signal_id] }]
  })
}

/** P7: who was told to stop claims nothing any more, holds nothing and ends. */
export function checkStops({ badStops }: Ledger): readonly Violation[] {
  return badStops.map((what) => ({ invariant: "P7", what, ids: [] }))
}
