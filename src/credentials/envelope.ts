import { copyJson, type JsonObject } from "../signal/json.ts"
import type { SealedSecret } from "../store/credentials.ts"
import { FleetPromptError } from "../errors.ts"
import type { KeyRing } from "./key-ring.ts"
import { newKey, openBox, sealBox, unreadable } from "./sealed-box.ts"

/** Which version of which credential of which tenant. */
export interface SecretPlace {
  /** Slug of the tenant. */
  readonly tenant: string
  readonly id: string
  readonly version: number
}

/** Longest secret, bytes of JSON. */
export const MAX_SECRET_BYTES = 32_768
const MAX_DEPTH = 16

/**
 * Checks a secret: a JSON object with at least one field.
 *
 * @throws FleetPromptError `credential_invalid`; the message holds nothing of it
 */
export function checkSecret(secret: unknown): JsonObject {
  const copy = copied(secret)
  if (!isFields(copy)) throw invalid("an object with at least one field", "something else")
  const bytes = Buffer.byteLength(JSON.stringify(copy))
  if (bytes > MAX_SECRET_BYTES) throw invalid(`at most ${MAX_SECRET_BYTES} bytes of JSON`, `${bytes}`)
  return copy
}

function copied(secret: unknown): unknown {
  try {
    // No text of it comes into the database as text, so that none has to be replaced.
    return copyJson(secret, "secret", { maxDepth: MAX_DEPTH, replaceText: (text) => text })
  } catch {
    // The error underneath may name a key, which may be a secret.
    throw invalid(`a value that JSON keeps unchanged, at most ${MAX_DEPTH} levels deep`, "another")
  }
}

function isFields(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
}

function invalid(expected: string, came: string): FleetPromptError {
  return new FleetPromptError("credential_invalid", `expected ${expected} as secret, got ${came}`, { path: "secret" })
}

/** Seals a secret under a new data key, and that under the ring's current key. */
export async function sealSecret(ring: KeyRing, place: SecretPlace, secret: JsonObject): Promise<SealedSecret> {
  const dataKey = newKey()
  const plain = Buffer.from(JSON.stringify(secret))
  try {
    const { keyId, wrapped } = await ring.wrap(dataKey, boundTo("data_key", place))
    return { keyId, dataKey: wrapped, secret: sealBox(dataKey, plain, boundTo("secret", place)) }
  } finally {
    dataKey.fill(0)
    plain.fill(0)
  }
}

/** @throws FleetPromptError `secret_unreadable`, `key_unknown` */
export async function openSecret(ring: KeyRing, place: SecretPlace, sealed: SealedSecret): Promise<JsonObject> {
  const dataKey = await ring.unwrap({ keyId: sealed.keyId, wrapped: sealed.dataKey }, boundTo("data_key", place))
  try {
    return parsed(openBox(dataKey, sealed.secret, boundTo("secret", place)))
  } finally {
    dataKey.fill(0)
  }
}

function parsed(plain: Buffer): JsonObject {
  try {
    return checkSecret(JSON.parse(plain.toString("utf8")))
  } catch {
    throw unreadable()
  } finally {
    plain.fill(0)
  }
}

/** Seals a data key under the ring's current key; the secret itself stays as it is. */
export async function rewrapDataKey(
  ring: KeyRing,
  place: SecretPlace,
  { keyId, dataKey }: Pick<SealedSecret, "keyId" | "dataKey">,
): Promise<Pick<SealedSecret, "keyId" | "dataKey">> {
  const key = await ring.unwrap({ keyId, wrapped: dataKey }, boundTo("data_key", place))
  try {
    const wrapped = await ring.wrap(key, boundTo("data_key", place))
    return { keyId: wrapped.keyId, dataKey: wrapped.wrapped }
  } finally {
    key.fill(0)
  }
}

/** As JSON, so that no two places read the same. */
function boundTo(column: "data_key" | "secret", { tenant, id, version }: SecretPlace): string {
  return JSON.stringify([tenant, "credentials", column, id, version])
}
