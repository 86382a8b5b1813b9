import type { Queryable } from "./database.ts"

/** Statements that come after one that waits for a lock wait behind it, so it must not wait for long, milliseconds. */
const LOCK_WAIT_MS = 500

/** Sees to it that no statement of the transaction waits for a lock for longer than half a second; it fails with `55P03`. */
export async function limitLockWaits(tx: Queryable): Promise<void> {
  await tx.query(`/* limitLockWaits */ select set_config('lock_timeout', '${LOCK_WAIT_MS}', true)`)
}
