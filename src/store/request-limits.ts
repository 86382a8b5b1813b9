import type { Queryable } from "./database.ts"

/** What a process wants of a limit that all processes share. */
export interface LimitClaim {
  /** Says which limit and whom it counts. */
  readonly key: string
  /** How much may be taken in a window, by all. */
  readonly limit: number
  readonly windowMs: number
  /** What this process let through already, to be counted whatever is left. */
  readonly owed: number
  /** How much more it wants to be able to let through. */
  readonly wanted: number
}

/** What it got. */
export interface LimitGrant {
  readonly key: string
  readonly granted: number
  /** How much is left for others. */
  readonly left: number
  /** Until the window ends, milliseconds. */
  readonly endsInMs: number
}

/**
 * Takes from limits, several in one statement. A window begins with the first claim after the one before has ended.
 * The sum of what is granted in a window is never above the limit.
 */
export function takeFromLimits(engine: Queryable, claims: readonly LimitClaim[]): Promise<readonly LimitGrant[]> {
  // What a row was before is not seen by `returning`, so each row has a column for its last grant. Those of one
  // statement are locked in one order, or two processes might wait for each other.
  return engine.query<LimitGrant>(
    `/* takeFromLimits */ insert into fleetprompt.request_limits as held (key, quota, taken, granted, ends_at)
     select key, quota, owed + granted, granted, now() + window_ms * interval '1 millisecond'
     from (select *, least(wanted, greatest(quota - owed, 0)) as granted
       from unnest($1::text[], $2::integer[], $3::float8[], $4::integer[], $5::integer[])
         as claim (key, quota, window_ms, owed, wanted)) as first
     order by key
     on conflict (key) do update set
       quota = excluded.quota,
       taken = case when held.ends_at <= now() then excluded.taken
         else held.taken + excluded.taken - excluded.granted
           + least(excluded.granted, greatest(excluded.quota - held.taken - excluded.taken + excluded.granted, 0)) end,
       granted = case when held.ends_at <= now() then excluded.granted
         else least(excluded.granted, greatest(excluded.quota - held.taken - excluded.taken + excluded.granted, 0)) end,
       ends_at = case when held.ends_at <= now() then excluded.ends_at else held.ends_at end
     returning key, granted, greatest(quota - taken, 0) as left,
       (extract(epoch from ends_at - clock_timestamp()) * 1000)::float8 as "endsInMs"`,
    [
      claims.map(({ key }) => key),
      claims.map(({ limit }) => limit),
      claims.map(({ windowMs }) => windowMs),
      claims.map(({ owed }) => owed),
      claims.map(({ wanted }) => wanted),
    ],
  )
}

/** Removes counters whose windows have ended. @returns how many */
export async function deleteEndedLimits(engine: Queryable, limit: number): Promise<number> {
  const rows = await engine.query(
    `/* deleteEndedLimits */ delete from fleetprompt.request_limits
     where key = any (array(
       select key from fleetprompt.request_limits where ends_at < now() - interval '10 seconds'
       order by ends_at limit $1::integer for update skip locked))
     returning key`,
    [limit],
  )
  return rows.length
}
