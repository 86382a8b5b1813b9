import type { Queryable } from "./database.ts"
import type { TenantScope } from "./tenant-scope.ts"

/** What a credential is. Says nothing of its fields, which are whoever uses it's to know. */
export type CredentialKind = "api_key" | "oauth2" | "basic" | "certificate" | "webhook_secret" | "custom"

/**
 * active: may be used; expired: its time is over; revoked: for good, and its secret is erased; error: the provider
 * refused to refresh it, a new secret makes it active again.
 */
export type CredentialStatus = "active" | "expired" | "revoked" | "error"

/** What may be told of a credential: all but its secret. */
export interface CredentialRecord {
  readonly id: string
  /** The system that it is for: `github`. */
  readonly provider: string
  /** Whose account there: `octokit`. */
  readonly account: string
  readonly kind: CredentialKind
  readonly status: CredentialStatus
  /** What it allows, in the provider's words. */
  readonly scopes: readonly string[]
  readonly expiresAt: Date | null
  /** 1, and one more with each new secret. */
  readonly version: number
  /** Why the last refresh was refused. */
  readonly problem: string | null
  /** Who stored it, `user:0198…`. */
  readonly createdBy: string
  readonly createdAt: Date
  readonly updatedAt: Date
  /** To the minute. */
  readonly lastUsedAt: Date | null
}

/** A secret as it is stored. */
export interface SealedSecret {
  /** Id of the ring's key that sealed the data key. */
  readonly keyId: string
  readonly dataKey: Uint8Array
  readonly secret: Uint8Array
}

const COLUMNS = `id, provider, account, kind, scopes, version, problem, expires_at as "expiresAt",
  case when status = 'active' and expires_at <= now() then 'expired' else status end as status,
  created_by as "createdBy", created_at as "createdAt", updated_at as "updatedAt", last_used_at as "lastUsedAt"`

/** A credential to be stored. */
export type NewCredential = SealedSecret &
  Pick<CredentialRecord, "id" | "provider" | "account" | "kind" | "scopes" | "expiresAt" | "createdBy">

/**
 * Stores a credential.
 *
 * @returns undefined when the tenant has one for this provider, account and kind already.
 */
export async function insertCredential(
  tx: Queryable,
  scope: TenantScope,
  credential: NewCredential,
): Promise<CredentialRecord | undefined> {
  const { id, provider, account, kind, scopes, expiresAt, createdBy, keyId, dataKey, secret } = credential
  const [row] = await tx.query<CredentialRecord>(
    `/* insertCredential */ insert into ${scope.schema}.credentials
       (tenant, id, provider, account, kind, scopes, expires_at, created_by, key_id, data_key, secret)
     values ($1, $2::text::uuid, $3, $4, $5, $6::text::jsonb, $7::text::timestamptz, $8, $9, decode($10, 'base64'),
       decode($11, 'base64'))
     on conflict do nothing returning ${COLUMNS}`,
    [
      scope.slug,
      id,
      provider,
      account,
      kind,
      JSON.stringify(scopes),
      expiresAt?.toISOString() ?? null,
      createdBy,
      keyId,
      base64(dataKey),
      base64(secret),
    ],
  )
  return row
}

