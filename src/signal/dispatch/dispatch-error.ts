import { type ErrorCode, type ErrorOptions, FleetPromptError, isFleetPromptError } from "../../errors.ts"

/** What a failed dispatch may tell besides its message. */
export interface DispatchErrorOptions extends ErrorOptions {
  /** The HTTP status that the endpoint answered with. */
  readonly status?: number | undefined
  /** When another try may be worth it, milliseconds since 1970. */
  readonly retryAtMs?: number | undefined
}

/**
 * Why a signal did not arrive. The code says whether to try again: `dispatch_failed` and
 * `circuit_open` may pass, not before `retryAtMs` when there is one; `dispatch_refused` and
 * `dispatch_gone` do not.
 *
 * @example
 * try {
 *   await dispatch(signal)
 * } catch (error) {
 *   if (isDispatchError(error) && error.code === "circuit_open") console.log(error.retryAtMs)
 * }
 */
export class DispatchError extends FleetPromptError {
  /** The HTTP status that the endpoint answered with, when it answered. */
  readonly status: number | undefined
  /** When another try may be worth it, milliseconds since 1970, when that is known. */
  readonly retryAtMs: number | undefined

  constructor(code: ErrorCode, message: string, options: DispatchErrorOptions = {}) {
    super(code, message, options)
    this.status = options.status
    this.retryAtMs = options.retryAtMs
  }
}

/** Whether a caught value is a `DispatchError`, whichever copy of the package threw it. */
export function isDispatchError(error: unknown): error is DispatchError {
  return isFleetPromptError(error) && "retryAtMs" in error && "status" in error
}
