import { createHash } from "node:crypto"
import { expect, onTestFinished } from "vitest"
import { createFleet, type Fleet } from "../../src/fleet.ts"
import type { FleetOptions } from "../../src/fleet/options.ts"
import type { Database } from "../../src/store/database.ts"
import type { TelemetryEvents, TelemetryName } from "../../src/telemetry/events.ts"
import type { Tenant } from "../../src/tenants/tenant.ts"

/** A fleet on the test file's database, and a tenant of the running test. */
export interface TestFleet {
  readonly fleet: Fleet
  readonly tenant: Tenant
}

/** Starts a fleet with a tenant named after the running test; both end with it. */
export async function testFleet(database: Database, options: Omit<FleetOptions, "database"> = {}): Promise<TestFleet> {
  const fleet = createFleet({
    worker: { pollMs: 50 },
    retention: false,
    ...options,
    database: { ...methodsOf(database), close: async () => {} },
  })
  await fleet.start()
  onTestFinished(() => fleet.stop({ graceMs: 0 }))
  const slug = testSlug()
  await fleet.tenants.provision(slug)
  return { fleet, tenant: fleet.tenant(slug) }
}

/** The fleet closes its database, and the file's other tests still need it; so it gets one whose close does nothing. */
function methodsOf(database: Database): Omit<Database, "close"> {
  return {
    kind: database.kind,
    hot: database.hot,
    hears: database.hears,
    poolUse: () => database.poolUse(),
    query: (text, values) => database.query(text, values),
    script: (text) => database.script(text),
    transaction: (run) => database.transaction(run),
    listen: (channel, events) => database.listen(channel, events),
  }
}

/** A tenant's slug made from the running test's file and name, so that a failure is found again. */
export function testSlug(more = ""): string {
  const { testPath, currentTestName } = expect.getState()
  return `t_${createHash("sha256").update(`${testPath} ${currentTestName} ${more}`).digest("hex").slice(0, 20)}`
}

/** Resolves with the fields of the next event of a name that fits. */
export function nextEvent<Name extends TelemetryName>(
  fleet: Fleet,
  name: Name,
  fits: (fields: TelemetryEvents[Name]) => boolean = () => true,
): Promise<TelemetryEvents[Name]> {
  return new Promise((resolve) => {
    const unlisten = fleet.telemetry.listen((told, fields) => {
      // The names are equal, so the fields are those of Name.
      if ((told as string) !== name || !fits(fields as TelemetryEvents[Name])) return
      unlisten()
      resolve(fields as TelemetryEvents[Name])
    })
  })
}
