import { createHash } from "node:crypto"
import { expect, onTestFinished } from "vitest"
import { localKeys } from "../../src/credentials/local-keys.ts"
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

/** One ring for all, so that the fleets of a test share it; no test leaves a key file. */
const TEST_KEYS = localKeys(`test:${createHash("sha256").update("the ring of the tests").digest("base64")}`)

/**
 * Starts a fleet with a tenant named after the running test; both end with it. What a fleet does by itself is off: another
 * fleet may be making a tenant while it starts, which it would take for one that is behind.
 */
export async function testFleet(database: Database, options: Omit<FleetOptions, "database"> = {}): Promise<TestFleet> {
  const fleet = createFleet({
    worker: { pollMs: 50 },
    retention: false,
    migrations: { auto: false },
    keys: TEST_KEYS,
    ...options,
    database: borrowed(database),
  })
  await fleet.start()
  onTestFinished(() => fleet.stop({ graceMs: 0 }))
  const slug = testSlug()
  await fleet.tenants.provision(slug)
  return { fleet, tenant: fleet.tenant(slug) }
}

/** A database that a fleet works on and does not close. */
export function borrowed(database: Database): Database {
  return { ...methodsOf(database), close: async () => {} }
}

/**
 * The fleet closes its database, and the file's other tests still need it; so it gets one whose close does nothing. On
 * a server it runs as a fleet that opened its database itself does, as the engine where nothing else is said.
 */
function methodsOf(database: Database): Omit<Database, "close"> {
  const role = database.kind === "server" ? ("engine" as const) : undefined
  return {
    kind: database.kind,
    hot: database.hot,
    hears: database.hears,
    poolUse: () => database.poolUse(),
    query: (text, values) =>
      role ? database.transaction((tx) => tx.query(text, values), { role }) : database.query(text, values),
    script: (text) => database.script(text),
    owner: database.owner,
    of: (scopes) => database.of(scopes),
    transaction: (run, options) => database.transaction(run, { ...(role && { role }), ...options }),
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

/** Resolves when the worker has looked at the queue, and at what is paused, from now on. */
export async function looked(fleet: Fleet): Promise<void> {
  for (let polls = 0; polls < 6; polls++)
    await new Promise<void>((resolve) => {
      const unlisten = fleet.telemetry.listen({
        steps: ["poll"],
        stop: () => {
          unlisten()
          resolve()
        },
      })
    })
}
