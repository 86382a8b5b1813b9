/** One row of the table: the HTTP status an edge answers with, and what the code means. */
interface ErrorRow {
  readonly status: number
  readonly meaning: string
}

/**
 * Every error FleetPrompt throws, by code. `docs/reference/errors.md` is generated from this table,
 * and a test keeps them equal. A code never changes its meaning.
 */
export const errorTable = {
  body_malformed: { status: 400, meaning: "The request body is not what the route reads, for example not JSON." },
  body_too_large: { status: 413, meaning: "The request body is larger than the route accepts." },
  config_invalid: { status: 500, meaning: "A setting has a value FleetPrompt cannot work with." },
  data_directory_in_use: { status: 503, meaning: "Another process has the embedded database's data directory open." },
  data_not_json: { status: 422, meaning: "The value cannot be kept in JSON and Postgres without being changed." },
  data_too_deep: { status: 422, meaning: "The value is nested deeper than the limit." },
  data_too_large: { status: 413, meaning: "The value's JSON text is larger than the limit." },
  database_busy: { status: 503, meaning: "No connection to the database became free in time." },
  database_connection_lost: {
    status: 503,
    meaning: "The connection broke while a statement was under way, which may or may not have taken effect.",
  },
  database_unreachable: { status: 503, meaning: "No connection to Postgres could be made." },
  dispatch_failed: { status: 502, meaning: "A signal could not be handed on to its target." },
  dispatch_invalid: { status: 422, meaning: "A dispatch names an unknown adapter, or its options are wrong." },
  embedded_database_missing: {
    status: 500,
    meaning: "There is no DATABASE_URL and the embedded database is not installed.",
  },
  fleet_stopped: { status: 503, meaning: "The fleet is not running: it was not started, or it was stopped." },
  handler_invalid: { status: 500, meaning: "A handler's definition is wrong: its name, pattern or an option." },
  handler_timeout: { status: 500, meaning: "A handler did not finish within its timeout." },
  not_found: { status: 404, meaning: "There is nothing at this address, or nothing this principal may see." },
  pattern_invalid: { status: 422, meaning: "A pattern of signal types does not parse." },
  request_invalid: { status: 400, meaning: "A parameter or header of the request is missing or wrong." },
  secret_refused: { status: 422, meaning: "The signal holds what looks like a secret." },
  signal_invalid: { status: 422, meaning: "An attribute of the signal is missing or wrong." },
  tenant_invalid: { status: 422, meaning: "The tenant's slug is missing or does not follow the rules." },
  tenant_unknown: { status: 404, meaning: "There is no tenant with this slug." },
  transaction_closed: { status: 500, meaning: "A statement came after its transaction had ended." },
  transaction_unsupported: { status: 500, meaning: "The value passed as `tx` is not a transaction FleetPrompt knows." },
  unauthenticated: { status: 401, meaning: "The request does not say who is calling." },
  webhook_signature_invalid: {
    status: 401,
    meaning: "The webhook's signature does not belong to its body and the shared secret.",
  },
  worker_lost: {
    status: 500,
    meaning: "The process that ran the handler went away, as often as the delivery may be tried.",
  },
} as const satisfies Record<string, ErrorRow>

/** A code of `errorTable`. */
export type ErrorCode = keyof typeof errorTable

/** What an error may carry besides its message. */
export interface ErrorOptions {
  /** Where in the input the fault is, for example `data.items[3].price`. */
  readonly path?: string
  /** The error beneath. */
  readonly cause?: unknown
}

/**
 * The only error FleetPrompt throws on purpose. Compare `code`, not the class: two copies of the
 * package in one program have two classes. The message says what was expected, what came and what
 * to do; it never holds a secret.
 *
 * @example
 * try {
 *   await tenant.emit("lead.received", { budget: Number.NaN })
 * } catch (error) {
 *   if (isFleetPromptError(error) && error.code === "data_not_json") console.log(error.path) // data.budget
 * }
 */
export class FleetPromptError extends Error {
  override readonly name = "FleetPromptError"
  readonly code: ErrorCode
  readonly path: string | undefined

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.path = options.path
  }
}

/** Whether a caught value is an error of FleetPrompt, whichever copy of the package threw it. */
export function isFleetPromptError(error: unknown): error is FleetPromptError {
  return error instanceof Error && error.name === "FleetPromptError" && "code" in error
}
