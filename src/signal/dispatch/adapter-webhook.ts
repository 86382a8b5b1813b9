import { choiceOption, invalidOption, objectOption, type RawOptions, refuseUnknownOptions } from "./adapter-options.ts"
import { systemClock } from "../clock.ts"
import type { DispatchAdapter } from "./dispatch-adapter.ts"
import type { HmacKey } from "./hmac.ts"
import { createHttpDelivery, type HttpSettings } from "./http-delivery.ts"
import { HTTP_TARGET_OPTIONS, type HttpTarget, isHeaderValue, readHttpTarget } from "./http-options.ts"
import { hostOf } from "./http-request.ts"
import { readScheme, type WebhookScheme } from "./webhook-signing.ts"

/** How `webhookAdapter` is set up. */
export interface WebhookSettings extends HttpSettings {
  /**
   * The secrets of an endpoint, newest first, for dispatches that name none: asked before each try, so
   * that secrets live in one place and a change of them counts at once.
   */
  readonly secretsFor?: (url: string) => readonly string[] | Promise<readonly string[]>
}

/** The checked options of the adapter `webhook`. */
export interface WebhookOptions {
  readonly target: HttpTarget
  readonly scheme: WebhookScheme
  /** A function, so that printing the options shows no secret. */
  readonly keys: () => Promise<readonly HmacKey[]>
  readonly eventTypes: ReadonlyMap<string, string>
  readonly unmapped: "pass" | "skip"
}

const OPTIONS = [
  ...HTTP_TARGET_OPTIONS,
  "secret",
  "signing",
  "eventTypeMap",
  "unmapped",
  "signatureHeader",
  "eventTypeHeader",
] as const

/**
 * Sends signals as signed webhooks. Everything that `httpAdapter` says of retries, redirects, limits and
 * the breaker holds here too. `secret` is one secret or a list of them, newest first.
 *
 * @throws FleetPromptError `config_invalid`
 * @example
 * const dispatcher = createDispatcher({ adapters: [webhookAdapter()] })
 * await dispatcher.dispatch(signal, { to: "webhook", url: "https://crm.example/hooks", secret: "whsec_…" })
 */
export function webhookAdapter(settings: WebhookSettings = {}): DispatchAdapter<WebhookOptions> {
  const deliver = createHttpDelivery(settings)
  const { clock = systemClock } = settings
  return {
    name: "webhook",
    validate: (options) => readWebhookOptions(options, settings),
    deliver: async (signal, { target, scheme, keys, eventTypes, unmapped }, context) => {
      const mapped = eventTypes.get(signal.type)
      if (mapped === undefined && unmapped === "skip") return
      const eventType = mapped ?? signal.type
      const body = scheme.body(signal, eventType)
      const headers = async () => {
        const message = { id: signal.id, timestampSeconds: Math.floor(clock.now() / 1_000), body }
        const signed = await scheme.headers(message, eventType, await keys())
        return { "content-type": scheme.contentType, ...target.headers, ...signed }
      }
      await deliver({ body, headers }, target, context)
    },
  }
}

function readWebhookOptions(options: RawOptions, settings: WebhookSettings): WebhookOptions {
  refuseUnknownOptions(options, OPTIONS)
  const target = readHttpTarget(options)
  const scheme = readScheme(options)
  const stray = scheme.ownHeaders.find((name) => name in target.headers)
  if (stray !== undefined)
    throw invalidOption(`headers.${stray}`, `expected no header ${stray}: the signature sets it; leave it out`)
  return {
    target,
    scheme,
    keys: readKeys(options, scheme, target.url, settings),
    eventTypes: readEventTypes(objectOption(options, "eventTypeMap")),
    unmapped: choiceOption(options, "unmapped", ["pass", "skip"], "pass"),
  }
}

function readKeys(
  options: RawOptions,
  scheme: WebhookScheme,
  url: string,
  { secretsFor }: WebhookSettings,
): WebhookOptions["keys"] {
  const { secret } = options
  if (!scheme.isSigned) {
    if (secret === undefined) return () => Promise.resolve([])
    throw invalidOption("secret", `expected no secret with signing "none"; leave out one of the two`)
  }
  if (secret === undefined && secretsFor) return async () => parseSecrets(await secretsFor(url), scheme, url)
  const keys = parseSecrets(secret, scheme, url)
  return () => Promise.resolve(keys)
}

function parseSecrets(given: unknown, scheme: WebhookScheme, url: string): readonly HmacKey[] {
  const secrets: readonly unknown[] = Array.isArray(given) ? given : [given]
  const keys = secrets.map((secret, index) => {
    const path = Array.isArray(given) ? `secret[${index}]` : "secret"
    if (typeof secret === "string" && secret !== "") return scheme.parseSecret(secret, path)
    throw invalidOption(path, `expected a secret for ${hostOf(url)} as ${path}; set one, or signing "none"`)
  })
  if (keys.length > 0) return keys
  throw invalidOption("secret", `expected at least one secret for ${hostOf(url)}, got an empty list`)
}

function readEventTypes(map: RawOptions): ReadonlyMap<string, string> {
  return new Map(Object.entries(map).map(([type, eventType]) => [type, checkEventType(type, eventType)]))
}

function checkEventType(type: string, eventType: unknown): string {
  if (typeof eventType === "string" && eventType.trim() !== "" && isHeaderValue(eventType)) return eventType
  const path = `eventTypeMap[${JSON.stringify(type)}]`
  throw invalidOption(path, `expected an event type of printable ASCII as ${path}`)
}
