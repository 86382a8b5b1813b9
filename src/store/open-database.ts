import type { Database } from "./database.ts"
import { openEmbeddedDatabase } from "./embedded-database.ts"
import { openServerDatabase } from "./server-database.ts"

/** Which database to open. */
export interface DatabaseSettings {
  /** A Postgres server. When it is missing, the embedded database is opened. */
  readonly databaseUrl?: string
  /** That server directly, for notifications, when `databaseUrl` leads to a PgBouncer. */
  readonly listenUrl?: string
  /** That server directly, with a login that owns the schemas, for migrations and provisioning. Default: `databaseUrl`. */
  readonly ownerUrl?: string
  /** Connections to a server at most, besides the hot ones and the one that listens. Default: 10. */
  readonly maxConnections?: number
  /** Connections to a server at most for the engine's own short statements. Default: 10. */
  readonly hotConnections?: number
  /** Where the embedded database keeps its files. When it is missing too, they are kept in memory. */
  readonly dataDirectory?: string
  /** Told what the embedded database is busy with while it opens. */
  readonly onProgress?: (step: string) => void
}

/**
 * Opens the server at `databaseUrl` when there is one, and the embedded database otherwise. On a server, statements
 * run as `fleetprompt_engine` where nothing else is said.
 *
 * @throws FleetPromptError as `openServerDatabase` and `openEmbeddedDatabase` do
 */
export function openDatabase(settings: DatabaseSettings): Promise<Database> {
  const { databaseUrl, dataDirectory, onProgress, ...server } = settings
  if (databaseUrl !== undefined) return openServerDatabase({ connectionString: databaseUrl, role: "engine", ...server })
  return openEmbeddedDatabase({
    ...(dataDirectory !== undefined && { dataDirectory }),
    ...(onProgress && { onProgress }),
  })
}
