import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM, hkdfSync, randomBytes } from "node:crypto"
import { FleetPromptError } from "../errors.ts"

const ALGORITHM = "aes-256-gcm"
/** Bytes of a key. */
export const KEY_BYTES = 32
/** 96 bits, drawn at random for each box, as NIST SP 800-38D section 8.2.2 allows for up to 2^32 boxes under one key. */
const NONCE_BYTES = 12
/** Said when opening too: otherwise four bytes of a tag would be accepted. */
const TAG_BYTES = 16
/** The first byte of each box, so that another form can follow. */
const FORM = 1

/** A new key. */
export function newKey(): Buffer {
  return randomBytes(KEY_BYTES)
}

/**
 * Encrypts and authenticates with AES-256-GCM. The box is form (1 byte), nonce (12), ciphertext, tag (16).
 *
 * @param bound what the box belongs to: it opens only with the same.
 * @example
 * openBox(key, sealBox(key, bytes, "acme 1"), "acme 1") // bytes
 */
export function sealBox(key: Uint8Array, plain: Uint8Array, bound: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(boundBytes(bound))
  return Buffer.concat([Buffer.of(FORM), nonce, through(cipher, plain), cipher.getAuthTag()])
}

/**
 * Opens a box of `sealBox`.
 *
 * @throws FleetPromptError `secret_unreadable`, the same for every reason: a changed bit, another key, another owner
 */
export function openBox(key: Uint8Array, box: Uint8Array, bound: string): Buffer {
  if (box.length < 1 + NONCE_BYTES + TAG_BYTES || box[0] !== FORM) throw unreadable()
  const nonce = box.subarray(1, 1 + NONCE_BYTES)
  try {
    const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(boundBytes(bound))
    decipher.setAuthTag(box.subarray(-TAG_BYTES))
    return through(decipher, box.subarray(1 + NONCE_BYTES, -TAG_BYTES))
  } catch {
    // Why it did not open is nobody's business: whoever tries would learn from it.
    throw unreadable()
  }
}

/**
 * A key for one purpose, made from another key by HKDF-SHA-256 (RFC 5869): from it, nobody finds the key it was made
 * from or one for another purpose.
 */
export function deriveKey(key: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", key, new Uint8Array(0), `fleetprompt ${purpose}`, KEY_BYTES))
}

/** The form stands in it, so that a box of one form is no box of another. */
function boundBytes(bound: string): Buffer {
  return Buffer.from(`fleetprompt box ${FORM} ${bound}`)
}

/** What is thrown for whatever cannot be opened. */
export function unreadable(): FleetPromptError {
  return new FleetPromptError(
    "secret_unreadable",
    "expected a secret that this key ring can open, this one was changed, belongs elsewhere or was sealed under another key; restore it or store it anew",
  )
}

/** All that comes out when all goes in; of a decipher only when the tag is right. */
function through(cipher: CipherGCM | DecipherGCM, bytes: Uint8Array): Buffer {
  return Buffer.concat([cipher.update(bytes), cipher.final()])
}
