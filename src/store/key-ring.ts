import type { Queryable } from "./database.ts"

/** A key of the ring, as the database has met it. */
export interface RingKeyRecord {
  readonly id: string
  /** Null: of a key service, which tells none. */
  readonly fingerprint: string | null
  readonly firstSeenAt: Date
  /** Since when nothing may be sealed by it. */
  readonly retiredAt: Date | null
}

const KEY_COLUMNS = `id, fingerprint, first_seen_at as "firstSeenAt", retired_at as "retiredAt"`

/** Notes a key that is about to seal something; leaves one that is known as it is. */
export async function insertRingKey(
  tx: Queryable,
  { id, fingerprint }: Pick<RingKeyRecord, "id" | "fingerprint">,
): Promise<void> {
  await tx.query(
    `/* insertRingKey */ insert into fleetprompt.ring_keys (id, fingerprint) values ($1, $2) on conflict do nothing`,
    [id, fingerprint],
  )
}

/** All keys that ever sealed something here, the oldest first. */
export async function selectRingKeys(tx: Queryable): Promise<readonly RingKeyRecord[]> {
  return tx.query<RingKeyRecord>(
    `/* selectRingKeys */ select ${KEY_COLUMNS} from fleetprompt.ring_keys order by first_seen_at, id`,
  )
}

/** Notes that nothing may be sealed by a key any more. */
export async function retireRingKey(tx: Queryable, id: string): Promise<void> {
  await tx.query(
    `/* retireRingKey */ update fleetprompt.ring_keys set retired_at = coalesce(retired_at, now()) where id = $1`,
    [id],
  )
}

/** Notes that a key is kept after all. */
export async function unretireRingKey(tx: Queryable, id: string): Promise<void> {
  await tx.query(`/* unretireRingKey */ update fleetprompt.ring_keys set retired_at = null where id = $1`, [id])
}

/** The secret that keys of single purposes are made from, sealed. */
export interface KeyRootRecord {
  readonly keyId: string
  readonly wrapped: Uint8Array
}

/** The root; undefined before the first use. */
export async function selectKeyRoot(tx: Queryable): Promise<KeyRootRecord | undefined> {
  const [row] = await tx.query<{ readonly keyId: string; readonly wrapped: string }>(
    `/* selectKeyRoot */ select key_id as "keyId", encode(wrapped, 'base64') as wrapped from fleetprompt.key_roots`,
  )
  return row && { keyId: row.keyId, wrapped: Buffer.from(row.wrapped, "base64") }
}

/** Stores the root, unless another process was quicker. */
export async function insertKeyRoot(tx: Queryable, { keyId, wrapped }: KeyRootRecord): Promise<void> {
  await tx.query(
    `/* insertKeyRoot */ insert into fleetprompt.key_roots (key_id, wrapped) values ($1, decode($2, 'base64'))
     on conflict do nothing`,
    [keyId, base64(wrapped)],
  )
}

/** Stores the root as another key sealed it, unless it is another one by now. */
export async function rewrapKeyRoot(tx: Queryable, before: KeyRootRecord, after: KeyRootRecord): Promise<void> {
  await tx.query(
    `/* rewrapKeyRoot */ update fleetprompt.key_roots set key_id = $3, wrapped = decode($4, 'base64'), wrapped_at = now()
     where key_id = $1 and wrapped = decode($2, 'base64')`,
    [before.keyId, base64(before.wrapped), after.keyId, base64(after.wrapped)],
  )
}

/** A rotation, as far as it is noted. */
export interface KeyRotationRecord {
  readonly id: string
  /** The key that everything is to be sealed by. */
  readonly keyId: string
  readonly status: "running" | "completed" | "failed"
  readonly rewrapped: number
  /** Records that no key of the ring opens. */
  readonly unreadable: number
  readonly startedAt: Date
  readonly updatedAt: Date
  readonly finishedAt: Date | null
}

/** Notes that a rotation begins. */
export async function insertKeyRotation(tx: Queryable, id: string, keyId: string): Promise<void> {
  await tx.query(
    `/* insertKeyRotation */ insert into fleetprompt.key_rotations (id, key_id) values ($1::text::uuid, $2)`,
    [id, keyId],
  )
}

/** Notes how far a rotation is. */
export async function updateKeyRotation(
  tx: Queryable,
  { id, status, rewrapped, unreadable }: Pick<KeyRotationRecord, "id" | "status" | "rewrapped" | "unreadable">,
): Promise<void> {
  await tx.query(
    `/* updateKeyRotation */ update fleetprompt.key_rotations
     set status = $2::text, rewrapped = $3, unreadable = $4, updated_at = now(),
       finished_at = case when $2::text <> 'running' then now() end
     where id = $1::text::uuid`,
    [id, status, rewrapped, unreadable],
  )
}

/** The latest rotation, or undefined. One whose process was lost stays `running`. */
export async function selectLatestKeyRotation(tx: Queryable): Promise<KeyRotationRecord | undefined> {
  const [row] = await tx.query<KeyRotationRecord>(
    `/* selectLatestKeyRotation */ select id, key_id as "keyId", status, rewrapped::float8 as rewrapped,
       unreadable::float8 as unreadable, started_at as "startedAt", updated_at as "updatedAt", finished_at as "finishedAt"
     from fleetprompt.key_rotations order by started_at desc, id desc limit 1`,
  )
  return row
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64")
}
