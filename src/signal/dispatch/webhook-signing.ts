import { choiceOption, invalidOption, type RawOptions } from "./adapter-options.ts"
import { encodeJson } from "../codecs/codec-json.ts"
import { type HmacKey, hmacSha256, toBytes, toHex } from "./hmac.ts"
import { checkHeaderName, type HttpHeaders } from "./http-options.ts"
import type { Signal } from "../signal.ts"
import { parseWebhookSecret, signWebhook, type WebhookMessage } from "./standard-webhooks.ts"

/** A way to sign webhooks, and what it makes of a signal. */
export interface WebhookScheme {
  /** Headers it sets, which no option may set. */
  readonly ownHeaders: readonly string[]
  readonly contentType: string
  /** Whether there must be a secret. */
  readonly isSigned: boolean
  /** @throws FleetPromptError `dispatch_invalid`, without the secret */
  readonly parseSecret: (secret: string, path: string) => HmacKey
  /** The request's body, for receivers that know the signal's type as `eventType`. */
  readonly body: (signal: Signal, eventType: string) => string
  readonly headers: (message: WebhookMessage, eventType: string, keys: readonly HmacKey[]) => Promise<HttpHeaders>
}

const JIDO_TIMESTAMP_HEADER = "x-webhook-timestamp"

/**
 * Reads the options that choose a scheme.
 *
 * @throws FleetPromptError `dispatch_invalid`
 */
export function readScheme(options: RawOptions): WebhookScheme {
  const signing = choiceOption(options, "signing", ["standard", "jido", "none"], "standard")
  if (signing === "jido") return jidoScheme(options)
  const stray = ["signatureHeader", "eventTypeHeader"].find((name) => name in options)
  if (stray !== undefined)
    throw invalidOption(stray, `expected ${stray} with signing "jido" alone; leave it out or set signing`)
  return signing === "standard" ? standardScheme : unsignedScheme
}

/** Standard Webhooks 1.0.0. The event's type stands in the body, so that is where the mapped one goes. */
const standardScheme: WebhookScheme = {
  ownHeaders: ["webhook-id", "webhook-timestamp", "webhook-signature"],
  contentType: "application/cloudevents+json; charset=utf-8",
  isSigned: true,
  parseSecret: parseWebhookSecret,
  body: (signal, eventType) => encodeJson({ ...signal, type: eventType }),
  headers: (message, _, keys) => signWebhook(message, keys),
}

const unsignedScheme: WebhookScheme = {
  ...standardScheme,
  isSigned: false,
  headers: async (message) => {
    const { "webhook-signature": _, ...unsigned } = await signWebhook(message, [])
    return unsigned
  },
}

/**
 * The scheme of Jido Signal's webhook adapter: the hexadecimal HMAC of `timestamp.body` under the
 * secret's own bytes, and the mapped type in a header; the body keeps the signal's type.
 */
function jidoScheme(options: RawOptions): WebhookScheme {
  const signatureHeader = headerOption(options, "signatureHeader", "x-webhook-signature")
  const eventTypeHeader = headerOption(options, "eventTypeHeader", "x-webhook-event")
  const ownHeaders = [signatureHeader, eventTypeHeader, JIDO_TIMESTAMP_HEADER]
  if (new Set(ownHeaders).size < ownHeaders.length)
    throw invalidOption("signatureHeader", `expected different names as ${ownHeaders.join(", ")}`)
  return {
    ownHeaders,
    contentType: "application/json",
    isSigned: true,
    parseSecret: (secret) => toBytes(secret),
    body: (signal) => encodeJson(signal),
    headers: async ({ timestampSeconds, body }, eventType, [key = toBytes("")]) => ({
      [signatureHeader]: toHex(await hmacSha256(key, `${timestampSeconds}.${body}`)),
      [eventTypeHeader]: eventType,
      [JIDO_TIMESTAMP_HEADER]: String(timestampSeconds),
    }),
  }
}

function headerOption(options: RawOptions, name: string, fallback: string): string {
  const value = options[name] ?? fallback
  if (typeof value !== "string") throw invalidOption(name, `expected the name of an HTTP header as ${name}`)
  return checkHeaderName(value, name)
}
