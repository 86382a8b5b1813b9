import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { crc32 } from "node:zlib"
import { FleetPromptError } from "../errors.ts"

/** What an API key's text says of itself. The secret part stays in the text. */
export interface ApiKeyText {
  /** The whole text, which is the secret. */
  readonly text: string
  /** For example `live`: keys of one environment do not work in another. */
  readonly environment: string
  /** Names the key; no secret. */
  readonly id: string
}

/**
 * A secret of the server with which keys are hashed: who has a copy of the database alone can neither check a guessed
 * key nor make the hash of one.
 */
export interface ApiKeyPepper {
  /** Names it in stored keys; must stay the same as long as keys were hashed with it. */
  readonly id: string
  /** 32 bytes at least. */
  readonly secret: Uint8Array
}

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
/** 16 characters of 62 are 95 bits: two keys never get the same. */
const ID_LENGTH = 16
/** 32 characters of 62 are 190 bits. */
const SECRET_LENGTH = 32
/** 62^6 is more than 2^32. */
const CHECK_LENGTH = 6
/** No key is longer, so that nothing longer is looked at. */
const MAX_LENGTH = 96
const TEXT = /^fp_([a-z][a-z0-9]{0,15})_([0-9A-Za-z]{16})_[0-9A-Za-z]{38}$/
const ENVIRONMENT = /^[a-z][a-z0-9]{0,15}$/
/** Bytes above are thrown away, so that each character is as likely as any other. */
const FAIR_BYTES = 256 - (256 % ALPHABET.length)

/** Makes a key with 190 bits that nobody can guess. */
export function makeApiKey(environment: string): ApiKeyText {
  const id = randomText(ID_LENGTH)
  const body = `fp_${environment}_${id}_${randomText(SECRET_LENGTH)}`
  return { text: body + checkOf(body), environment, id }
}

/**
 * Reads a key's text; undefined when it is none. The last six characters are a CRC-32 of the rest, so that a typo, a
 * cut text or a chance find of a secret scanner is told without asking anybody.
 *
 * @example
 * readApiKey("fp_live_tooShort") // undefined
 */
export function readApiKey(text: string): ApiKeyText | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const [, environment, id] = TEXT.exec(text) ?? []
  if (environment === undefined || id === undefined) return undefined
  const body = text.slice(0, -CHECK_LENGTH)
  return text.endsWith(checkOf(body)) ? { text, environment, id } : undefined
}

/** What is stored of a key: its HMAC-SHA-256, in base64url. */
export function hashApiKey(text: string, pepper: ApiKeyPepper): string {
  return createHmac("sha256", pepper.secret).update(text).digest("base64url")
}

/** Compares two hashes in a time that does not depend on where they differ. */
export function isSameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** @throws FleetPromptError `config_invalid` */
export function checkEnvironment(environment: string): string {
  if (ENVIRONMENT.test(environment)) return environment
  throw new FleetPromptError(
    "config_invalid",
    `expected up to 16 small letters and digits as the environment of API keys, such as "live", got "${environment}"`,
  )
}

const MIN_PEPPER_BYTES = 32
const PEPPER = /^([a-z0-9][a-z0-9_-]{0,39}):([A-Za-z0-9+/]{43,}={0,2})$/

/** @throws FleetPromptError `config_invalid` */
export function checkPeppers(peppers: readonly ApiKeyPepper[]): readonly ApiKeyPepper[] {
  const ids = new Set(peppers.map(({ id }) => id))
  const isLongEnough = peppers.every(({ secret }) => secret.byteLength >= MIN_PEPPER_BYTES)
  if (peppers.length > 0 && ids.size === peppers.length && isLongEnough) return peppers
  throw new FleetPromptError(
    "config_invalid",
    `expected one pepper for API keys at least, each with an id of its own and ${MIN_PEPPER_BYTES} bytes; make one with \`openssl rand -base64 32\``,
  )
}

/**
 * Peppers in a text: `id:base64` of 32 bytes at least, with commas between, the one for new keys first.
 *
 * @throws FleetPromptError `config_invalid`; the message never repeats the text
 */
export function parsePeppers(text: string): readonly ApiKeyPepper[] {
  const peppers = text.split(",").map((each) => {
    const [, id = "", base64 = ""] = PEPPER.exec(each.trim()) ?? []
    return { id, secret: Buffer.from(base64, "base64") }
  })
  return checkPeppers(peppers)
}

function checkOf(body: string): string {
  let rest = crc32(body)
  let text = ""
  for (let at = 0; at < CHECK_LENGTH; at++) {
    text = ALPHABET.charAt(rest % ALPHABET.length) + text
    rest = Math.floor(rest / ALPHABET.length)
  }
  return text
}

function randomText(length: number): string {
  let text = ""
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) {
      if (byte < FAIR_BYTES && text.length < length) text += ALPHABET.charAt(byte % ALPHABET.length)
    }
  }
  return text
}