/** One credential, without its secret. */
export async function selectCredential(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<CredentialRecord | undefined> {
  const [row] = await tx.query<CredentialRecord>(
    `/* selectCredential */ select ${COLUMNS} from ${scope.schema}.credentials
     where tenant = $1 and id = $2::text::uuid`,
    [scope.slug, id],
  )
  return row
}

/** Which credentials to list. */
export interface CredentialFilter {
  readonly provider?: string
  readonly status?: CredentialStatus
  /** Those that were stored after this one. */
  readonly after?: string
  readonly limit: number
}

/** Credentials in the order in which they were stored, without their secrets. */
export async function selectCredentials(
  tx: Queryable,
  scope: TenantScope,
  { provider, status, after, limit }: CredentialFilter,
): Promise<readonly CredentialRecord[]> {
  return tx.query<CredentialRecord>(
    `/* selectCredentials */ select * from (
       select ${COLUMNS} from ${scope.schema}.credentials
       where tenant = $1 and ($2::text is null or provider = $2) and ($4::text is null or id > $4::text::uuid)
     ) as credential
     where $3::text is null or status = $3
     order by id limit $5`,
    [scope.slug, provider ?? null, status ?? null, after ?? null, limit],
  )
}

/** A credential as it is read to be used. */
export interface SealedCredential extends CredentialRecord, SealedSecret {
  /** Milliseconds until it expires, by the database's clock; null: never. */
  readonly expiresInMs: number | null
}

type SealedRow = Omit<SealedCredential, "dataKey" | "secret"> & { readonly dataKey: string; readonly secret: string }

/** One credential with its sealed secret. */
export async function selectSealedCredential(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<SealedCredential | undefined> {
  const [row] = await tx.query<SealedRow>(
    `/* selectSealedCredential */ select ${COLUMNS}, key_id as "keyId", encode(data_key, 'base64') as "dataKey",
       encode(secret, 'base64') as secret, (extract(epoch from expires_at - now()) * 1000)::float8 as "expiresInMs"
     from ${scope.schema}.credentials where tenant = $1 and id = $2::text::uuid`,
    [scope.slug, id],
  )
  return row && { ...row, dataKey: Buffer.from(row.dataKey, "base64"), secret: Buffer.from(row.secret, "base64") }
}

/** A new secret for a credential. */
export interface Replacement extends SealedSecret {
  readonly id: string
  /** The version that it takes the place of. */
  readonly version: number
  /** Undefined: as before. */
  readonly scopes: readonly string[] | undefined
  /** Null: never; undefined: as before. */
  readonly expiresAt: Date | null | undefined
  /** Who holds the lease to refresh it, when that is why. */
  readonly refreshedBy?: string
}

/**
 * Gives a credential another secret, which makes it active.
 *
 * @returns undefined when it has another version by now, was revoked, or the lease is another's.
 */
export async function replaceSecret(
  tx: Queryable,
  scope: TenantScope,
  { id, version, scopes, expiresAt, refreshedBy, keyId, dataKey, secret }: Replacement,
): Promise<CredentialRecord | undefined> {
  const [row] = await tx.query<CredentialRecord>(
    `/* replaceSecret */ update ${scope.schema}.credentials
     set version = version + 1, key_id = $4, data_key = decode($5, 'base64'), secret = decode($6, 'base64'),
       scopes = coalesce($7::text::jsonb, scopes),
       expires_at = case when $8::boolean then $9::text::timestamptz else expires_at end,
       status = 'active', problem = null, updated_at = now(), refreshed_by = null, refresh_leased_until = null
     where tenant = $1 and id = $2::text::uuid and version = $3 and status <> 'revoked'
       and ($10::text is null or refreshed_by = $10)
     returning ${COLUMNS}`,
    [
      scope.slug,
      id,
      version,
      keyId,
      base64(dataKey),
      base64(secret),
      scopes === undefined ? null : JSON.stringify(scopes),
      expiresAt !== undefined,
      expiresAt?.toISOString() ?? null,
      refreshedBy ?? null,
    ],
  )
  return row
}

/**
 * Ends a credential for good and erases its secret.
 *
 * @returns undefined when there is none that is not revoked.
 */
export async function revokeCredential(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<CredentialRecord | undefined> {
  const [row] = await tx.query<CredentialRecord>(
    `/* revokeCredential */ update ${scope.schema}.credentials
     set status = 'revoked', key_id = '', data_key = '', secret = '', problem = null, updated_at = now(),
       refreshed_by = null, refresh_leased_until = null
     where tenant = $1 and id = $2::text::uuid and status <> 'revoked' returning ${COLUMNS}`,
    [scope.slug, id],
  )
  return row
}

/**
 * Removes a credential.
 *
 * @returns undefined when there was none.
 */
export async function deleteCredential(
  tx: Queryable,
  scope: TenantScope,
  id: string,
): Promise<CredentialRecord | undefined> {
  const [row] = await tx.query<CredentialRecord>(
    `/* deleteCredential */ delete from ${scope.schema}.credentials where tenant = $1 and id = $2::text::uuid
     returning ${COLUMNS}`,
    [scope.slug, id],
  )
  return row
}

/** Notes that credentials were used; at most once a minute for each, so that many uses are few writes. */
export async function touchCredentials(tx: Queryable, scope: TenantScope, ids: readonly string[]): Promise<void> {
  await tx.query(
    `/* touchCredentials */ update ${scope.schema}.credentials set last_used_at = now()
     where tenant = $1 and id = any($2::uuid[])
       and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
    [scope.slug, ids],
  )
}

/** Who refreshes a credential, and for how long nobody else may. */
export interface RefreshHolder {
  readonly worker: string
  readonly leaseMs: number
}

/** Takes the lease on a credential's refresh. False when another process has it, or its secret is new already. */
export async function leaseRefresh(
  tx: Queryable,
  scope: TenantScope,
  { id, version }: Pick<CredentialRecord, "id" | "version">,
  { worker, leaseMs }: RefreshHolder,
): Promise<boolean> {
  const rows = await tx.query(
    `/* leaseRefresh */ update ${scope.schema}.credentials
     set refreshed_by = $4, refresh_leased_until = now() + $5::float8 * interval '1 millisecond'
     where tenant = $1 and id = $2::text::uuid and version = $3 and status = 'active'
       and (refresh_leased_until is null or refresh_leased_until <= now())
     returning id`,
    [scope.slug, id, version, worker, leaseMs],
  )
  return rows.length > 0
}

/** Gives the lease back; with a problem, the credential is not to be used until it has another secret. */
export async function endRefresh(
  tx: Queryable,
  scope: TenantScope,
  id: string,
  worker: string,
  problem: string | null,
): Promise<void> {
  await tx.query(
    `/* endRefresh */ update ${scope.schema}.credentials
     set refreshed_by = null, refresh_leased_until = null, updated_at = now(), problem = $4::text,
       status = case when $4::text is null then status else 'error' end
     where tenant = $1 and id = $2::text::uuid and refreshed_by = $3`,
    [scope.slug, id, worker, problem],
  )
}

/** How many of a tenant's credentials each key seals. */
export async function countByKey(
  tx: Queryable,
  scope: TenantScope,
): Promise<readonly { readonly keyId: string; readonly count: number }[]> {
  return tx.query(
    `/* countByKey */ select key_id as "keyId", count(*)::float8 as count from ${scope.schema}.credentials
     where tenant = $1 and status <> 'revoked' group by key_id`,
    [scope.slug],
  )
}

/** A data key that another key of the ring is to seal. */
export interface WrappedDataKey {
  readonly id: string
  readonly version: number
  readonly keyId: string
  readonly dataKey: Uint8Array
}

/** Data keys that are not sealed by a key, by id, from behind one on. */
export async function selectOtherKeys(
  tx: Queryable,
  scope: TenantScope,
  keyId: string,
  after: string,
  limit: number,
): Promise<readonly WrappedDataKey[]> {
  const rows = await tx.query<Omit<WrappedDataKey, "dataKey"> & { readonly dataKey: string }>(
    `/* selectOtherKeys */ select id, version, key_id as "keyId", encode(data_key, 'base64') as "dataKey"
     from ${scope.schema}.credentials
     where tenant = $1 and key_id <> $2 and status <> 'revoked' and id > $3::text::uuid order by id limit $4`,
    [scope.slug, keyId, after, limit],
  )
  return rows.map((row) => ({ ...row, dataKey: Buffer.from(row.dataKey, "base64") }))
}

/** A data key under another key of the ring. */
export interface RewrappedDataKey extends WrappedDataKey {
  readonly before: string
}

/**
 * Stores data keys as another key sealed them, but for those that changed meanwhile.
 *
 * @returns how many were stored.
 */
export async function updateDataKeys(
  tx: Queryable,
  scope: TenantScope,
  keys: readonly RewrappedDataKey[],
): Promise<number> {
  const rows = await tx.query(
    `/* updateDataKeys */ update ${scope.schema}.credentials as credential
     set key_id = rewrapped."keyId", data_key = decode(rewrapped."dataKey", 'base64')
     from json_to_recordset($2::text::json) as rewrapped (id uuid, version integer, before text, "keyId" text, "dataKey" text)
     where credential.tenant = $1 and credential.id = rewrapped.id and credential.version = rewrapped.version
       and credential.key_id = rewrapped.before
     returning credential.id`,
    [scope.slug, JSON.stringify(keys.map((key) => ({ ...key, dataKey: base64(key.dataKey) })))],
  )
  return rows.length
}

/** Which of two schemas have a table of credentials. Reads the catalogue, not the tables. */
export async function selectCredentialSchemas(
  tx: Queryable,
  schemaNames: readonly string[],
): Promise<readonly string[]> {
  const rows = await tx.query<{ readonly name: string }>(
    `/* selectCredentialSchemas */ select nspname::text as name from pg_catalog.pg_class
     join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
     where relname = 'credentials' and relkind in ('r', 'p')
       and nspname::text in (select json_array_elements_text($1::text::json))`,
    [JSON.stringify(schemaNames)],
  )
  return rows.map(({ name }) => name)
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64")
}
