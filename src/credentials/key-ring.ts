import { FleetPromptError, isFleetPromptError } from "../errors.ts"
import type { Queryable } from "../store/database.ts"
import {
  insertKeyRoot,
  insertRingKey,
  type KeyRootRecord,
  rewrapKeyRoot,
  selectKeyRoot,
  selectRingKeys,
} from "../store/key-ring.ts"
import type { KeyService, WrappedKey } from "./key-service.ts"
import { deriveKey, KEY_BYTES, newKey, unreadable } from "./sealed-box.ts"

/** What a derived key is for; each purpose has a key of its own. */
export type KeyPurpose = "api_keys" | "audit_head" | "sessions" | "sign_in" | "webhooks"

/** How long a key that was looked up is taken for one that may seal, milliseconds. */
const NOTED_MS = 1_000
/** What a derived key's root belongs to. */
const ROOT_BOUND = JSON.stringify(["key_roots", "wrapped"])

/**
 * The keys of one fleet. The key service has the ring itself; the database knows by which of its keys each secret is
 * sealed. Two things are sealed by it: the data keys of credentials, and one root secret, from which the keys of single
 * purposes are derived. The root stays when the ring is rotated, and so do they.
 */
export class KeyRing {
  readonly #database: Queryable
  readonly #service: KeyService | undefined
  #root: Promise<Uint8Array> | undefined
  #noted: { readonly keyId: string; readonly at: number } | undefined

  /** @param service undefined: the fleet has no keys, which whoever needs one is told. */
  constructor(database: Queryable, service: KeyService | undefined) {
    this.#database = database
    this.#service = service
  }

  /** The keys themselves. @throws FleetPromptError `config_invalid` when the fleet was given none */
  get service(): KeyService {
    if (this.#service) return this.#service
    throw new FleetPromptError(
      "config_invalid",
      "expected a key ring, this fleet has none; set FLEETPROMPT_KEYS or FLEETPROMPT_KEYS_FILE for the command line, or pass `keys` to createFleet, and make a key by fleetprompt keys generate",
    )
  }

  /** Whether there are keys at all. */
  get isThere(): boolean {
    return this.#service !== undefined
  }

  /**
   * A key of 32 bytes for one purpose, the same in every process of the fleet and after each rotation.
   *
   * @throws FleetPromptError `config_invalid`, `key_unknown`, `secret_unreadable`
   * @example
   * const pepper = await keyRing.derive("api_keys")
   */
  async derive(purpose: KeyPurpose): Promise<Uint8Array> {
    const root = this.#root ?? this.#openRoot()
    this.#root = root
    // Another call is to try again.
    root.catch(() => {
      if (this.#root === root) this.#root = undefined
    })
    return deriveKey(await root, `purpose ${purpose}`)
  }

  /** Seals a key, and notes by which. @throws FleetPromptError `config_invalid` */
  async wrap(key: Uint8Array, bound: string): Promise<WrappedKey> {
    const wrapped = await this.service.wrap(key, bound)
    await this.#note(wrapped.keyId)
    return wrapped
  }

  /** @throws FleetPromptError `key_unknown`, `secret_unreadable` */
  async unwrap(wrapped: WrappedKey, bound: string): Promise<Uint8Array> {
    const key = await this.service.unwrap(wrapped, bound).catch(refuse)
    if (key.length !== KEY_BYTES) throw unreadable()
    return key
  }

  /** Notes the current key before anything is sealed by it. Returns its id. */
  async noteCurrent(): Promise<string> {
    const keyId = await this.service.currentKeyId()
    await this.#note(keyId)
    return keyId
  }

  /** Seals the root by the current key. */
  async rewrapRoot(): Promise<void> {
    const root = await selectKeyRoot(this.#database)
    if (!root || root.keyId === (await this.service.currentKeyId())) return
    const key = await this.unwrap(root, ROOT_BOUND)
    await rewrapKeyRoot(this.#database, root, await this.wrap(key, ROOT_BOUND))
    key.fill(0)
  }

  /** Which key seals the root; undefined before it is there. */
  async rootKeyId(): Promise<string | undefined> {
    return (await selectKeyRoot(this.#database))?.keyId
  }

  async #openRoot(): Promise<Uint8Array> {
    const root = (await selectKeyRoot(this.#database)) ?? (await this.#makeRoot())
    return this.unwrap(root, ROOT_BOUND)
  }

  /** Of two processes that make one, one is stored and both read it. */
  async #makeRoot(): Promise<KeyRootRecord> {
    const key = newKey()
    await insertKeyRoot(this.#database, await this.wrap(key, ROOT_BOUND))
    key.fill(0)
    const root = await selectKeyRoot(this.#database)
    if (!root) throw new Error("the key root that was stored is gone")
    return root
  }

  async #note(keyId: string): Promise<void> {
    const at = performance.now()
    if (this.#noted?.keyId === keyId && at - this.#noted.at < NOTED_MS) return
    const fingerprint = (await this.service.keys?.())?.find(({ id }) => id === keyId)?.fingerprint ?? null
    await insertRingKey(this.#database, { id: keyId, fingerprint })
    const known = (await selectRingKeys(this.#database)).find(({ id }) => id === keyId)
    if (known?.retiredAt) throw wrongKey(keyId, "one that is in use", "one that was removed from the ring")
    if (fingerprint !== null && known?.fingerprint && known.fingerprint !== fingerprint)
      throw wrongKey(keyId, "the key that this database knows by that id", "another one")
    this.#noted = { keyId, at }
  }
}

function wrongKey(keyId: string, expected: string, came: string): FleetPromptError {
  return new FleetPromptError(
    "config_invalid",
    `expected ${expected} as ${keyId} of the key ring, got ${came}; give each process the same keys, and a new key an id of its own`,
  )
}

/** What a service says may hold anything; whoever reads the error learns that it did not open, and nothing else. */
function refuse(error: unknown): never {
  if (isFleetPromptError(error) && error.code === "key_unknown") throw error
  throw unreadable()
}
