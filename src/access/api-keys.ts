import { appendAudit } from "../audit/append-audit.ts"
import { FleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import {
  type ApiKeyOwner,
  type ApiKeyRecord,
  insertApiKey,
  lockApiKey,
  type LockedApiKey,
  replaceApiKey,
  revokeApiKey,
  selectApiKey,
  selectApiKeys,
} from "../store/api-keys.ts"
import type { Announcer } from "../store/announcer.ts"
import type { Database, Transaction } from "../store/database.ts"
import { selectMember } from "../store/memberships.ts"
import { lockServiceAccount } from "../store/service-accounts.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { type Acting, type ActingOptions, system } from "./acting.ts"
import type { PepperSource } from "./api-key-checker.ts"
import {
  type ApiKeyOptions,
  checkKeyOptions,
  checkOverlap,
  DEFAULT_LIFETIME_MS,
  DEFAULT_OVERLAP_MS,
} from "./api-key-options.ts"
import { hashApiKey, makeApiKey } from "./api-key-text.ts"

/** A key that was made just now. */
export interface NewKey {
  /** The key itself. It is kept nowhere: whoever loses it makes another. */
  readonly key: string
  readonly record: ApiKeyRecord
}

/** Which keys to list. */
export interface ApiKeyListOptions {
  /** How many, 1 to 500. Default 100. */
  readonly limit?: number
  /** Id of the last key of the page before. */
  readonly before?: string
  /** Only those of one owner. */
  readonly owner?: ApiKeyOwner
}

/** One tenant's API keys. Each change stands in the tenant's audit log, in the same commit. */
export interface TenantApiKeys {
  /**
   * Makes a key. Its text is in the answer and nowhere else.
   *
   * @throws FleetPromptError `forbidden`, `api_key_invalid`, `api_key_limit`, `service_account_unknown`, `member_unknown`,
   * `tenant_unknown`
   * @example
   * const { key } = await fleet.tenant("acme").apiKeys.create({
   *   name: "nightly import", role: "member", scopes: ["signals:emit"], owner: { kind: "service_account", id: account.id },
   * })
   */
  readonly create: (options: ApiKeyOptions, acting?: ActingOptions) => Promise<NewKey>
  /** The latest first, those that have ended too. */
  readonly list: (options?: ApiKeyListOptions) => Promise<readonly ApiKeyRecord[]>
  /** One, or undefined. */
  readonly get: (id: string) => Promise<ApiKeyRecord | undefined>
  /**
   * Makes a key that takes the place of another, with its name, owner, role, scopes and lifetime. Both work until the
   * overlap ends; one that was replaced before ends at once, so that there are never more than two.
   *
   * @throws FleetPromptError `forbidden`, `api_key_unknown`, `api_key_ended`, `api_key_invalid`, `api_key_limit`
   */
  readonly rotate: (id: string, options?: RotateOptions) => Promise<NewKey>
  /**
   * Ends a key: within 2 seconds it works in no process.
   *
   * @returns false: it had ended before.
   * @throws FleetPromptError `forbidden`, `api_key_unknown`
   */
  readonly revoke: (id: string, acting?: ActingOptions) => Promise<boolean>
}

/** How a key is replaced. */
export interface RotateOptions extends ActingOptions {
  /** How long both keys work, milliseconds, at most 30 days. Default 24 hours; 0: the old one ends at once. */
  readonly overlapMs?: number
}

/** What keys are kept with. */
export interface ApiKeysDeps {
  readonly database: Database
  readonly placements: { readonly findToRead: (slug: string) => Promise<{ readonly scope: TenantScope }> }
  readonly announcer: Pick<Announcer, "changed">
  readonly apiKeys: { readonly environment: string; readonly peppers: PepperSource }
}

/** Keys of a tenant that work at the same time, at most. */
const MAX_LIVE = 1_000
const DEFAULT_PAGE = 100
const MAX_PAGE = 500

/** The API keys of one tenant. */
export function openApiKeys(slug: string, deps: () => ApiKeysDeps): TenantApiKeys {
  return Object.freeze({
    create: (options: ApiKeyOptions, { by = system }: ActingOptions = {}) => create(slug, options, by, deps()),
    list: (options: ApiKeyListOptions = {}) =>
      within(slug, deps(), (tx, scope) =>
        selectApiKeys(tx, scope, { ...options, limit: checkPage(options.limit ?? DEFAULT_PAGE) }),
      ),
    get: (id: string) => within(slug, deps(), (tx, scope) => selectApiKey(tx, scope, id)),
    rotate: (id: string, options: RotateOptions = {}) => rotate(slug, id, options, deps()),
    revoke: (id: string, { by = system }: ActingOptions = {}) => revoke(slug, id, by, deps()),
  })
}

async function within<Result>(
  slug: string,
  { database, placements }: Pick<ApiKeysDeps, "database" | "placements">,
  run: (tx: Transaction, scope: TenantScope) => Promise<Result>,
): Promise<Result> {
  const { scope } = await placements.findToRead(slug)
  return withinTenant(database, scope, (tx) => run(tx, scope))
}

async function create(slug: string, options: ApiKeyOptions, by: Acting, deps: ApiKeysDeps): Promise<NewKey> {
  checkKeyOptions(options)
  const { name, role, owner, scopes = null, lifetimeMs = DEFAULT_LIFETIME_MS } = options
  by.authorise("api_keys:create", { belongsTo: owner.id, role, scopes })
  const made = await newKey(deps)
  const record = await within(slug, deps, async (tx, scope) => {
    await checkOwner(tx, scope, owner)
    const key = { ...made.stored, name, role, owner, scopes, lifetimeMs, createdBy: nameOf(by), family: made.stored.id }
    const inserted = await insertApiKey(tx, scope, key, MAX_LIVE)
    if (!inserted) throw tooManyKeys()
    await appendAudit(tx, scope, [entry("api_key.create", inserted, by, detailsOf(inserted))])
    return inserted
  })
  return { key: made.text, record }
}

/** A key's text, and what is stored of it. */
async function newKey({ apiKeys }: ApiKeysDeps) {
  const { text, id } = makeApiKey(apiKeys.environment)
  const [pepper] = await apiKeys.peppers()
  if (!pepper) throw new FleetPromptError("config_invalid", "expected a pepper for API keys, got none; configure one")
  return { text, stored: { id, hash: hashApiKey(text, pepper), pepper: pepper.id } }
}

async function rotate(
  slug: string,
  id: string,
  { overlapMs = DEFAULT_OVERLAP_MS, by = system }: RotateOptions,
  deps: ApiKeysDeps,
): Promise<NewKey> {
  checkOverlap(overlapMs)
  const made = await newKey(deps)
  const record = await within(slug, deps, async (tx, scope) => {
    const found = await lockApiKey(tx, scope, id)
    if (!found) throw unknownKey(id)
    const { name, role, owner, scopes, family, lifetimeMs } = found
    // Whoever gets the new key may do what the old one may.
    by.authorise("api_keys:rotate", { id, belongsTo: owner.id, role, scopes })
    const old = rotatable(found)
    await replaceApiKey(tx, scope, old, made.stored.id, overlapMs)
    const key = { ...made.stored, name, role, owner, scopes, lifetimeMs, createdBy: nameOf(by), family }
    const inserted = await insertApiKey(tx, scope, key, MAX_LIVE)
    if (!inserted) throw tooManyKeys()
    await appendAudit(tx, scope, [entry("api_key.rotate", old, by, { replacedBy: inserted.id, overlapMs })])
    return inserted
  })
  deps.announcer.changed({ access: true })
  return { key: made.text, record }
}

function rotatable(key: LockedApiKey): LockedApiKey {
  if (key.status === "active" && key.replacedBy === null) return key
  const [state, todo] =
    key.replacedBy === null ? [key.status, "make a new one"] : [`replaced by ${key.replacedBy}`, "rotate that one"]
  throw new FleetPromptError("api_key_ended", `expected an API key that is active, ${key.id} is ${state}; ${todo}`)
}

async function revoke(slug: string, id: string, by: Acting, deps: ApiKeysDeps): Promise<boolean> {
  const wasActive = await within(slug, deps, async (tx, scope) => {
    const key = await lockApiKey(tx, scope, id)
    if (!key) throw unknownKey(id)
    by.authorise("api_keys:revoke", { id, belongsTo: key.owner.id, role: key.role })
    const revoked = await revokeApiKey(tx, scope, id)
    if (revoked) await appendAudit(tx, scope, [entry("api_key.revoke", revoked, by, { name: revoked.name })])
    return revoked !== undefined
  })
  if (wasActive) deps.announcer.changed({ access: true })
  return wasActive
}

/** An owner who is removed just now must not leave a key that works. */
async function checkOwner(tx: Transaction, scope: TenantScope, { kind, id }: ApiKeyOwner): Promise<void> {
  if (kind === "user" && !(await selectMember(tx, scope, id)))
    throw new FleetPromptError(
      "member_unknown",
      "expected the id of a member of this tenant as the key's owner, there is none; invite the person first",
    )
  if (kind === "service_account" && !(await lockServiceAccount(tx, scope, id)))
    throw new FleetPromptError(
      "service_account_unknown",
      "expected the id of a service account of this tenant as the key's owner, there is none; make one first",
    )
}

function nameOf({ actor }: Acting): string {
  return `${actor.kind}:${actor.id}`
}

function entry(action: string, { id }: Pick<ApiKeyRecord, "id">, { actor }: Acting, details: JsonObject) {
  return { action, resource: `api_key:${id}`, actor, details }
}

function detailsOf({ name, role, scopes, owner, expiresAt }: ApiKeyRecord): JsonObject {
  return {
    name,
    role,
    scopes: scopes === null ? null : [...scopes],
    owner: `${owner.kind}:${owner.id}`,
    expiresAt: expiresAt?.toISOString() ?? null,
  }
}

function checkPage(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE) return limit
  throw new FleetPromptError("query_invalid", `expected a whole number from 1 to ${MAX_PAGE} as limit`, {
    path: "limit",
  })
}

function unknownKey(id: string): FleetPromptError {
  return new FleetPromptError(
    "api_key_unknown",
    `expected the id of an API key of this tenant, there is none with ${JSON.stringify(id.slice(0, 40))}; list the keys`,
  )
}

function tooManyKeys(): FleetPromptError {
  return new FleetPromptError(
    "api_key_limit",
    `expected fewer than ${MAX_LIVE} API keys that work, the tenant has that many; revoke some first`,
  )
}
