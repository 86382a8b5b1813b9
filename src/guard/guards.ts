import type { Candidate, Guard } from "./candidate.ts"
import { redactGuard } from "./redact.ts"
import { sizeGuard } from "./size.ts"
import { tenantGuard } from "./tenant.ts"

/** The checks between a normalised candidate and the store, in order. */
export function standardGuards(limits: { readonly maxDataBytes: number }): readonly Guard[] {
  return [tenantGuard, redactGuard, sizeGuard(limits.maxDataBytes)]
}

/** Sends a candidate through each guard; the first that throws ends it. */
export function runGuards(candidate: Candidate, guards: readonly Guard[]): Candidate {
  return guards.reduce((current, guard) => guard(current), candidate)
}
