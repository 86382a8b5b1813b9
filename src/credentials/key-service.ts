/** A key that was sealed by a key of the ring. */
export interface WrappedKey {
  /** Id of the ring's key that sealed it. */
  readonly keyId: string
  readonly wrapped: Uint8Array
}

/**
 * What seals the keys of single records: `localKeys`, `keyFile`, or a key management service behind these two calls.
 * `keyServiceContract` says how each must behave.
 */
export interface KeyService {
  /**
   * Seals a key of 32 bytes by the ring's current key.
   *
   * @param bound what the key belongs to, at most 500 characters; it opens only with the same. A service has a place
   * for it: `EncryptionContext` of AWS KMS, `additionalAuthenticatedData` of Google Cloud KMS.
   */
  readonly wrap: (key: Uint8Array, bound: string) => Promise<WrappedKey>
  /**
   * Opens it again, whichever key of the ring sealed it.
   *
   * @throws whatever; the ring makes `secret_unreadable` of it. FleetPromptError `key_unknown` when it has no such key
   */
  readonly unwrap: (key: WrappedKey, bound: string) => Promise<Uint8Array>
  /** Id of the key that `wrap` uses now. */
  readonly currentKeyId: () => Promise<string>
  /** Which keys it has, and what tells two of one id apart; undefined when it cannot say. */
  readonly keys?: () => Promise<readonly RingKey[]>
  /** Puts a new key first, for `fleetprompt keys rotate`; a service without it is given its new key elsewhere. */
  readonly addKey?: () => Promise<string>
  /** Forgets a key, once nothing is sealed by it. */
  readonly removeKey?: (keyId: string) => Promise<void>
}

/** A key of the ring, as it may be told. */
export interface RingKey {
  readonly id: string
  /** Made from the key, of no use for finding it. */
  readonly fingerprint: string
}
