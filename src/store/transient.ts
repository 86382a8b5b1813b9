import { isFleetPromptError } from "../errors.ts"

const CODES = new Set([
  "database_busy",
  "database_connection_lost",
  "database_full",
  "database_unreachable",
  "tenant_moving",
])

/**
 * Classes and codes of SQLSTATE that say nothing of the statement: connections (08), resources (53), an
 * operator or a restart (57), serialisation and deadlock (40), a lock that was not to be had, a server that
 * takes no writes at the moment.
 */
const SQLSTATE = /^(08...|40...|53...|57P0.|57014|55P03|25006)$/

/** Whether an error of the database may go away by itself, so that the same statement is worth another try. */
export function isTransient(error: unknown): boolean {
  if (isFleetPromptError(error)) return CODES.has(error.code)
  return error instanceof Error && "code" in error && typeof error.code === "string" && SQLSTATE.test(error.code)
}
