import { FleetPromptError } from "../errors.ts"

/** SQLSTATE of a server that could not make a file larger. */
const DISK_FULL = "53100"

/**
 * An error of the database as whoever asked is told: that its disk is full is an error of ours, so that edges and
 * loggers know it; any other stays what it is.
 */
export function toldError(error: unknown): unknown {
  if (!(error instanceof Error && "code" in error && error.code === DISK_FULL)) return error
  return new FleetPromptError(
    "database_full",
    `the database has no room left on its disk for a statement (${error.message}); make room there, then try again`,
    { cause: error },
  )
}
