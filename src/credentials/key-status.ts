import { countByKey, selectCredentialSchemas } from "../store/credentials.ts"
import type { Database } from "../store/database.ts"
import { type KeyRotationRecord, selectLatestKeyRotation, selectRingKeys } from "../store/key-ring.ts"
import { schemaName, type TenantScope, tenantScope } from "../store/tenant-scope.ts"
import { selectTenants } from "../store/tenants.ts"
import { withinTenant } from "../store/within-tenant.ts"
import type { KeyRing } from "./key-ring.ts"

/** What the key ring of a fleet is looked after with. */
export interface KeyCareDeps {
  readonly database: Database
  readonly ring: KeyRing
  /** All databases that have credentials. Default: that one. */
  readonly databases?: readonly Database[]
}

/** One key of the ring, and what it seals. */
export interface KeyUse {
  readonly id: string
  /** Whether everything new is sealed by it. */
  readonly isCurrent: boolean
  /** Whether the ring of this process has it; null when its key service does not tell. */
  readonly isInRing: boolean | null
  /** Credentials of all tenants that are sealed by it. */
  readonly credentials: number
  /** Whether it seals the root of the derived keys. */
  readonly sealsRoot: boolean
  /** Whether nothing would be lost without it. */
  readonly isRemovable: boolean
}

/** How the key ring stands. */
export interface KeyStatus {
  readonly currentKeyId: string
  readonly keys: readonly KeyUse[]
  /** What is not sealed by the current key. */
  readonly pending: number
  readonly latestRotation: KeyRotationRecord | null
}

/** Tenants that are counted at once. */
const COUNTED_AT_ONCE = 4

/** How the ring stands; counts by reading every tenant. */
export async function readKeyStatus(deps: KeyCareDeps): Promise<KeyStatus> {
  const { database, ring } = deps
  const { service } = ring
  const currentKeyId = await service.currentKeyId()
  const counts = await countSealed(deps)
  const rootKeyId = await ring.rootKeyId()
  const inRing = (await service.keys?.())?.map(({ id }) => id)
  const seen = (await selectRingKeys(database)).map(({ id }) => id)
  const ids = [...new Set([currentKeyId, ...(inRing ?? []), ...seen, ...counts.keys()])]
  const keys = ids.map((id) => useOf(id, { currentKeyId, inRing, counts, rootKeyId }))
  const pending = keys.filter(({ isCurrent }) => !isCurrent).reduce((sum, key) => sum + key.credentials, 0)
  const latestRotation = (await selectLatestKeyRotation(database)) ?? null
  return {
    currentKeyId,
    keys,
    pending: pending + Number(rootKeyId !== undefined && rootKeyId !== currentKeyId),
    latestRotation,
  }
}

interface Uses {
  readonly currentKeyId: string
  readonly inRing: readonly string[] | undefined
  readonly counts: ReadonlyMap<string, number>
  readonly rootKeyId: string | undefined
}

function useOf(id: string, { currentKeyId, inRing, counts, rootKeyId }: Uses): KeyUse {
  const credentials = counts.get(id) ?? 0
  const isCurrent = id === currentKeyId
  const sealsRoot = id === rootKeyId
  const isRemovable = !isCurrent && credentials === 0 && !sealsRoot
  return { id, isCurrent, isInRing: inRing?.includes(id) ?? null, credentials, sealsRoot, isRemovable }
}

/** Every place that has credentials of a tenant: also where a tenant has moved away from, while it is kept. */
export async function scopesWithCredentials(database: Database): Promise<readonly TenantScope[]> {
  const tenants = await selectTenants(database)
  const scopes = tenants.flatMap(({ slug }) => [tenantScope(slug, "own"), tenantScope(slug, "shared")])
  const names = [...new Set(scopes.map(({ slug, placement }) => schemaName(slug, placement)))]
  const there = new Set(await selectCredentialSchemas(database, names))
  return scopes.filter(({ slug, placement }) => there.has(schemaName(slug, placement)))
}

/** How many credentials each key seals, of all tenants. */
export async function countSealed({ database, databases = [database] }: KeyCareDeps): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for (const each of databases) await addSealed(counts, each)
  return counts
}

async function addSealed(counts: Map<string, number>, database: Database): Promise<void> {
  const scopes = await scopesWithCredentials(database)
  for (let at = 0; at < scopes.length; at += COUNTED_AT_ONCE) {
    const some = scopes.slice(at, at + COUNTED_AT_ONCE)
    const found = await Promise.all(some.map((scope) => withinTenant(database, scope, (tx) => countByKey(tx, scope))))
    for (const { keyId, count } of found.flat()) counts.set(keyId, (counts.get(keyId) ?? 0) + count)
  }
}
