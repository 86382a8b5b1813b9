import type { Queryable } from "./database.ts"

/** A session as it is kept. */
export interface SessionRow {
  readonly id: string
  /** Of the person at sign-in, which is not the id of the platform's user. */
  readonly personId: string
  readonly createdAt: Date
  readonly lastUsedAt: Date
  /** When it ends at the latest. */
  readonly expiresAt: Date
  readonly address: string | null
  readonly userAgent: string | null
}

const COLUMNS = `id, "userId" as "personId", "createdAt", last_used_at as "lastUsedAt", "expiresAt",
  "ipAddress" as address, "userAgent"`
const LIVE = `"expiresAt" > now() and last_used_at > now() - make_interval(secs => $2::float8 / 1000)`

/** The session of a token's hash, unless it has ended or was idle for too long. Notes its use, once a minute at most. */
export async function touchSession(tx: Queryable, tokenHash: string, idleMs: number): Promise<SessionRow | undefined> {
  const [row] = await tx.query<SessionRow>(
    `/* touchSession */ with touched as (
       update fleetprompt_auth.session set last_used_at = now()
       where token = $1 and ${LIVE} and last_used_at < now() - interval '1 minute'
     )
     select ${COLUMNS} from fleetprompt_auth.session where token = $1 and ${LIVE}`,
    [tokenHash, idleMs],
  )
  return row
}

/** A person's sessions, the last used one first. */
export async function selectSessions(tx: Queryable, personId: string, idleMs: number): Promise<readonly SessionRow[]> {
  return tx.query<SessionRow>(
    `/* selectSessions */ select ${COLUMNS} from fleetprompt_auth.session
     where "userId" = $1 and ${LIVE} order by last_used_at desc, id limit 100`,
    [personId, idleMs],
  )
}

/**
 * Keeps the hash of another token in place of one that was kept as it is, as better-auth does.
 *
 * @returns whose session it is; undefined when there is none.
 */
export async function hideSessionToken(tx: Queryable, token: string, tokenHash: string): Promise<string | undefined> {
  const [row] = await tx.query<{ readonly personId: string }>(
    `/* hideSessionToken */ update fleetprompt_auth.session set token = $2 where token = $1 returning "userId" as "personId"`,
    [token, tokenHash],
  )
  return row?.personId
}

/** Gives a session another token. False: it has ended. */
export async function replaceSessionToken(tx: Queryable, id: string, tokenHash: string): Promise<boolean> {
  const rows = await tx.query(
    `/* replaceSessionToken */ update fleetprompt_auth.session set token = $2, "updatedAt" = now() where id = $1 returning id`,
    [id, tokenHash],
  )
  return rows.length > 0
}

/** Ends one session of a person. */
export async function deleteSession(tx: Queryable, personId: string, id: string): Promise<boolean> {
  const rows = await tx.query(
    `/* deleteSession */ delete from fleetprompt_auth.session where "userId" = $1 and id = $2 returning id`,
    [personId, id],
  )
  return rows.length > 0
}

/** Ends the session of a token's hash. */
export async function deleteSessionOfToken(tx: Queryable, tokenHash: string): Promise<void> {
  await tx.query(`/* deleteSessionOfToken */ delete from fleetprompt_auth.session where token = $1`, [tokenHash])
}

/** Ends all sessions of a person, but the one that is named. */
export async function deleteSessions(tx: Queryable, personId: string, butId: string | undefined): Promise<number> {
  const rows = await tx.query(
    `/* deleteSessions */ delete from fleetprompt_auth.session
     where "userId" = $1 and ($2::text is null or id <> $2) returning id`,
    [personId, butId ?? null],
  )
  return rows.length
}

/** Removes sessions that have ended, some at a time. */
export async function deleteEndedSessions(tx: Queryable, idleMs: number): Promise<void> {
  await tx.query(
    `/* deleteEndedSessions */ delete from fleetprompt_auth.session where id in (
       select id from fleetprompt_auth.session
       where "expiresAt" < now() or last_used_at < now() - make_interval(secs => $1::float8 / 1000) limit 1000)`,
    [idleMs],
  )
}
