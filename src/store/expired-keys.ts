import type { StoredSignal } from "../signal/stored-signal.ts"
import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** What is left of a signal that retention removed. */
export interface ExpiredTwin {
  readonly signalId: string
  /** SHA-256 of its content, see `contentHash`. */
  readonly contentHash: Buffer
  /** When it happened, RFC 3339. */
  readonly occurredAt: string
}

interface ExpiredTwinRow {
  readonly signal_id: string
  readonly content_hash: string
  readonly occurred_at: string
}

const COLUMNS = `signal_id, encode(content_hash, 'hex') as content_hash,
  to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as occurred_at`

/** The removed signal whose dedupe key or provider's event id another one has, while its key is still kept. */
export async function selectExpiredTwin(
  db: Queryable,
  scope: TenantScope,
  { dedupeKey, source, sourceEventId }: StoredSignal,
): Promise<ExpiredTwin | undefined> {
  const [row] = await db.query<ExpiredTwinRow>(
    `/* selectExpiredTwin */ select ${COLUMNS} from ${scope.schema}.expired_keys
     where tenant = $1 and dedupe_key = $2 and expires_at > now()
     union all
     select ${COLUMNS} from ${scope.schema}.expired_keys
     where tenant = $1 and source = $3 and source_event_id = $4 and expires_at > now()
     limit 1`,
    [scope.slug, dedupeKey, source, sourceEventId],
  )
  if (!row) return undefined
  return {
    signalId: row.signal_id,
    contentHash: Buffer.from(row.content_hash, "hex"),
    occurredAt: row.occurred_at,
  }
}

/** A key to be kept for a signal that is about to be removed. */
export interface KeptKey {
  readonly signalId: string
  readonly contentHash: Buffer
}

/**
 * Keeps the keys of signals beyond the signals themselves. Is done before the signals are removed and commits
 * by itself: so at no moment a duplicate finds neither the signal nor its key.
 */
export async function insertExpiredKeys(
  db: Queryable,
  scope: TenantScope,
  keys: readonly KeptKey[],
  keepDays: number,
): Promise<void> {
  await db.query(
    `/* insertExpiredKeys */ insert into ${scope.schema}.expired_keys
       (tenant, signal_id, source, dedupe_key, source_event_id, content_hash, occurred_at, expires_at)
     select found.tenant, found.id, found.source, found.dedupe_key, found.source_event_id,
       decode(kept.content_hash, 'hex'), found.occurred_at, now() + $3::float8 * interval '24 hours'
     from json_to_recordset($2::text::json) as kept (signal_id uuid, content_hash text)
     cross join lateral (
       select * from ${scope.schema}.signals where tenant = $1 and id = kept.signal_id limit 1
     ) as found
     on conflict do nothing`,
    [
      scope.slug,
      JSON.stringify(keys.map((key) => ({ signal_id: key.signalId, content_hash: key.contentHash.toString("hex") }))),
      keepDays,
    ],
  )
}

/**
 * Forgets keys whose time is over, the oldest first.
 *
 * @returns how many, at most `limit`.
 */
export async function deleteExpiredKeys(db: Queryable, scope: TenantScope, limit: number): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    `/* deleteExpiredKeys */ with gone as (
       delete from ${scope.schema}.expired_keys where ctid = any (array(
         select ctid from ${scope.schema}.expired_keys
         where tenant = $1 and expires_at <= now() order by expires_at limit $2))
       returning 1
     )
     select count(*)::float8 as count from gone`,
    [scope.slug, limit],
  )
  return row?.count ?? 0
}
