import { invalidOption } from "./adapter-options.ts"
import { base64ToBytes, bytesToBase64 } from "../base64.ts"
import { type HmacKey, hmacSha256 } from "./hmac.ts"

/** What is signed. */
export interface WebhookMessage {
  /** Stays the same in each try; the receiver's idempotency key. */
  readonly id: string
  /** When this try is made, seconds since 1970. */
  readonly timestampSeconds: number
  readonly body: string
}

const PREFIX = "whsec_"
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const MIN_SECRET_BYTES = 24
const MAX_SECRET_BYTES = 64

/**
 * Reads a secret as Standard Webhooks writes it: `whsec_` and base64 of 24 to 64 bytes.
 *
 * @param path what the secret is called in the message, for example `secret[0]`
 * @throws FleetPromptError `dispatch_invalid`, without the secret
 */
export function parseWebhookSecret(secret: string, path: string): HmacKey {
  const bytes = secret.startsWith(PREFIX) ? decodeBase64(secret.slice(PREFIX.length)) : undefined
  if (bytes && bytes.length >= MIN_SECRET_BYTES && bytes.length <= MAX_SECRET_BYTES) return bytes
  const expected = `"${PREFIX}" and base64 of ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes`
  throw invalidOption(path, `expected ${expected} as ${path}, got another text (not shown)`)
}

/**
 * The headers of Standard Webhooks 1.0.0: id, timestamp, and one signature for each secret, so that a
 * receiver accepts the message with the old secret and with the new one while they are changed.
 *
 * @example
 * await signWebhook({ id: signal.id, timestampSeconds: 1_674_087_231, body }, [parseWebhookSecret(secret, "secret")])
 * // { "webhook-id": "0192…", "webhook-timestamp": "1674087231", "webhook-signature": "v1,K5oZ…" }
 */
export async function signWebhook(
  message: WebhookMessage,
  keys: readonly HmacKey[],
): Promise<Readonly<Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>>> {
  const id = webhookId(message.id)
  const timestamp = String(message.timestampSeconds)
  const signed = await Promise.all(keys.map((key) => hmacSha256(key, `${id}.${timestamp}.${message.body}`)))
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signed.map((signature) => `v1,${bytesToBase64(signature)}`).join(" "),
  }
}

/**
 * A signal's id as `webhook-id`: unchanged when it has visible ASCII alone, as every UUID has. A dot,
 * which divides what is signed, and what a header cannot carry are percent-encoded.
 */
function webhookId(id: string): string {
  return id.replaceAll(/[^\x21-\x7e]+|[.%]/gu, (part) =>
    part === "." ? "%2E" : encodeURIComponent(part.toWellFormed()),
  )
}

function decodeBase64(text: string): HmacKey | undefined {
  if (!BASE64.test(text)) return undefined
  try {
    return base64ToBytes(text)
  } catch {
    return undefined
  }
}
