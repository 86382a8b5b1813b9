import type { Queryable } from "./database.ts"
import type { ApiKeyOwner } from "./api-keys.ts"

/**
 * What a check of a key goes by. These statements are the engine's own, on keys of all tenants: whose a key is, is found
 * out by the key.
 */
export interface CheckedApiKey {
  readonly id: string
  readonly tenant: string
  readonly hash: string
  readonly pepper: string
  readonly role: "owner" | "admin" | "member"
  readonly scopes: readonly string[] | null
  readonly owner: ApiKeyOwner
  /** What the owner may now; null when the owner may nothing, or the key has ended. */
  readonly ownerRole: "owner" | "admin" | "member" | null
  /** Until it ends, milliseconds; null: never by itself. */
  readonly expiresInMs: number | null
  /** Since its last use was noted, milliseconds; null: never. */
  readonly usedMsAgo: number | null
}

/** Keys by id, those that have ended too; in no order. */
export function selectKeysToCheck(engine: Queryable, ids: readonly string[]): Promise<readonly CheckedApiKey[]> {
  return engine.query<CheckedApiKey>(
    `/* selectKeysToCheck */ select key.id, key.tenant, key.hash, key.pepper, key.role, key.scopes,
       json_build_object('kind', key.owner_kind, 'id', key.owner_id) as owner,
       case when key.revoked_at is not null or key.expires_at <= now() then null
         when key.owner_kind = 'service_account' then (
           select account.role from fleetprompt.service_accounts as account
           where account.tenant = key.tenant and account.id = key.owner_id::uuid and account.enabled)
         when key.owner_kind = 'user' then (
           select membership.role from fleetprompt.memberships as membership
           join fleetprompt.users as person on person.id = membership.user_id and person.status = 'active'
           where membership.tenant = key.tenant and membership.user_id = key.owner_id::uuid)
         else key.role end as "ownerRole",
       (extract(epoch from key.expires_at - now()) * 1000)::float8 as "expiresInMs",
       (extract(epoch from now() - key.last_used_at) * 1000)::float8 as "usedMsAgo"
     from fleetprompt.api_keys as key where key.id = any ($1::text[])`,
    [ids],
  )
}

/** A key that was used. */
export interface ApiKeyUse {
  readonly id: string
  /** How long ago, milliseconds. */
  readonly ageMs: number
  readonly address: string | null
  /** What the key's hash is to be from now on, where it was made with an older pepper. */
  readonly rehash: { readonly hash: string; readonly pepper: string } | null
}

/** Notes when keys were last used; for each key once a minute at most, whichever process says it. */
export async function updateKeyUses(engine: Queryable, uses: readonly ApiKeyUse[]): Promise<void> {
  await engine.query(
    `/* updateKeyUses */ update fleetprompt.api_keys as key
     set last_used_at = now() - use.age_ms * interval '1 millisecond', last_used_from = use.address,
       hash = coalesce(use.hash, key.hash), pepper = coalesce(use.pepper, key.pepper)
     from unnest($1::text[], $2::float8[], $3::text[], $4::text[], $5::text[]) as use (id, age_ms, address, hash, pepper)
     where key.id = use.id and (use.hash is not null or key.last_used_at is null
       or key.last_used_at < now() - (use.age_ms + 55000) * interval '1 millisecond')`,
    [
      uses.map(({ id }) => id),
      uses.map(({ ageMs }) => ageMs),
      uses.map(({ address }) => address),
      uses.map(({ rehash }) => rehash?.hash ?? null),
      uses.map(({ rehash }) => rehash?.pepper ?? null),
    ],
  )
}

/** What changed in what callers may. */
export interface AccessChanges {
  /** The next look begins here. */
  readonly horizon: string
  /** Tenants, and the number of their last change; some were told by an earlier look already. */
  readonly tenants: readonly (readonly [tenant: string, version: number])[]
}

/**
 * Tenants whose callers changed in transactions that had not ended when `horizon` was told: none can be missed,
 * however long its transaction took.
 *
 * @param horizon of the last look; undefined for the first, which only tells where to begin.
 */
export async function selectAccessChanges(engine: Queryable, horizon: string | undefined): Promise<AccessChanges> {
  const [row] = await engine.query<AccessChanges>(
    `/* selectAccessChanges */ select pg_snapshot_xmin(pg_current_snapshot())::text as horizon,
       coalesce((select json_agg(json_build_array(tenant, version)) from fleetprompt.access_changes
         where changed_tx >= $1::text::xid8), '[]'::json) as tenants`,
    [horizon ?? null],
  )
  // The statement always answers with one row.
  return row as AccessChanges
}
