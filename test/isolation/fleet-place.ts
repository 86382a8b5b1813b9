import type { FleetOptions } from "../../src/fleetprompt.ts"
import type { Database } from "../../src/store/database.ts"
import { openEmbeddedDatabase } from "../../src/store/embedded-database.ts"
import { openServerDatabase } from "../../src/store/server-database.ts"
import { serverDatabaseUrl } from "../support/test-database.ts"
import { alteredDatabase } from "./altered-database.ts"

/** An empty database for fleets that run on it as they do in production: on a server in the engine's name. */
export interface FleetPlace {
  /** Options of each fleet on it. */
  readonly options: () => Pick<FleetOptions, "database" | "databaseUrl">
  /** To look at everything. */
  readonly look: Database
  readonly close: () => Promise<void>
}

/** Opens one: embedded, or with TEST_DATABASE=server on a real server. */
export async function openFleetPlace(): Promise<FleetPlace> {
  if (process.env["TEST_DATABASE"] === "server") {
    const databaseUrl = await serverDatabaseUrl()
    const look = await openServerDatabase({ connectionString: databaseUrl })
    return { options: () => ({ databaseUrl }), look, close: () => look.close() }
  }
  const look = await openEmbeddedDatabase()
  const kept = { ...alteredDatabase(look, (text) => text), close: async () => {} }
  return { options: () => ({ database: kept }), look, close: () => look.close() }
}
