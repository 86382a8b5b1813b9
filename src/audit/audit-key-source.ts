import { AuditVerifier, createAuditSigner, type TrustedKeys } from "./audit-keys.ts"
import type { AuditKeys } from "./chain-writer.ts"

/** Where the keys of audit logs come from. */
export interface AuditKeyOptions {
  /** 32 secret bytes to sign with. Default: derived from the fleet's key ring; without one heads are not signed. */
  readonly key?: Uint8Array
  /** Public keys that signed before, each `ed25519:…`. Default: none. */
  readonly trustedKeys?: TrustedKeys
}

/**
 * The keys of a fleet's audit logs, made when they are first asked for and then remembered.
 *
 * @param derive a key for this purpose of the fleet's key ring; undefined: it has none.
 */
export function auditKeySource(
  { key, trustedKeys = [] }: AuditKeyOptions,
  derive: () => Promise<Uint8Array | undefined>,
): () => Promise<AuditKeys> {
  let made: Promise<AuditKeys> | undefined
  const make = async (): Promise<AuditKeys> => {
    const seed = key ?? (await derive())
    const signer = seed && createAuditSigner(seed)
    return { signer, verifier: new AuditVerifier(signer ? [signer.publicKey, ...trustedKeys] : trustedKeys) }
  }
  return () => {
    made ??= make().catch((error: unknown) => {
      // Another call is to try again.
      made = undefined
      throw error
    })
    return made
  }
}
