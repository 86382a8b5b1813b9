import { redactText } from "../../guard/redact.ts"
import type { MigrationError, MigrationErrorKind } from "../../store/migration-runs.ts"
import { isTransient } from "../../store/transient.ts"
import { MigrationFailed } from "./migrate-unit.ts"

const MAX_MESSAGE = 2_000
/** What Postgres calls a lock that was not to be had, and a deadlock. */
const LOCK_CODES: ReadonlySet<string> = new Set(["55P03", "40P01"])

/**
 * What is kept of an error. Postgres names values of rows in its detail, which is left out, since the ledger is the
 * platform's and the rows are a tenant's.
 */
export function migrationError(error: unknown): MigrationError {
  const cause = error instanceof MigrationFailed ? error.cause : error
  const message = error instanceof Error ? error.message : String(error)
  const code = codeOf(cause)
  return {
    kind: kindOf(cause, code),
    message: redactText(message.slice(0, MAX_MESSAGE)),
    details: {
      ...(error instanceof MigrationFailed && { migration: error.migration }),
      ...(code !== undefined && { code }),
    },
  }
}

/** Whether it goes away by itself: a lock, a restart of the server, a lost connection. */
export function passesByItself(error: unknown): boolean {
  return isTransient(error instanceof MigrationFailed ? error.cause : error)
}

function kindOf(cause: unknown, code: string | undefined): MigrationErrorKind {
  if (code !== undefined && LOCK_CODES.has(code)) return "lock"
  if (isTransient(cause)) return "database"
  return code === undefined ? "other" : "statement"
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined
}
