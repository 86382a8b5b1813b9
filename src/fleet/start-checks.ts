import { FleetPromptError } from "../errors.ts"
import type { Database } from "../store/database.ts"
import { checkDurability } from "../store/durability.ts"
import { checkWalls, type WallFinding } from "../store/wall-checks.ts"
import type { Telemetry } from "../telemetry/telemetry.ts"

/** How a server is looked at before a fleet begins to work on it. */
export interface StartCheckOptions {
  /** Whether a wall that does not hold is a reason not to start. */
  readonly production: boolean
  readonly telemetry: Pick<Telemetry, "tell">
}

/**
 * Tells of settings of a server with which something acknowledged may be lost, or tenants are not kept apart. In
 * production a fleet does not start without its walls.
 *
 * @throws FleetPromptError `database_unsafe`, with everything that was found and the SQL that mends it
 */
export async function checkStart(database: Database, { production, telemetry }: StartCheckOptions): Promise<void> {
  for (const risk of await checkDurability(database)) telemetry.tell("database.risk", risk)
  const findings = await checkWalls(database)
  if (production && findings.length > 0) throw unsafe(findings)
  for (const { setting, value, risk } of findings) telemetry.tell("database.risk", { setting, value, risk })
}

function unsafe(findings: readonly WallFinding[]): FleetPromptError {
  const list = findings.map(({ setting, value, risk, mend }, at) => `${at + 1}. ${setting} ${value}: ${risk}\n${mend}`)
  return new FleetPromptError(
    "database_unsafe",
    `expected a database whose walls between tenants hold, found ${findings.length} that do not; run as its owner what follows each, or see fleetprompt doctor\n${list.join("\n")}`,
  )
}
