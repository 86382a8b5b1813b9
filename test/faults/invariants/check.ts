import type { InvariantId } from "../scenario.ts"
import { copyProduct } from "./copy.ts"
import { type Evidence, type Invariant, MAX_FOUND } from "./evidence.ts"
import { acknowledgedIsStored, oneKeyOneFact } from "./i1-i2-facts.ts"
import { effectsOnce, oneDeliveryEach } from "./i3-i4-deliveries.ts"
import { attemptsCounted, fencedCompletions, terminalStaysTerminal } from "./i5-i7-attempts.ts"
import { noStaleLease } from "./i8-leases.ts"
import { nothingMissed } from "./i9-cursors.ts"
import { nothingLeaks } from "./i10-isolation.ts"

const INVARIANTS: Readonly<Record<InvariantId, Invariant>> = {
  I1: acknowledgedIsStored,
  I2: oneKeyOneFact,
  I3: oneDeliveryEach,
  I4: effectsOnce,
  I5: fencedCompletions,
  I6: terminalStaysTerminal,
  I7: attemptsCounted,
  I8: noStaleLease,
  I9: nothingMissed,
  I10: nothingLeaks,
}

/** Violations of one invariant that are told at most. */
const MAX_TOLD = 10

/** Violations of some invariants, in their order, each with its id. */
export type Found = ReadonlyMap<InvariantId, readonly string[]>

/** Copies what is needed of the product beside the ledger, once for all, and looks for violations. */
export async function findViolations(ids: readonly InvariantId[], evidence: Evidence): Promise<Found> {
  await copyProduct(evidence, [...new Set(ids.flatMap((id) => INVARIANTS[id].needs))])
  const found = new Map<InvariantId, readonly string[]>()
  for (const id of ids) found.set(id, await INVARIANTS[id].find(evidence))
  return found
}

/** Checks some invariants. @throws Error that lists all violations, each with the invariant's id */
export async function checkInvariants(ids: readonly InvariantId[], evidence: Evidence): Promise<void> {
  const found = await findViolations(ids, evidence)
  const told = [...found].flatMap(([id, violations]) => tell(id, violations))
  if (told.length > 0) throw new Error(`${told.length} violations:\n${told.join("\n")}`)
}

function tell(id: InvariantId, violations: readonly string[]): readonly string[] {
  const more = violations.length - MAX_TOLD
  return [
    ...violations.slice(0, MAX_TOLD).map((violation) => `${id}: ${violation}`),
    ...(more > 0 ? [`${id}: and ${violations.length >= MAX_FOUND ? "at least " : ""}${more} more`] : []),
  ]
}
