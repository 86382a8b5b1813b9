import type { Replacement } from "../signal/json.ts"

/** Most entries of `metadata.redactions`. */
export const MAX_REDACTIONS = 100

/**
 * The places of replaced values as metadata keeps them: at most `MAX_REDACTIONS`, of which the last then
 * says how many more there were.
 *
 * @param total how many there were, when not all are given.
 */
export function listRedactions(places: readonly Replacement[], total: number = places.length): readonly Replacement[] {
  if (total <= MAX_REDACTIONS) return places
  const more = total - MAX_REDACTIONS + 1
  return [...places.slice(0, MAX_REDACTIONS - 1), { path: `and ${more} more`, rule: "not-listed" }]
}
