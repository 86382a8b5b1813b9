import { FleetPromptError } from "../errors.ts"
import type { JsonValue } from "../signal/json.ts"
import type { Candidate, Guard } from "./candidate.ts"
import { listRedactions } from "./redactions.ts"
import type { RevealedSecrets } from "./revealed.ts"

/** The rule's name in `metadata.redactions`. */
const RULE = "credential"
/** Attributes that no marker can stand in. */
const UNMARKABLE = new Set(["specversion", "id", "type", "time"])

/**
 * Masks what was revealed to a handler's attempt in what that attempt emits, and lists the places in
 * `metadata.redactions`.
 *
 * @throws FleetPromptError `secret_refused` when the type holds it, or when more was revealed than is remembered
 */
export function revealedGuard(revealed: RevealedSecrets): Guard {
  return (candidate) => {
    if (revealed.isEmpty) return candidate
    if (revealed.isFull) throw refused("data")
    const places: string[] = []
    const masked = maskCandidate(candidate, (value, path) =>
      revealed.maskJson(value, path, (at) => void places.push(at)),
    )
    if (places.length === 0) return candidate
    const redactions = [...(candidate.metadata.redactions ?? []), ...places.map((path) => ({ path, rule: RULE }))]
    return { ...masked, metadata: { ...masked.metadata, redactions: listRedactions(redactions) } }
  }
}

type MaskValue = (value: JsonValue, path: string) => JsonValue

function maskCandidate(candidate: Candidate, mask: MaskValue): Candidate {
  const { signal, dedupeKey, sourceEventId } = candidate
  const masked = Object.entries(signal).map(([name, value]) => {
    // What passed normalise is JSON.
    const clean = mask(value as JsonValue, name)
    if (clean !== value && UNMARKABLE.has(name)) throw refused(name)
    return [name, clean]
  })
  return {
    ...candidate,
    // A text stays a text, so the attributes keep their types.
    signal: Object.freeze(Object.fromEntries(masked)) as Candidate["signal"],
    dedupeKey: maskKey("dedupeKey", dedupeKey, mask),
    sourceEventId: maskKey("sourceEventId", sourceEventId, mask),
  }
}

function maskKey(name: string, value: string | null, mask: MaskValue): string | null {
  // A text stays a text.
  return value === null ? null : (mask(value, name) as string)
}

function refused(path: string): FleetPromptError {
  return new FleetPromptError(
    "secret_refused",
    `refused to store what was revealed of a credential, found or not to be ruled out at ${path}; reveal single fields, and emit the credential's id instead`,
    { path },
  )
}
