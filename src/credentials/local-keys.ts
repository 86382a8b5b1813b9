import { FleetPromptError } from "../errors.ts"
import type { KeyService, RingKey, WrappedKey } from "./key-service.ts"
import { deriveKey, KEY_BYTES, newKey, openBox, sealBox } from "./sealed-box.ts"

/** A key of the ring with its bytes. */
export interface LocalKey {
  readonly id: string
  readonly bytes: Uint8Array
}

const KEY_ID = /^[a-z0-9][a-z0-9_-]{0,39}$/
/** Most keys of a ring: two while one replaces the other, and some that nobody removed. */
const MAX_KEYS = 20
const FINGERPRINT_HEX = 16

/**
 * A key ring in a text, as `FLEETPROMPT_KEYS` has it: `id:base64` of 32 bytes, several with commas between. The first is
 * the current one, by which everything new is sealed; the others open what is there.
 *
 * @throws FleetPromptError `config_invalid`; the message never repeats the text
 * @example
 * createFleet({ databaseUrl, keys: localKeys(process.env.FLEETPROMPT_KEYS) })
 */
export function localKeys(text: string): KeyService {
  const keys = parseKeys(text)
  return {
    wrap: async (key, bound) => wrapBy(keys[0], key, bound),
    unwrap: async (wrapped, bound) => unwrapBy(keys, wrapped, bound),
    currentKeyId: async () => keys[0].id,
    keys: async () => keys.map(ringKeyOf),
  }
}

/** Seals a key by a key of the ring. */
export function wrapBy({ id, bytes }: LocalKey, key: Uint8Array, bound: string): WrappedKey {
  return { keyId: id, wrapped: sealBox(wrappingKey(bytes), key, `${id} ${bound}`) }
}

/** @throws FleetPromptError `key_unknown`, `secret_unreadable` */
export function unwrapBy(keys: readonly LocalKey[], { keyId, wrapped }: WrappedKey, bound: string): Uint8Array {
  const key = keys.find(({ id }) => id === keyId)
  if (!key) throw keyUnknown()
  return openBox(wrappingKey(key.bytes), wrapped, `${keyId} ${bound}`)
}

/** What may be told of a key. */
export function ringKeyOf({ id, bytes }: LocalKey): RingKey {
  return { id, fingerprint: deriveKey(bytes, "fingerprint").toString("hex").slice(0, FINGERPRINT_HEX) }
}

/** A new key with an id by its day and something random: `k20260131-5f3a9c`. */
export function createLocalKey(now = new Date()): LocalKey {
  const day = now.toISOString().slice(0, 10).replaceAll("-", "")
  return { id: `k${day}-${newKey().toString("hex").slice(0, 6)}`, bytes: newKey() }
}

/** Keys as `localKeys` reads them. */
export function formatKeys(keys: readonly LocalKey[], separator = ","): string {
  return keys.map(({ id, bytes }) => `${id}:${Buffer.from(bytes).toString("base64")}`).join(separator)
}

/** Reads keys from a text; commas and line ends divide them, lines that begin with `#` are comments. */
export function parseKeys(text: string): readonly [LocalKey, ...LocalKey[]] {
  const lines = text.split("\n").filter((line) => !line.trimStart().startsWith("#"))
  const parts = lines.flatMap((line) => line.split(",")).map((part) => part.trim())
  const keys = parts.filter((part) => part !== "").map(parseKey)
  const [first, ...others] = keys
  if (!first) throw invalid("at least one key", "none")
  if (keys.length > MAX_KEYS) throw invalid(`at most ${MAX_KEYS} keys`, `${keys.length}`)
  const ids = new Set(keys.map(({ id }) => id))
  if (ids.size < keys.length) throw invalid("each key to have an id of its own", "two with one id")
  return [first, ...others]
}

function parseKey(text: string, index: number): LocalKey {
  const colon = text.indexOf(":")
  const [id, base64] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)]
  if (!KEY_ID.test(id)) throw invalid("an id of a to z, 0 to 9, _ and - before the colon of each key", at(index))
  const bytes = Buffer.from(base64, "base64")
  // Compared with what it was made of, since Buffer.from leaves out what is no base64.
  const isBase64 = bytes.toString("base64").replace(/=+$/, "") === base64.replace(/=+$/, "")
  if (!isBase64 || bytes.length !== KEY_BYTES)
    throw invalid(`${KEY_BYTES} bytes in base64 behind each colon`, at(index))
  if (bytes.every((byte) => byte === bytes[0])) throw invalid("random bytes as each key", at(index))
  return { id, bytes }
}

function at(index: number): string {
  return `something else in key ${index + 1}`
}

function invalid(expected: string, came: string): FleetPromptError {
  return new FleetPromptError(
    "config_invalid",
    `expected ${expected} in the key ring, got ${came}; write id:base64 and make a key by fleetprompt keys generate`,
  )
}

/** The ring's key itself seals nothing, so that each of its uses has a key of its own. */
function wrappingKey(bytes: Uint8Array): Buffer {
  return deriveKey(bytes, "wrap")
}

/** What is thrown for a key that is not in the ring. */
export function keyUnknown(): FleetPromptError {
  return new FleetPromptError(
    "key_unknown",
    "expected the key that this secret is sealed by in the key ring, it is not there; add the key, keys status names it",
  )
}
