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
    const bytes = Buffer.byteLength(JSON.stringify(candidate.signal.data))
    if (bytes <= maxBytes) return candidate
    throw new FleetPromptError(
      "data_too_large",
      `expected at most ${maxBytes} bytes of JSON as data, got ${bytes}; store the content elsewhere and refer to it`,
      { path: "data" },
    )
  }
}
