import { LRUCache } from "lru-cache"
import { appendAudit } from "../audit/append-audit.ts"
import type { AuditActor, AuditEntry } from "../audit/audit-entry.ts"
import { FleetPromptError } from "../errors.ts"
import { isUuid, newId } from "../signal/id.ts"
import type { JsonObject } from "../signal/json.ts"
import {
  type CredentialRecord,
  deleteCredential,
  insertCredential,
  replaceSecret,
  revokeCredential,
  type SealedCredential,
  selectCredential,
  selectCredentials,
  selectSealedCredential,
} from "../store/credentials.ts"
import type { Database, Queryable } from "../store/database.ts"
import type { PlacedTenant, Placements } from "../store/placements.ts"
import { requireFeature } from "../store/tenant-features.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { Credential, type OnReveal } from "./credential.ts"
import {
  checkInput,
  checkList,
  checkTerms,
  type CredentialInput,
  type CredentialListOptions,
  type SecretInput,
} from "./credential-input.ts"
import { checkSecret, openSecret, sealSecret } from "./envelope.ts"
import type { KeyRing } from "./key-ring.ts"
import type { Opened } from "./opened.ts"
import { type CredentialRefresher, Refresh } from "./refresh.ts"
import { UseLog } from "./use-log.ts"

/** What the credentials of a fleet are kept with. */
export interface CredentialsDeps {
  readonly database: Database
  readonly placements: Placements
  readonly ring: KeyRing
  /** Names this process. */
  readonly worker: string
  readonly refreshers: readonly CredentialRefresher[]
}

/** How a use is to be noted, and who is told what is revealed. */
export interface UseOptions {
  readonly actor: AuditActor
  /** What else the audit log is to know: handler, signal. */
  readonly details?: JsonObject
  readonly correlationId?: string
  readonly onReveal?: OnReveal
}

/** How long what was read of a credential is used, milliseconds: a revocation is felt within two seconds. */
const FRESH_MS = 1_000
/** Most secrets that are remembered at once. */
const MAX_REMEMBERED = 500
/** How often a secret is sealed anew when another was quicker. */
const MAX_TRIES = 5

interface Remembered {
  readonly readAt: number
  readonly opened: Promise<Opened>
}

/**
 * Keeps the tenants' credentials. The table has them sealed; in memory a few are open, each for a second after
 * it was read, so that a revocation by another process is felt soon without any announcement.
 */
export class Credentials {
  readonly #deps: CredentialsDeps
  readonly #refresh: Refresh
  readonly #uses: UseLog
  readonly #remembered = new LRUCache<string, Remembered>({ max: MAX_REMEMBERED, ttl: FRESH_MS, ttlAutopurge: true })

  constructor(deps: CredentialsDeps) {
    this.#deps = deps
    this.#uses = new UseLog(deps.database)
    const read = (scope: TenantScope, id: string): Promise<Opened> => this.#read(scope, id)
    this.#refresh = new Refresh(deps.refreshers, { ...deps, read })
  }

