import type { HandlerDefinition } from "fleetprompt"

/** Milliseconds; the wait doubles up to the longest. */
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 300_000
const ATTEMPTS = 8

/** What is known of a call that a system outside did not answer as it should. */
export interface OutsideFailure {
  /** Which system, for people: `GitHub`. */
  readonly system: string
  /** The HTTP status; null when no answer came. */
  readonly status: number | null
  /** When the system says that it may be asked again, milliseconds from now; null when it does not say. */
  readonly retryAfterMs: number | null
  /** Whether the same call may succeed later. */
  readonly isPassing: boolean
}

/** A system outside did not do what it was asked. Its message holds neither addresses, nor bodies, nor tokens. */
export class OutsideError extends Error implements OutsideFailure {
  override readonly name = "OutsideError"
  readonly system: string
  readonly status: number | null
  readonly retryAfterMs: number | null
  readonly isPassing: boolean

  constructor(message: string, { system, status, retryAfterMs, isPassing }: OutsideFailure, options?: ErrorOptions) {
    super(message, options)
    this.system = system
    this.status = status
    this.retryAfterMs = retryAfterMs
    this.isPassing = isPassing
  }
}

/** How a template that calls a system outside is tried again: when the system says, else after doubling waits. */
export const retryOutside: NonNullable<HandlerDefinition["retry"]> = {
  attempts: ATTEMPTS,
  backoff: (attempt, error) => retryAfterOf(error) ?? Math.min(FIRST_WAIT_MS * 2 ** (attempt - 1), LONGEST_WAIT_MS),
  when: (error) => !(error instanceof OutsideError) || error.isPassing,
}

function retryAfterOf(error: unknown): number | null {
  return error instanceof OutsideError ? error.retryAfterMs : null
}
