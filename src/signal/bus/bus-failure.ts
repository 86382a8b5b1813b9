import { isFleetPromptError } from "../../errors.ts"

/*
 * Reading what was thrown. It may be anything: null, or an object whose getters throw.
 */

/** Longest text kept of an error, in UTF-16 units. */
const MAX_TEXT = 1_000

/** Whether the error says that another try would fail too. */
export function isFinalFailure(error: unknown): boolean {
  return readSafely(error, isFinal) ?? false
}

/** When the error says another try may be worth it, milliseconds since 1970. */
export function retryAtOf(error: unknown): number | undefined {
  return readSafely(error, retryAt)
}

/** What an error says, in short. */
export function describeFailure(error: unknown): string {
  return readSafely(error, textOf)?.slice(0, MAX_TEXT) ?? "an error that cannot be read"
}

function isFinal(error: unknown): boolean {
  return isFleetPromptError(error) && (error.code === "dispatch_refused" || error.code === "dispatch_gone")
}

function retryAt(error: unknown): number | undefined {
  const hasTime = isFleetPromptError(error) && "retryAtMs" in error && typeof error.retryAtMs === "number"
  // Checked in the line above.
  return hasTime ? (error.retryAtMs as number) : undefined
}

function textOf(error: unknown): string {
  const text: unknown = error instanceof Error ? error.message : error
  return String(text)
}

function readSafely<Value>(error: unknown, read: (error: unknown) => Value): Value | undefined {
  try {
    return read(error)
  } catch {
    return undefined
  }
}
