import { checkDeliveries } from "./check-deliveries.ts"
import { checkEffects } from "./check-effects.ts"
import { checkFacts } from "./check-facts.ts"
import { checkQueue } from "./check-queue.ts"
import { checkReading, checkSchedule } from "./check-reading.ts"
import { checkReplays } from "./check-replays.ts"
import { checkRuns } from "./check-runs.ts"
import { checkStops, checkTakeover } from "./check-takeover.ts"
import { checkTold } from "./check-told.ts"
import type { Evidence } from "./evidence.ts"
import type { Ledger } from "./ledger.ts"
import type { CarriedOut } from "./simulated-server.ts"
import type { Violation } from "./violation.ts"

/** What is judged. */
export interface Case {
  readonly evidence: Evidence
  readonly ledger: Ledger
  readonly log: readonly CarriedOut[]
  /** The tenant whose signals were read in order. */
  readonly reads: string
  /** The version of the handlers that a worker has. */
  readonly versionOf: (worker: string) => number
  /** Since when nothing goes wrong any more, milliseconds since the beginning. */
  readonly steadyMs: number
}

/** Every promise that was broken, by what the database has and what was seen from outside. */
export function findViolations({ evidence, ledger, log, reads, versionOf, steadyMs }: Case): readonly Violation[] {
  return [
    ...checkFacts(evidence, ledger),
    ...checkEffects(evidence, ledger),
    ...checkDeliveries(evidence),
    ...checkQueue(evidence.changes, log, versionOf),
    ...checkReplays(evidence),
    ...checkTakeover(evidence.changes, steadyMs),
    ...checkStops(ledger),
    ...checkRuns(evidence, ledger),
    ...checkTold(evidence, ledger),
    ...checkReading(evidence, ledger, reads),
    ...checkSchedule(evidence),
  ]
}
