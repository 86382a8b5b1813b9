import { createHmac, timingSafeEqual } from "node:crypto"
import { FleetPromptError } from "../errors.ts"
import type { JsonObject } from "../signal/json.ts"
import type { WebhookEvent, WebhookRequest, WebhookSource } from "./webhook-source.ts"

/** What `githubWebhook` reads. */
export interface GithubWebhookOptions {
  /** Last segment of the address: `/v1/webhooks/<name>`. Default `github`. */
  readonly name?: string
  /** Slug of the tenant whose signals the events become. */
  readonly tenant: string
  /**
   * The secret set at GitHub, or two of them while it is being changed. Undefined is refused, so that
   * a missing environment variable is noticed when the program starts.
   */
  readonly secret: string | readonly string[] | undefined
  /** Largest body it reads, bytes. Default 26,214,400: GitHub sends at most 25 MB. */
  readonly maxBodyBytes?: number
}

/** GitHub sends no payload above 25 MB. */
const DEFAULT_MAX_BODY_BYTES = 26_214_400
/** The old secret and the new one. */
const MAX_SECRETS = 2
const MAX_SEGMENT = 100
const SEGMENT = /^[A-Za-z0-9_-]{1,100}$/
/** GitHub sends a GUID. */
const DELIVERY_ID = /^[A-Za-z0-9-]{1,100}$/
/** The same for every name: GitHub's id names the event, not the delivery (github/docs#32822). */
const SOURCE = "webhook:github"

/**
 * The webhooks of a GitHub repository, organization or app. An event's type is `github.<event>` or
 * `github.<event>.<action>`, its subject the repository (else the organization, enterprise,
 * installation, account or user it is about), its data the payload.
 *
 * @throws FleetPromptError `config_invalid`
 * @example
 * githubWebhook({ tenant: "demo", secret: process.env.GITHUB_WEBHOOK_SECRET })
 */
