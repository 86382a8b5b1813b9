import { appendAudit, appendPlatformAudit } from "../audit/append-audit.ts"
import type { AuditActor } from "../audit/audit-entry.ts"
import { FleetPromptError, isFleetPromptError } from "../errors.ts"
import { newId } from "../signal/id.ts"
import { type RewrappedDataKey, selectOtherKeys, updateDataKeys, type WrappedDataKey } from "../store/credentials.ts"
import {
  insertKeyRotation,
  type KeyRotationRecord,
  retireRingKey,
  unretireRingKey,
  updateKeyRotation,
} from "../store/key-ring.ts"
import type { Database } from "../store/database.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { rewrapDataKey } from "./envelope.ts"
import { countSealed, type KeyCareDeps, readKeyStatus, scopesWithCredentials } from "./key-status.ts"

/** A credential that no key of the ring opens. */
export interface UnreadableCredential {
  readonly tenant: string
  readonly id: string
  readonly code: string
}

/** What came of a rotation. */
export interface RotationReport {
  readonly keyId: string
  /** Whether the key was made for this rotation; false when one before was taken up again, or the ring had it. */
  readonly isNewKey: boolean
  readonly rewrapped: number
  readonly unreadable: readonly UnreadableCredential[]
  /** Whether it was stopped; run again, it goes on. */
  readonly isStopped: boolean
}

/** How a rotation is made. */
export interface RotationOptions {
  /** Who asked for it, for the audit logs. */
  readonly actor: AuditActor
  /** Is told after each batch. */
  readonly onProgress?: (done: number, total: number) => void
  /** Ends it between two batches. */
  readonly stop?: AbortSignal
}

/** Data keys that are read and stored at once. */
const BATCH = 100
/** Data keys that a key service works on at once. */
const AT_ONCE = 16
/** How often to begin anew for what processes with an old ring sealed meanwhile. */
const MAX_PASSES = 3
/** Unreadable credentials that are named. */
const MAX_NAMED = 1_000
const FIRST_ID = "00000000-0000-0000-0000-000000000000"

/**
 * Seals everything by the current key of the ring, tenant by tenant. When all is sealed by it already, and the ring can
 * make a key (`keyFile`), a new one is made first.
 *
 * Each record names its key, so a rotation that was cut short is taken up by running it again, and several at once harm
 * nobody: a data key is stored only where the one that was read still stands.
 *
 * @throws FleetPromptError `config_invalid`, `key_unknown`, `secret_unreadable` for the root
 */
export async function rotateKeys(deps: KeyCareDeps, options: RotationOptions): Promise<RotationReport> {
  const { database, ring } = deps
  const before = await readKeyStatus(deps)
  const isNewKey = before.pending === 0 && ring.service.addKey !== undefined
  if (isNewKey) await ring.service.addKey?.()
  const keyId = await ring.noteCurrent()
  await appendPlatformAudit(database, [
    { action: "keys.rotate", resource: `key:${keyId}`, actor: options.actor, details: { isNewKey } },
  ])
  const rotation = new Rotation(deps, options, keyId)
  return { ...(await rotation.run()), isNewKey }
}

/**
 * Forgets a key of the ring that seals nothing any more.
 *
 * @throws FleetPromptError `key_in_use`, `key_unknown`, `config_invalid` when the ring's keys are kept elsewhere
 */
export async function removeKey(deps: KeyCareDeps, keyId: string, actor: AuditActor): Promise<void> {
  const { database, ring } = deps
  const { service } = ring
  if (!service.removeKey) throw keptElsewhere()
  if ((await service.currentKeyId()) === keyId) throw inUse(keyId, "is the current key")
  // From here on nobody seals anything by it, so that the count below stays true.
  await retireRingKey(database, keyId)
  const use = (await readKeyStatus(deps)).keys.find(({ id }) => id === keyId)
  if (use && !use.isRemovable) {
    await unretireRingKey(database, keyId)
    throw inUse(
      keyId,
      `seals ${use.credentials} credentials${use.sealsRoot ? " and the root of the derived keys" : ""}`,
    )
  }
  await appendPlatformAudit(database, [{ action: "keys.remove", resource: `key:${keyId}`, actor }])
  await service.removeKey(keyId)
}

class Rotation {
  readonly #deps: KeyCareDeps
  readonly #options: RotationOptions
  readonly #keyId: string
  readonly #id = newId()
  #rewrapped = 0
  #total = 0
  #unreadable = new Map<string, UnreadableCredential>()

