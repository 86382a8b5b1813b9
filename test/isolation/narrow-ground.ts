import { createFleet, type Fleet, type FleetOptions } from "../../src/fleetprompt.ts"
import type { Database } from "../../src/store/database.ts"
import { openEmbeddedDatabase } from "../../src/store/embedded-database.ts"
import { openServerDatabase } from "../../src/store/server-database.ts"
import { serverDatabaseUrl } from "../support/test-database.ts"
import { alteredDatabase } from "./altered-database.ts"
import { type DatabaseGate, holdConnection, lockTable } from "./database-gate.ts"
import { orderOptions } from "./orders.ts"
import { isolationHandlers, makeSide, type Side } from "./sides.ts"

/** Two tenants of each placement, and a fleet whose requests all come by the same connections. */
export interface NarrowGround {
  readonly fleet: Fleet
  readonly database: Database
  readonly sides: Readonly<Record<"own" | "shared", readonly [Side, Side]>>
  /**
   * Holds up whoever uses a table. An embedded database has one connection, so there everybody waits.
   *
   * @param statement the name of the one that is to wait.
   */
  readonly closeGate: (table: string, statement: string) => Promise<DatabaseGate>
  readonly close: () => Promise<void>
}

/** Fills the tenants by a fleet of the usual width, and then starts one with a single connection. */
export async function openNarrowGround(): Promise<NarrowGround> {
  const { wide, openNarrow, closeGate } = await (process.env["TEST_DATABASE"] === "server" ? server() : embedded())
  const filling = await started(wide, { worker: { pollMs: 50 } })
  const filled = {
    own: [await makeSide(filling, "own", "marka"), await makeSide(filling, "own", "markb")],
    shared: [await makeSide(filling, "shared", "markc"), await makeSide(filling, "shared", "markd")],
  } as const
  await filling.stop({ graceMs: 0 })
  const database = await openNarrow()
  const fleet = await started(database, { worker: false })
  const here = (side: Side): Side => ({ ...side, tenant: fleet.tenant(side.scope.slug) })
  const sides = {
    own: [here(filled.own[0]), here(filled.own[1])],
    shared: [here(filled.shared[0]), here(filled.shared[1])],
  } as const
  const close = async (): Promise<void> => {
    await fleet.stop({ graceMs: 0 })
    await Promise.all([...new Set([wide, database])].map((each) => each.close()))
  }
  return { fleet, database, sides, closeGate, close }
}

async function started(database: Database, options: FleetOptions): Promise<Fleet> {
  const kept = { ...alteredDatabase(database, (text) => text), close: async () => {} }
  const fleet = createFleet({
    handlers: isolationHandlers(),
    ...orderOptions(),
    retention: false,
    migrations: { auto: false },
    ...options,
    database: kept,
  })
  await fleet.start()
  return fleet
}

interface Place extends Pick<NarrowGround, "closeGate"> {
  readonly wide: Database
  /** When the roles are there, which the fleet makes. */
  readonly openNarrow: () => Promise<Database>
}

async function embedded(): Promise<Place> {
  const wide = await openEmbeddedDatabase()
  return { wide, openNarrow: async () => wide, closeGate: () => holdConnection(wide) }
}

async function server(): Promise<Place> {
  const connectionString = await serverDatabaseUrl()
  return {
    wide: await openServerDatabase({ connectionString }),
    openNarrow: () => openServerDatabase({ connectionString, maxConnections: 1, hotConnections: 1, role: "engine" }),
    closeGate: (table, statement) => lockTable(connectionString, table, statement),
  }
}
