import { FleetPromptError } from "../errors.ts"
import type { Guard } from "./candidate.ts"

/**
 * Refuses a signal whose data is longer than `maxBytes` as UTF-8 JSON text. It stands last, so that
 * it measures what would be stored.
 *
 * @throws FleetPromptError `data_too_large`
 */
export function sizeGuard(maxBytes: number): Guard {
  return (candidate) => {
    if (mostBytes(candidate.signal.data, maxBytes) <= maxBytes) return candidate
    const bytes = Buffer.byteLength(JSON.stringify(candidate.signal.data))
    if (bytes <= maxBytes) return candidate
    throw new FleetPromptError(
      "data_too_large",
      `expected at most ${maxBytes} bytes of JSON as data, got ${bytes}; store the content elsewhere and refer to it`,
      { path: "data" },
    )
  }
}

/** Longest JSON of a number, true, false or null. */
const SCALAR_BYTES = 24
/** An escaped character, such as \u0001. */
const CHARACTER_BYTES = 6

/** What the JSON of a value takes at most, without writing it; counts no further than `enough`. */
function mostBytes(value: unknown, enough: number): number {
  if (typeof value === "string") return value.length * CHARACTER_BYTES + 2
  if (typeof value !== "object" || value === null) return SCALAR_BYTES
  let bytes = 2
  for (const [key, item] of Object.entries(value)) {
    bytes += key.length * CHARACTER_BYTES + 4 + mostBytes(item, enough - bytes)
    if (bytes > enough) return bytes
  }
  return bytes
}
