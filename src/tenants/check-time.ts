import { FleetPromptError } from "../errors.ts"
import { isTime } from "../signal/time.ts"

/**
 * Checks a condition on a time.
 *
 * @throws FleetPromptError `query_invalid`
 */
export function checkTime(condition: string, time: string | undefined): void {
  if (time === undefined || (typeof time === "string" && isTime(time))) return
  throw new FleetPromptError("query_invalid", `expected a time such as 2026-01-31T12:00:00Z as ${condition}`)
}
