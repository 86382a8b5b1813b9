import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto"
import { FleetPromptError } from "../errors.ts"

/** Signs the heads of audit logs. The database never has its key. */
export interface AuditSigner {
  /** Names the key: the first 16 hex digits of the SHA-256 of the public key. */
  readonly keyId: string
  /** The public key as `ed25519:<base64url>`, for whoever checks; it is no secret. */
  readonly publicKey: string
  /** An Ed25519 signature (RFC 8032), base64. */
  readonly sign: (text: string) => string
}

/** Whom a check of an audit log believes: public keys as `ed25519:<base64url>`. */
export type TrustedKeys = readonly string[]

const SEED_BYTES = 32
/** What stands before the seed in PKCS #8 and before the public key in SPKI for Ed25519 (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex")
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex")
const PREFIX = "ed25519:"

/**
 * Makes a signer from 32 secret bytes, such as a key ring derives for the purpose `audit`. The same bytes make the
 * same signer in every process.
 *
 * @throws FleetPromptError `config_invalid`
 * @example
 * const signer = createAuditSigner(randomBytes(32))
 * signer.publicKey // "ed25519:…"
 */
export function createAuditSigner(seed: Uint8Array): AuditSigner {
  if (seed.length !== SEED_BYTES)
    throw new FleetPromptError(
      "config_invalid",
      `expected ${SEED_BYTES} bytes as the audit log's signing key, got ${seed.length}; use random bytes of that length`,
    )
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" })
  const raw = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(SPKI_PREFIX.length)
  return Object.freeze({
    keyId: keyIdOf(raw),
    publicKey: PREFIX + raw.toString("base64url"),
    sign: (text: string) => sign(null, Buffer.from(text), key).toString("base64"),
  })
}

/** Checks signatures by the keys that are trusted, by their ids. */
export class AuditVerifier {
  readonly #keys = new Map<string, KeyObject>()

  /** @throws FleetPromptError `config_invalid` for what is no public key of that form */
  constructor(trusted: TrustedKeys) {
    for (const text of trusted) {
      const raw = rawKey(text)
      const spki = Buffer.concat([SPKI_PREFIX, raw])
      this.#keys.set(keyIdOf(raw), createPublicKey({ key: spki, format: "der", type: "spki" }))
    }
  }

  /** Whether any key is trusted. */
  get trustsAny(): boolean {
    return this.#keys.size > 0
  }

  /** unknown: no trusted key has this id. */
  check(text: string, keyId: string, signature: string): "good" | "bad" | "unknown" {
    const key = this.#keys.get(keyId)
    if (!key) return "unknown"
    const bytes = Buffer.from(signature, "base64")
    // Buffer.from reads what is no base64 too: one signature is to have one text.
    if (bytes.toString("base64") !== signature) return "bad"
    return verify(null, Buffer.from(text), key, bytes) ? "good" : "bad"
  }
}

function keyIdOf(raw: Uint8Array): string {
  return createHash("sha256").update(raw).digest("hex").slice(0, 16)
}

function rawKey(text: string): Buffer {
  const raw = text.startsWith(PREFIX) ? Buffer.from(text.slice(PREFIX.length), "base64url") : Buffer.alloc(0)
  if (raw.length === SEED_BYTES) return raw
  throw new FleetPromptError(
    "config_invalid",
    `expected a public key as ed25519:<43 characters of base64url>, got a text of ${text.length} characters that is none; copy it from the output of: fleetprompt audit key`,
  )
}
