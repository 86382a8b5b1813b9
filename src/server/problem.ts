import { type ErrorCode, errorTable, FleetPromptError, isFleetPromptError } from "../errors.ts"

/** Where each code is described. */
const REFERENCE = "https://fleetprompt.com/errors#"

const TOO_MANY = 429
/** When whoever was too fast may come back, seconds: what is under way is stored by then, or was refused. */
const RETRY_AFTER_S = "1"

/**
 * An error as problem details (RFC 9457). What is no error of FleetPrompt's own becomes a plain 500, since
 * its message is not made for strangers.
 */
export function problemOf(error: unknown): Response {
  if (!isFleetPromptError(error))
    return problem(500, "internal_error", "something went wrong on the server; its log says what")
  return problem(errorTable[error.code].status, error.code, error.message, error.path)
}

function problem(status: number, code: ErrorCode | "internal_error", detail: string, path?: string): Response {
  const body = {
    type: `${REFERENCE}${code}`,
    title: code.replaceAll("_", " "),
    status,
    detail,
    code,
    ...(path !== undefined && { path }),
  }
  const headers = {
    "content-type": "application/problem+json",
    ...(status === TOO_MANY && { "retry-after": RETRY_AFTER_S }),
  }
  return new Response(JSON.stringify(body), { status, headers })
}

/** A `not_found` for an address. */
export function notFound(what: string): FleetPromptError {
  return new FleetPromptError(
    "not_found",
    `expected ${what}, there is none at this address that you may see; check the address`,
  )
}