  /** @throws FleetPromptError `credential_invalid`, `credential_exists`, `config_invalid`, `tenant_unknown` */
  async create(slug: string, input: CredentialInput, actor: AuditActor): Promise<CredentialRecord> {
    const { secret: given, provider, account, kind, scopes = [], expiresAt = null } = input
    checkInput(input)
    const secret = checkSecret(given)
    const scope = await this.#scopeOf(slug)
    const id = newId()
    const sealed = await sealSecret(this.#deps.ring, { tenant: slug, id, version: 1 }, secret)
    const createdBy = `${actor.kind}:${actor.id}`
    const fresh = { id, provider, account, kind, scopes, expiresAt, createdBy, ...sealed }
    return this.#change(scope, actor, "credential.create", { provider, account, kind }, async (tx) => {
      const record = await insertCredential(tx, scope, fresh)
      if (record) return record
      throw new FleetPromptError(
        "credential_exists",
        `expected no other ${kind} for that account of ${provider}, there is one; replace its secret, or revoke it first`,
      )
    })
  }

  /** @throws FleetPromptError `credential_invalid`, `credential_unknown`, `credential_unusable` when it was revoked */
  async replace(slug: string, id: string, input: SecretInput, actor: AuditActor): Promise<CredentialRecord> {
    const { scopes, expiresAt } = input
    checkTerms(input)
    const secret = checkSecret(input.secret)
    const scope = await this.#scopeOf(slug)
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const found = await this.#find(scope, id)
      if (found.status === "revoked") throw unusable("that was not revoked", "one that was")
      const place = { tenant: slug, id: found.id, version: found.version + 1 }
      const sealed = await sealSecret(this.#deps.ring, place, secret)
      const next = { id: found.id, version: found.version, scopes, expiresAt, ...sealed }
      const record = await this.#change(scope, actor, "credential.replace", {}, (tx) => replaceSecret(tx, scope, next))
      if (record) return record
    }
    throw unusable("that nobody else changes", `one that changed ${MAX_TRIES} times meanwhile`)
  }

  /** Without secrets. @throws FleetPromptError `query_invalid` */
  async list(slug: string, options: CredentialListOptions): Promise<readonly CredentialRecord[]> {
    const filter = checkList(options)
    const scope = await this.#scopeToRead(slug)
    return withinTenant(this.#deps.database, scope, (tx) => selectCredentials(tx, scope, filter))
  }

  /** Without its secret; undefined when there is none. */
  async get(slug: string, id: string): Promise<CredentialRecord | undefined> {
    if (!isUuid(id)) return undefined
    const scope = await this.#scopeToRead(slug)
    return withinTenant(this.#deps.database, scope, (tx) => selectCredential(tx, scope, id))
  }

  /** @throws FleetPromptError `credential_unknown` */
  async revoke(slug: string, id: string, actor: AuditActor): Promise<CredentialRecord> {
    // Whatever a tenant's state is, its secrets can be taken back.
    const scope = await this.#scopeToRead(slug)
    const revoked = isUuid(id)
      ? await this.#change(scope, actor, "credential.revoke", {}, (tx) => revokeCredential(tx, scope, id))
      : undefined
    return revoked ?? this.#find(scope, id)
  }

  /** @throws FleetPromptError `credential_unknown` */
  async remove(slug: string, id: string, actor: AuditActor): Promise<CredentialRecord> {
    const scope = await this.#scopeToRead(slug)
    const removed = isUuid(id)
      ? await this.#change(scope, actor, "credential.remove", {}, (tx) => deleteCredential(tx, scope, id))
      : undefined
    if (!removed) throw unknown()
    return removed
  }

  /** @throws FleetPromptError `credential_unknown`, `credential_unusable`, `secret_unreadable`, `key_unknown` */
  async use(slug: string, id: string, { onReveal, ...options }: UseOptions): Promise<Credential> {
    if (!isUuid(id)) throw unknown()
    const scope = await this.#scopeOf(slug)
    const read = await this.#recall(scope, id.toLowerCase())
    const opened = await this.#refresh.fresh(scope, read)
    if (opened !== read) this.#remember(scope, opened)
    const came = whyUnusable(opened)
    await this.#uses.note(scope, { id: opened.record.id, entry: useEntry(opened, options, came) })
    if (came !== undefined) throw unusable("that may be used", came)
    return new Credential(opened.record, opened.secret, onReveal)
  }

  async #scopeOf(slug: string): Promise<TenantScope> {
    return withCredentials(await this.#deps.placements.find(slug))
  }

  async #scopeToRead(slug: string): Promise<TenantScope> {
    return withCredentials(await this.#deps.placements.findToRead(slug))
  }

  async #find(scope: TenantScope, id: string): Promise<CredentialRecord> {
    const record = await this.get(scope.slug, id)
    if (!record) throw unknown()
    return record
  }

  /** Changes a credential and notes it in one commit; a change that found nothing is not noted. */
  async #change<Changed extends CredentialRecord | undefined>(
    scope: TenantScope,
    actor: AuditActor,
    action: string,
    details: JsonObject,
    change: (tx: Queryable) => Promise<Changed>,
  ): Promise<Changed> {
    const changed = await withinTenant(this.#deps.database, scope, async (tx) => {
      const record = await change(tx)
      if (!record) return record
      const entry = {
        action,
        resource: `credential:${record.id}`,
        actor,
        details: { ...details, version: record.version },
      }
      await appendAudit(tx, scope, [entry])
      return record
    })
    if (changed) this.#remembered.delete(`${scope.slug} ${changed.id}`)
    return changed
  }

  /** As it was read a moment ago, or now. Many who ask at once share one look. */
  #recall(scope: TenantScope, id: string): Promise<Opened> {
    const key = `${scope.slug} ${id}`
    const known = this.#remembered.get(key)
    if (known && performance.now() - known.readAt < FRESH_MS) return known.opened
    const readAt = performance.now()
    const opened = this.#read(scope, id)
    // What was not read is asked for again, and so is what is not there yet.
    opened.catch(() => this.#remembered.delete(key))
    this.#remembered.set(key, { readAt, opened }, { start: readAt })
    return opened
  }

  #remember(scope: TenantScope, opened: Opened): void {
    const readAt = performance.now()
    this.#remembered.set(`${scope.slug} ${opened.record.id}`, { readAt, opened: Promise.resolve(opened) })
  }

  async #read(scope: TenantScope, id: string): Promise<Opened> {
    const { database, ring } = this.#deps
    const readAt = performance.now()
    const sealed = await withinTenant(database, scope, (tx) => selectSealedCredential(tx, scope, id))
    if (!sealed) throw unknown()
    const place = { tenant: scope.slug, id, version: sealed.version }
    const secret = sealed.status === "revoked" ? {} : await openSecret(ring, place, sealed)
    return { record: recordOf(sealed), secret, expiresAtMs: readAt + (sealed.expiresInMs ?? Number.POSITIVE_INFINITY) }
  }
}

function recordOf({ keyId: _key, dataKey: _data, secret: _secret, expiresInMs: _in, ...record }: SealedCredential) {
  return record
}

/** What is in the way of a use; undefined when nothing is. */
function whyUnusable({ record, expiresAtMs }: Opened): string | undefined {
  if (record.status === "revoked") return "one that was revoked"
  if (record.status === "error") return "one whose refresh the provider refused"
  if (record.status === "expired" || expiresAtMs <= performance.now()) return "one that has expired"
  return undefined
}

function useEntry({ record }: Opened, { actor, details = {}, correlationId }: UseOptions, came?: string): AuditEntry {
  return {
    action: "credential.use",
    resource: `credential:${record.id}`,
    actor,
    details: { ...details, version: record.version },
    ...(came !== undefined && { outcome: "denied" }),
    ...(correlationId !== undefined && { correlationId }),
  }
}

function unknown(): FleetPromptError {
  return new FleetPromptError(
    "credential_unknown",
    "expected the id of a credential of this tenant, got another; tenant.credentials.list() shows them",
  )
}

function unusable(expected: string, came: string): FleetPromptError {
  return new FleetPromptError(
    "credential_unusable",
    `expected a credential ${expected}, got ${came}; store a new secret`,
  )
}

/** @throws FleetPromptError `tenant_behind` when the tenant has no table for them yet */
function withCredentials({ scope, schema }: PlacedTenant): TenantScope {
  requireFeature(schema, "credentials")
  return scope
}
