import type { FleetStats, HandlerQueue, OldestSnapshot } from "../telemetry/fleet-stats.ts"
import type { Database, Queryable } from "./database.ts"

/** Reads the queue, the oldest snapshot and the pool. The queue is counted in full, so do it seldom. */
export async function readFleetStats(database: Database): Promise<FleetStats> {
  const queue = await selectQueueStats(database)
  // Only the login may have been given the right to see what others do.
  const oldestSnapshot = await database.transaction(selectOldestSnapshot, { role: "login" })
  return { queue, oldestSnapshot, pool: database.poolUse() }
}

/** Counts the deliveries of all tenants by handler, those without any left out. Reads the whole queue. */
export async function selectQueueStats(db: Queryable): Promise<readonly HandlerQueue[]> {
  return db.query<HandlerQueue>(
    `/* selectQueueStats */ select handler,
       count(*) filter (where state = 'due')::float8 as due,
       count(*) filter (where state = 'scheduled')::float8 as scheduled,
       count(*) filter (where state = 'running')::float8 as running,
       (extract(epoch from now() - min(due_since) filter (where state = 'due')) * 1000)::float8 as "oldestDueAgeMs"
     from (
       select handler, greatest(run_at, leased_until) as due_since,
         case when leased_until > now() then 'running' when run_at > now() then 'scheduled' else 'due' end as state
       from fleetprompt.deliveries
     ) as delivery
     group by handler order by handler`,
  )
}

/**
 * What keeps the database from clearing away old versions of rows, which makes the queue slow: open
 * transactions of this database, prepared ones, and replication slots.
 *
 * @returns null when the role may not see what others do; `grant pg_read_all_stats` lets it.
 */
export async function selectOldestSnapshot(db: Queryable): Promise<OldestSnapshot | null> {
  const [row] = await db.query<OldestSnapshot & { readonly hidden: boolean }>(
    // A vacuum's own snapshot holds nothing back.
    `/* selectOldestSnapshot */ with holders as (
       select xact_start as since, backend_xmin as xmin, backend_xid as xid from pg_stat_activity
       where pid <> pg_backend_pid() and (datname = current_database() or datname is null)
         and (backend_xmin is not null or backend_xid is not null)
         and backend_type <> 'autovacuum worker' and pid not in (select pid from pg_stat_progress_vacuum)
       union all
       select prepared, null, transaction from pg_prepared_xacts where database = current_database()
       union all
       select null, xmin, catalog_xmin from pg_replication_slots
     )
     select greatest(0, extract(epoch from max(clock_timestamp() - since)) * 1000)::float8 as "ageMs",
       coalesce(greatest(max(age(xmin)), max(age(xid))), 0)::float8 as transactions,
       exists (
         select from pg_stat_activity where datname = current_database() and query = '<insufficient privilege>'
       ) as hidden
     from holders`,
  )
  if (!row || row.hidden) return null
  return { ageMs: row.ageMs, transactions: row.transactions }
}
