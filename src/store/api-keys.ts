import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** Whose a key is. `host`: a person of the host application, which looks after that person's rights itself. */
export interface ApiKeyOwner {
  readonly kind: "user" | "service_account" | "host"
  readonly id: string
}

/** A key as people see it: everything but the key itself, which is kept nowhere. */
export interface ApiKeyRecord {
  /** Stands in the key's text. */
  readonly id: string
  readonly name: string
  /** The most that the key may; the owner's role counts where that is less. */
  readonly role: "owner" | "admin" | "member"
  /** What the key is limited to, `resource:action`; null: whatever the role may. */
  readonly scopes: readonly string[] | null
  readonly owner: ApiKeyOwner
  /** active: works; expired, revoked: does not any more. */
  readonly status: "active" | "expired" | "revoked"
  /** The key that took its place; until `expiresAt` both work. */
  readonly replacedBy: string | null
  /** Who made it, `kind:id`. */
  readonly createdBy: string | null
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
  /** When and from which address it was last used, to the minute. */
  readonly lastUsedAt: Date | null
  readonly lastUsedFrom: string | null
}

/** A key to be recorded. */
export interface NewApiKey extends Pick<ApiKeyRecord, "id" | "name" | "role" | "scopes" | "owner" | "createdBy"> {
  readonly hash: string
  readonly pepper: string
  /** The first key of those that replaced one another. */
  readonly family: string
  /** How long it works, milliseconds; null: until it is revoked. */
  readonly lifetimeMs: number | null
}

const COLUMNS = `id, name, role, scopes, json_build_object('kind', owner_kind, 'id', owner_id) as owner,
  case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired' else 'active' end as status,
  replaced_by as "replacedBy", created_by as "createdBy", created_at as "createdAt", expires_at as "expiresAt",
  revoked_at as "revokedAt", last_used_at as "lastUsedAt", last_used_from as "lastUsedFrom"`

const IS_LIVE = `revoked_at is null and (expires_at is null or expires_at > now())`

/** Records a key; undefined when the tenant has as many live ones as it may. */
export async function insertApiKey(
  tx: Queryable,
  scope: TenantScope,
  key: NewApiKey,
  limit: number,
): Promise<ApiKeyRecord | undefined> {
  const [row] = await tx.query<ApiKeyRecord>(
    `/* insertApiKey */ insert into fleetprompt.api_keys
       (tenant, id, name, hash, pepper, role, scopes, owner_kind, owner_id, family, created_by, expires_at)
     select $1, $2, $3, $4, $5, $6, $7::text[], $8, $9, $10, $11, now() + $12::float8 * interval '1 millisecond'
     where (select count(*) from fleetprompt.api_keys where tenant = $1 and ${IS_LIVE}) < $13::integer
     returning ${COLUMNS}`,
    [
      scope.slug,
      key.id,
      key.name,
      key.hash,
      key.pepper,
      key.role,
      key.scopes,
      key.owner.kind,
      key.owner.id,
      key.family,
      key.createdBy,
      key.lifetimeMs,
      limit,
    ],
  )
  return row
}

/** Which of a tenant's keys. */
export interface ApiKeyFilter {
  /** Only keys that were made before this one. */
  readonly before?: string | undefined
  /** Only those of one owner. */
  readonly owner?: ApiKeyOwner | undefined
  readonly limit: number
}

/** A tenant's keys, the latest first. */
export function selectApiKeys(
  tx: Queryable,
  scope: TenantScope,
  { before, owner, limit }: ApiKeyFilter,
): Promise<readonly ApiKeyRecord[]> {
  return tx.query<ApiKeyRecord>(
    `/* selectApiKeys */ select ${COLUMNS} from fleetprompt.api_keys as key
     where tenant = $1
       and ($2::text is null or (created_at, id) <
         (select created_at, id from fleetprompt.api_keys where tenant = $1 and id = $2))
       and ($3::text is null or (owner_kind = $3 and owner_id = $4))
     order by key.created_at desc, id desc limit $5::integer`,
    [scope.slug, before ?? null, owner?.kind ?? null, owner?.id ?? null, limit],
  )
}

/** One key of a tenant, or undefined. */
export async function selectApiKey(tx: Queryable, scope: TenantScope, id: string): Promise<ApiKeyRecord | undefined> {
  const [row] = await tx.query<ApiKeyRecord>(
    `/* selectApiKey */ select ${COLUMNS} from fleetprompt.api_keys where tenant = $1 and id = $2`,
    [scope.slug, id],
  )
  return row
}

/** What a rotation goes by. */
export interface LockedApiKey extends ApiKeyRecord {
  readonly family: string
  /** How long the key was made for, milliseconds; null: until it is revoked. */
  readonly lifetimeMs: number | null
}

/** One key of a tenant, locked until the transaction ends, or undefined. */
export async function lockApiKey(tx: Queryable, scope: TenantScope, id: string): Promise<LockedApiKey | undefined> {
  const [row] = await tx.query<LockedApiKey>(
    `/* lockApiKey */ select ${COLUMNS}, family,
       (extract(epoch from expires_at - created_at) * 1000)::float8 as "lifetimeMs"
     from fleetprompt.api_keys where tenant = $1 and id = $2 for update`,
    [scope.slug, id],
  )
  return row
}

/**
 * Notes that a key was replaced: it works for the overlap longer, and those of its family that were replaced before
 * work no more.
 */
export async function replaceApiKey(
  tx: Queryable,
  scope: TenantScope,
  { id, family }: Pick<LockedApiKey, "id" | "family">,
  replacedBy: string,
  overlapMs: number,
): Promise<void> {
  await tx.query(
    `/* replaceApiKey */ update fleetprompt.api_keys
     set replaced_by = case when id = $2 then $4 else replaced_by end,
       revoked_at = case when id <> $2 or $5::float8 = 0 then now() end,
       expires_at = case when id = $2 then least(expires_at, now() + $5::float8 * interval '1 millisecond')
         else expires_at end
     where tenant = $1 and family = $3 and ${IS_LIVE} and (id = $2 or replaced_by is not null)`,
    [scope.slug, id, family, replacedBy, overlapMs],
  )
}

/** Ends a key at once. @returns the key; undefined when there is none, or it had ended */
export async function revokeApiKey(tx: Queryable, scope: TenantScope, id: string): Promise<ApiKeyRecord | undefined> {
  const [row] = await tx.query<ApiKeyRecord>(
    `/* revokeApiKey */ update fleetprompt.api_keys set revoked_at = now()
     where tenant = $1 and id = $2 and ${IS_LIVE} returning ${COLUMNS}`,
    [scope.slug, id],
  )
  return row
}

/** Ends all keys of an owner. @returns their ids */
export async function revokeApiKeysOf(
  tx: Queryable,
  scope: TenantScope,
  owner: ApiKeyOwner,
): Promise<readonly string[]> {
  const rows = await tx.query<{ id: string }>(
    `/* revokeApiKeysOf */ update fleetprompt.api_keys set revoked_at = now()
     where tenant = $1 and owner_kind = $2 and owner_id = $3 and ${IS_LIVE} returning id`,
    [scope.slug, owner.kind, owner.id],
  )
  return rows.map(({ id }) => id)
}
