import { parseSignal, type Signal } from "../signal.ts"

/**
 * A signal that nobody can change any more: the given one when it is frozen, as `createSignal` and
 * `parseSignal` return them, else a checked copy.
 *
 * @throws FleetPromptError as `parseSignal` does
 */
export function acceptSignal(value: unknown): Signal {
  return isFrozenSignal(value) ? value : parseSignal(value)
}

/** Looks at little, since each publish pays for it: what is frozen was checked when it was made. */
function isFrozenSignal(value: unknown): value is Signal {
  if (typeof value !== "object" || value === null || !Object.isFrozen(value)) return false
  // Each attribute is checked below, so nothing is taken on trust.
  const { specversion, id, source, type, time, data } = value as Partial<Signal>
  return (
    specversion === "1.0" &&
    typeof id === "string" &&
    typeof source === "string" &&
    typeof type === "string" &&
    typeof time === "string" &&
    Object.isFrozen(data)
  )
}
