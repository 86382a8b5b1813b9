import type { Database, Queryable } from "../../src/store/database.ts"

/** What a session has on it, that whoever gets it next would have too. */
export interface SessionState {
  readonly pid: number
  readonly who: string
  readonly role: string
  readonly tenants: string
  readonly owner: string
  /** Settings that were changed for the session. */
  readonly settings: readonly string[]
  /** Advisory locks, and those that an open transaction holds. */
  readonly locks: readonly string[]
  readonly listening: readonly string[]
  readonly temporary: number
}

/**
 * The sessions of a database that has one connection for transactions and one for hot statements; an embedded one has
 * one for both.
 */
export async function sessionStates(database: Pick<Database, "query" | "hot">): Promise<readonly SessionState[]> {
  return [await stateOf(database), await stateOf(database.hot)]
}

async function stateOf(session: Queryable): Promise<SessionState> {
  const [row] = await session.query<SessionState>(
    `select pg_backend_pid() as pid, current_user::text as who, current_setting('role') as role,
       coalesce(current_setting('fleetprompt.tenants', true), '') as tenants,
       coalesce(current_setting('fleetprompt.owner', true), '') as owner,
       array(select name || '=' || setting from pg_settings
         where source = 'session' and name not like 'fleetprompt.%' order by name)::text[] as settings,
       array(select locktype || ' ' || mode from pg_locks
         where pid = pg_backend_pid() and locktype not in ('virtualxid')
           and not (locktype = 'relation' and relation < 16384) order by 1)::text[] as locks,
       array(select channel from pg_listening_channels() as channel order by 1)::text[] as listening,
       (select count(*)::integer from pg_class where relnamespace = pg_my_temp_schema()) as temporary`,
  )
  if (!row) throw new Error("expected one row")
  return row
}
