import { LRUCache } from "lru-cache"
import type { CheckedApiKey } from "../store/api-key-checks.ts"
import type { Queryable } from "../store/database.ts"
import { AccessWatch } from "./access-watch.ts"
import { ApiKeyLookups } from "./api-key-lookups.ts"
import { type ApiKeyPepper, type ApiKeyText, hashApiKey, isSameHash, readApiKey } from "./api-key-text.ts"
import { ApiKeyUses } from "./api-key-uses.ts"
import type { Principal } from "./principal.ts"

/**
 * The peppers of keys: the first one is for new keys, the others for keys that were made with them. Asked once, when
 * the first key is made or checked.
 */
export type PepperSource = () => Promise<readonly ApiKeyPepper[]>

/** What keys are checked with. */
export interface ApiKeyCheckerDeps {
  /** For the engine's own statements. */
  readonly engine: Queryable
  readonly peppers: PepperSource
  /** Keys of other environments do not work. */
  readonly environment: string
  /** Is told when something that runs by itself failed; it will be tried again. */
  readonly onError: (error: unknown) => void
  /** Keys that are remembered at most. */
  readonly maxRemembered: number
}

interface Remembered {
  readonly key: CheckedApiKey
  readonly principal: Principal | undefined
  /** When it ends, milliseconds of `performance.now()`. */
  readonly endsAt: number
  /** When the database was asked, milliseconds of `performance.now()`. */
  readonly readAt: number
  /** When its use was last noted. */
  usedAt: number
}

/** How often a key's use is noted, milliseconds. */
const USE_EVERY_MS = 60_000
/** How long an id that no key has is remembered, milliseconds. No key can get it later. */
const UNKNOWN_MS = 30_000

/**
 * Says whose an API key is. State: keys by id, as the database had them, without their texts; the truth is the
 * database. What is remembered counts for a second, and longer only because the watch sees each half second that
 * the tenant's callers have not changed. So a revoked key is out in every process within 2 seconds, at once where the
 * announcement is heard, and also when announcements are lost; when the database does not answer, so do checks.
 */
export class ApiKeyChecker {
  readonly #deps: ApiKeyCheckerDeps
  readonly #lookups: ApiKeyLookups
  readonly #uses: ApiKeyUses
  readonly #watch: AccessWatch
  readonly #known: LRUCache<string, Remembered>
  readonly #unknown: LRUCache<string, true>

  constructor(deps: ApiKeyCheckerDeps) {
    this.#deps = deps
    this.#lookups = new ApiKeyLookups(deps.engine)
    this.#uses = new ApiKeyUses(deps)
    this.#watch = new AccessWatch({ ...deps, onChange: (tenants) => this.#forget(tenants) })
    this.#known = new LRUCache({ max: deps.maxRemembered })
    this.#unknown = new LRUCache({ max: deps.maxRemembered, ttl: UNKNOWN_MS })
  }

  /** How many keys are remembered, known and unknown ones. */
  get remembered(): number {
    return this.#known.size + this.#unknown.size
  }

  /**
   * Whose a key is; undefined when it is none, or does not work any more.
   *
   * @param address from where it came, for `lastUsedFrom`.
   * @throws FleetPromptError `database_busy` and what the database throws, when that has to be asked
   */
  async check(text: string, address?: string): Promise<Principal | undefined> {
    const key = readApiKey(text)
    if (!key || key.environment !== this.#deps.environment) return undefined
    const remembered = this.#fresh(key.id) ?? (await this.#ask(key.id))
    if (!remembered || performance.now() >= remembered.endsAt) return undefined
    const peppers = await this.#deps.peppers()
    if (!isGenuine(key, remembered, peppers)) return undefined
    if (remembered.principal) this.#noteUse(key, remembered, peppers[0], address)
    return remembered.principal
  }

  /** Callers of a tenant may have changed, in this process or another. */
  changed(): void {
    this.#watch.look()
  }

  /** Begins to watch for changes. */
  start(): Promise<void> {
    return this.#watch.start()
  }

  /** Ends the watch and notes the last uses. */
  async stop(): Promise<void> {
    await this.#watch.stop()
    await this.#uses.flushed()
  }

  /** Resolves when all uses so far have been noted. */
  flushed(): Promise<void> {
    return this.#uses.flushed()
  }

  #fresh(id: string): Remembered | undefined {
    const remembered = this.#known.get(id)
    return remembered && this.#watch.isTrusted(remembered.readAt) ? remembered : undefined
  }

  async #ask(id: string): Promise<Remembered | undefined> {
    if (this.#unknown.has(id)) return undefined
    const readAt = performance.now()
    const round = this.#watch.round
    const key = await this.#lookups.find(id)
    if (!key) {
      this.#unknown.set(id, true)
      return undefined
    }
    const remembered = rememberedOf(key, readAt)
    // A change that was seen meanwhile may be newer than what was read.
    if (round === this.#watch.round) this.#known.set(id, remembered)
    return remembered
  }

  #noteUse(
    { text }: ApiKeyText,
    remembered: Remembered,
    current: ApiKeyPepper | undefined,
    address: string | undefined,
  ): void {
    const now = performance.now()
    if (now - remembered.usedAt < USE_EVERY_MS) return
    remembered.usedAt = now
    const isOld = current && current.id !== remembered.key.pepper
    const rehash = isOld ? { hash: hashApiKey(text, current), pepper: current.id } : null
    this.#uses.add(remembered.key.id, { address: address ?? null, rehash })
  }

  #forget(tenants: ReadonlySet<string>): void {
    for (const [id, { key }] of this.#known.entries()) if (tenants.has(key.tenant)) this.#known.delete(id)
  }
}

function isGenuine({ text }: ApiKeyText, { key }: Remembered, peppers: readonly ApiKeyPepper[]): boolean {
  const pepper = peppers.find(({ id }) => id === key.pepper)
  return pepper !== undefined && isSameHash(hashApiKey(text, pepper), key.hash)
}

function rememberedOf(key: CheckedApiKey, readAt: number): Remembered {
  return {
    key,
    principal: principalOf(key),
    endsAt: readAt + (key.expiresInMs ?? Number.POSITIVE_INFINITY),
    readAt,
    usedAt: readAt - (key.usedMsAgo ?? Number.POSITIVE_INFINITY),
  }
}

const RANK = { member: 1, admin: 2, owner: 3 } as const

/** What a key may is the least of its own role and its owner's. */
function principalOf({ id, tenant, role, ownerRole, owner, scopes }: CheckedApiKey): Principal | undefined {
  if (ownerRole === null) return undefined
  const isAccount = owner.kind === "service_account"
  return Object.freeze({
    kind: isAccount ? "service_account" : "api_key",
    id: isAccount ? owner.id : id,
    key: id,
    tenant,
    role: RANK[ownerRole] < RANK[role] ? ownerRole : role,
    ...(scopes && { scopes: Object.freeze([...scopes]) }),
  })
}
