import type { StoredSignal } from "../signal/stored-signal.ts"
import { FleetPromptError } from "../errors.ts"
import type { Queryable } from "../store/database.ts"
import { selectExpiredTwin } from "../store/expired-keys.ts"
import { selectTwin } from "../store/signals.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { contentHash, sameContent } from "./content-hash.ts"

/** A twin of which only the key and a hash are left, by the signal that stands for it. */
const hashes = new WeakMap<StoredSignal, Buffer>()

/**
 * The signal that a tenant has under the id or a key of another one. When retention removed it and only its
 * key is still known, the answer is the new one with the old one's id and time.
 */
export async function findTwin(
  tx: Queryable,
  scope: TenantScope,
  signal: StoredSignal,
): Promise<StoredSignal | undefined> {
  const twin = await selectTwin(tx, scope, signal)
  if (twin) return twin
  const gone = await selectExpiredTwin(tx, scope, signal)
  if (!gone) return undefined
  const stand: StoredSignal = Object.freeze({ ...signal, id: gone.signalId, time: gone.occurredAt })
  hashes.set(stand, gone.contentHash)
  return stand
}

/**
 * Refuses a key under which the tenant has another fact.
 *
 * @throws FleetPromptError `idempotency_conflict`
 */
export function checkTwin(twin: StoredSignal, signal: StoredSignal): void {
  const hash = hashes.get(twin)
  if (hash ? contentHash(signal).equals(hash) : sameContent(twin, signal)) return
  const isDedupeKey = signal.dedupeKey !== null && (hash !== undefined || twin.dedupeKey === signal.dedupeKey)
  const key = isDedupeKey
    ? `dedupeKey "${signal.dedupeKey}"`
    : `sourceEventId "${signal.sourceEventId}" of source "${signal.source}"`
  throw new FleetPromptError(
    "idempotency_conflict",
    `expected the same fact under ${key}, got other content than signal ${twin.id} has; use another key for another fact, or onConflict: "existing" to keep the first`,
    { path: isDedupeKey ? "dedupeKey" : "sourceEventId" },
  )
}
