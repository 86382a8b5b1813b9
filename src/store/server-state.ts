import type { Queryable } from "./database.ts"
import { OUR_SCHEMAS } from "./wall-checks.ts"

/** What a server says of itself, for people who look whether it is well. */
export interface ServerState {
  readonly version: string
  readonly versionNumber: number
  readonly maxConnections: number
  readonly connections: number
  /** The server's clock, milliseconds since 1970. */
  readonly nowMs: number
  /** How long the oldest transaction that holds back clean-up has been open, seconds; null when there is none. */
  readonly oldestSnapshotS: number | null
  /** Whose that is: the application's name, a replication slot or a prepared transaction. */
  readonly oldestSnapshotOf: string | null
  /** Whether the control schema is there. */
  readonly isSetUp: boolean
}

/** Reads it. Of other logins' sessions only what Postgres shows. */
export async function selectServerState(database: Queryable): Promise<ServerState | undefined> {
  const [row] = await database.query<ServerState>(
    `/* selectServerState */ with holders as (
       select xact_start as since, coalesce(nullif(application_name, ''), 'a session without a name') as holder
       from pg_stat_activity
       where xact_start is not null and pid <> pg_backend_pid() and (backend_xid is not null or backend_xmin is not null)
       union all
       select prepared, 'the prepared transaction ' || gid from pg_prepared_xacts
     ), oldest as (select * from holders order by since limit 1)
     select current_setting('server_version') as version, current_setting('server_version_num')::integer as "versionNumber",
       current_setting('max_connections')::integer as "maxConnections",
       (select count(*)::integer from pg_stat_activity where backend_type = 'client backend') as connections,
       (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs",
       (select extract(epoch from clock_timestamp() - since)::float8 from oldest) as "oldestSnapshotS",
       (select holder from oldest) as "oldestSnapshotOf",
       exists (select from pg_tables where schemaname = 'fleetprompt' and tablename = 'tenants') as "isSetUp"`,
  )
  return row
}

/** How many schemas there are with tenants' tables and the platform's, and how many tables in them have walls. */
export async function countWalls(database: Queryable): Promise<{ readonly tables: number; readonly schemas: number }> {
  const [row] = await database.query<{ tables: number; schemas: number }>(
    `/* countWalls */ with ${OUR_SCHEMAS} select
       (select count(*)::integer from pg_policy where polname = 'tenant_rows') as tables,
       (select count(*)::integer from ours) as schemas`,
  )
  return row ?? { tables: 0, schemas: 0 }
}