  constructor(deps: KeyCareDeps, options: RotationOptions, keyId: string) {
    this.#deps = deps
    this.#options = options
    this.#keyId = keyId
  }

  async run(): Promise<Omit<RotationReport, "isNewKey">> {
    const { database, ring } = this.#deps
    await insertKeyRotation(database, this.#id, this.#keyId)
    try {
      await ring.rewrapRoot()
      for (let pass = 0; pass < MAX_PASSES && !this.#isStopped; pass += 1) if ((await this.#pass()) === 0) break
      await this.#note(this.#unreadable.size > 0 ? "failed" : this.#isStopped ? "running" : "completed")
    } catch (error) {
      await this.#note("failed")
      throw error
    }
    return {
      keyId: this.#keyId,
      rewrapped: this.#rewrapped,
      unreadable: [...this.#unreadable.values()],
      isStopped: this.#isStopped,
    }
  }

  get #isStopped(): boolean {
    return this.#options.stop?.aborted === true
  }

  /** Goes once through every tenant. Returns how many were not sealed by the key when it began. */
  async #pass(): Promise<number> {
    const { database, databases = [database] } = this.#deps
    const counts = await countSealed(this.#deps)
    counts.delete(this.#keyId)
    const left = [...counts.values()].reduce((sum, count) => sum + count, 0) - this.#unreadable.size
    this.#total = this.#rewrapped + Math.max(0, left)
    this.#tell()
    if (left > 0)
      for (const each of databases)
        for (const scope of await scopesWithCredentials(each)) await this.#tenant(scope, each)
    return Math.max(0, left)
  }

  async #tenant(scope: TenantScope, database: Database): Promise<void> {
    let after = FIRST_ID
    while (!this.#isStopped) {
      const found = await withinTenant(database, scope, (tx) => selectOtherKeys(tx, scope, this.#keyId, after, BATCH))
      const last = found.at(-1)
      if (!last) return
      after = last.id
      await this.#store(scope, await this.#rewrap(scope, found), database)
      await this.#note("running")
      this.#tell()
    }
  }

  async #rewrap(scope: TenantScope, found: readonly WrappedDataKey[]): Promise<readonly RewrappedDataKey[]> {
    const rewrapped: RewrappedDataKey[] = []
    for (let at = 0; at < found.length; at += AT_ONCE) {
      const some = found.slice(at, at + AT_ONCE).map((key) => this.#rewrapOne(scope, key))
      rewrapped.push(...(await Promise.all(some)).flatMap((key) => (key ? [key] : [])))
    }
    return rewrapped
  }

  async #rewrapOne({ slug }: TenantScope, key: WrappedDataKey): Promise<RewrappedDataKey | undefined> {
    const { id, version } = key
    try {
      const sealed = await rewrapDataKey(this.#deps.ring, { tenant: slug, id, version }, key)
      return { id, version, before: key.keyId, ...sealed }
    } catch (error) {
      if (!isFleetPromptError(error) || !isUnreadable(error)) throw error
      if (this.#unreadable.size < MAX_NAMED)
        this.#unreadable.set(`${slug} ${id}`, { tenant: slug, id, code: error.code })
      return undefined
    }
  }

  async #store(scope: TenantScope, keys: readonly RewrappedDataKey[], database: Database): Promise<void> {
    if (keys.length === 0) return
    const { actor } = this.#options
    this.#rewrapped += await withinTenant(database, scope, async (tx) => {
      const count = await updateDataKeys(tx, scope, keys)
      const details = { count }
      await appendAudit(tx, scope, [{ action: "credential.rewrap", resource: `key:${this.#keyId}`, actor, details }])
      return count
    })
  }

  #note(status: KeyRotationRecord["status"]): Promise<void> {
    const counts = { rewrapped: this.#rewrapped, unreadable: this.#unreadable.size }
    return updateKeyRotation(this.#deps.database, { id: this.#id, status, ...counts })
  }

  #tell(): void {
    this.#options.onProgress?.(this.#rewrapped, Math.max(this.#total, this.#rewrapped))
  }
}

function isUnreadable({ code }: FleetPromptError): boolean {
  return code === "secret_unreadable" || code === "key_unknown"
}

function inUse(keyId: string, why: string): FleetPromptError {
  return new FleetPromptError(
    "key_in_use",
    `expected a key that seals nothing, ${keyId} ${why}; run fleetprompt keys rotate and look at keys status`,
  )
}

function keptElsewhere(): FleetPromptError {
  return new FleetPromptError(
    "config_invalid",
    "expected a key file, the keys of this fleet are kept elsewhere; when keys status says that a key may go, take it out there",
  )
}
