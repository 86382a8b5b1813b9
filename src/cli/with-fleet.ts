import { hostname, userInfo } from "node:os"
import type { AuditActor } from "../audit/audit-entry.ts"
import { createFleet, type Fleet } from "../fleet.ts"
import type { FleetOptions } from "../fleet/options.ts"
import type { CommandContext } from "./command-context.ts"
import { fleetSettings } from "./fleet-settings.ts"
import { logTrouble } from "./watch-fleet.ts"

/** What a command that opens the database is told. */
export interface WithFleetOptions {
  /** Files of the embedded database. */
  readonly dataDirectory: string
}

/** A fleet that runs nothing, for as long as a command takes. */
export async function withFleet(
  { dataDirectory }: WithFleetOptions,
  { environment, terminal }: CommandContext,
  run: (fleet: Fleet) => Promise<void>,
  more: FleetOptions = {},
): Promise<void> {
  const fleet = createFleet({
    ...fleetSettings(environment, dataDirectory),
    worker: false,
    retention: false,
    migrations: { auto: false },
    onProgress: (step) => terminal.progress(step),
    ...more,
  })
  logTrouble(fleet, terminal)
  await fleet.start()
  try {
    await run(fleet)
  } finally {
    await fleet.stop()
  }
}

/** Who acts, as the audit log names them. */
export function whoRuns(by = `${userInfo().username}@${hostname()}`): AuditActor {
  return { kind: "operator", id: by }
}