export function githubWebhook(options: GithubWebhookOptions): WebhookSource {
  const { name = "github", tenant, maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = options
  const secrets = checkSecrets(options.secret)
  if (!SEGMENT.test(name)) throw invalidConfig("name", `1 to 100 letters, digits, "_" or "-"`)
  if (!Number.isInteger(maxBodyBytes) || maxBodyBytes < 1) throw invalidConfig("maxBodyBytes", "a whole number from 1")
  return Object.freeze({
    name,
    tenant,
    maxBodyBytes,
    receive(request: WebhookRequest): WebhookEvent {
      checkSignature(request, secrets)
      return readEvent(request)
    },
  })
}

function checkSecrets(secret: GithubWebhookOptions["secret"]): readonly string[] {
  const secrets = typeof secret === "string" ? [secret] : [...(secret ?? [])]
  const fits = secrets.length >= 1 && secrets.length <= MAX_SECRETS
  if (fits && secrets.every((each) => typeof each === "string" && each.trim() !== "")) return secrets
  throw invalidConfig("secret", `the secret set at GitHub, or ${MAX_SECRETS} of them while it is being changed`)
}

/** Before anything is parsed. Every secret is tried, so that the time taken does not tell which one fits. */
function checkSignature({ headers, body }: WebhookRequest, secrets: readonly string[]): void {
  const signature = headers.get("x-hub-signature-256")
  if (signature === null) {
    throw invalidSignature("got none; set a secret for the webhook at GitHub")
  }
  const fitting = secrets.filter((secret) => equalText(signature, signatureOf(secret, body)))
  if (fitting.length === 0) throw invalidSignature("got another; compare the secret here with the one at GitHub")
}

function signatureOf(secret: string, body: Uint8Array): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`
}

function equalText(came: string, expected: string): boolean {
  const left = Buffer.from(came)
  const right = Buffer.from(expected)
  return left.length === right.length && timingSafeEqual(left, right)
}

function readEvent({ headers, body }: WebhookRequest): WebhookEvent {
  const sourceEventId = checkHeader(headers, "X-GitHub-Delivery", DELIVERY_ID, "a GUID")
  const event = checkHeader(headers, "X-GitHub-Event", SEGMENT, "the name of an event")
  const data = readPayload(headers, body)
  const subject = subjectOf(data)
  return {
    type: ["github", event, ...actionOf(data)].join("."),
    source: SOURCE,
    sourceEventId,
    ...(subject === undefined ? {} : { subject }),
    data,
  }
}

function checkHeader(headers: Headers, name: string, form: RegExp, expected: string): string {
  const value = headers.get(name)
  if (value !== null && form.test(value)) return value
  throw new FleetPromptError(
    "request_invalid",
    `expected ${expected} as header ${name}, got ${value === null ? "none" : "something else"}; send the request as GitHub does`,
    { path: `headers.${name}` },
  )
}

/**
 * The action as a segment of the type. That of a `repository_dispatch` is any text its sender likes, and GitHub
 * does not ask again, so what a segment cannot hold becomes `_`; the payload keeps the action as it came.
 */
function actionOf(payload: JsonObject): readonly string[] {
  const action = payload["action"]
  if (typeof action !== "string" || action === "") return []
  return [action.replaceAll(/[^A-Za-z0-9_-]+/g, "_").slice(0, MAX_SEGMENT)]
}

function readPayload(headers: Headers, body: Uint8Array): JsonObject {
  const text = readText(body)
  const payload = parseJson(isForm(headers) ? formPayload(text) : text)
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    throw malformed("a JSON object as the payload", "JSON of another kind")
  }
  // JSON.parse made it, and it is neither null nor an array.
  return payload as JsonObject
}

function readText(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body)
  } catch (cause) {
    throw malformed("a body in UTF-8", "bytes that are not", cause)
  }
}

function isForm(headers: Headers): boolean {
  const [mediaType = ""] = (headers.get("content-type") ?? "").split(";")
  return mediaType.trim().toLowerCase() === "application/x-www-form-urlencoded"
}

/** Not URLSearchParams: that puts U+FFFD in the place of escaped bytes that are no UTF-8, where we must refuse. */
function formPayload(form: string): string {
  const [field, ...more] = form.split("&").filter((each) => each.startsWith("payload="))
  if (field === undefined || more.length > 0) throw malformed("one form field named payload", "none or several")
  try {
    return decodeURIComponent(field.slice("payload=".length).replaceAll("+", " "))
  } catch (cause) {
    throw malformed("a form field in UTF-8", "escapes that are not", cause)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // No cause: the parser's message quotes the payload.
    throw malformed("JSON as the payload", "text that does not parse")
  }
}

/** What an event is about, the closest first: where the text stands in the payload, and what it is the id of. */
const SUBJECTS: readonly (readonly [type: string, ...path: readonly string[]])[] = [
  ["repository", "repository", "full_name"],
  ["organization", "organization", "login"],
  ["enterprise", "enterprise", "slug"],
  ["installation", "installation", "id"],
  ["account", "marketplace_purchase", "account", "login"],
  ["user", "sponsorship", "sponsorable", "login"],
  ["security_advisory", "security_advisory", "ghsa_id"],
  ["user", "sender", "login"],
]

function subjectOf(payload: JsonObject): string | undefined {
  for (const [type, ...path] of SUBJECTS) {
    const id = path.reduce<unknown>(ownProperty, payload)
    if (Number.isSafeInteger(id) || (typeof id === "string" && id !== "")) return `${type}:${String(id)}`
  }
  return undefined
}

function ownProperty(value: unknown, key: string): unknown {
  // hasOwn makes this read safe for any object, and whatever Object.prototype holds.
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined
}

function invalidConfig(option: string, expected: string): FleetPromptError {
  return new FleetPromptError(
    "config_invalid",
    `expected ${expected} as ${option} of githubWebhook, got something else`,
    {
      path: option,
    },
  )
}

function invalidSignature(came: string): FleetPromptError {
  return new FleetPromptError(
    "webhook_signature_invalid",
    `expected the signature of the body in header X-Hub-Signature-256, ${came}`,
  )
}

function malformed(expected: string, came: string, cause?: unknown): FleetPromptError {
  return new FleetPromptError("body_malformed", `expected ${expected}, got ${came}; send the body as GitHub does`, {
    cause,
  })
}
