import {
  choiceOption,
  integerOption,
  invalidOption,
  objectOption,
  type RawOptions,
  refuseUnknownOptions,
  textOption,
} from "./adapter-options.ts"
import { MAX_TIMER_MS } from "../clock.ts"
import { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts"

/** Header names, in lower case, with their values. */
export type HttpHeaders = Readonly<Record<string, string>>

/** Where and how to send; what `validate` makes of the options that `http` and `webhook` have in common. */
export interface HttpTarget {
  /** As it was given. */
  readonly url: string
  readonly method: "POST" | "PUT" | "PATCH"
  readonly headers: HttpHeaders
  /** Longest time for one try. */
  readonly timeoutMs: number
  /** Longest wait that the endpoint may ask for with `Retry-After`. */
  readonly maxRetryAfterMs: number
  readonly retry: RetryPolicy
}

/** The names of the options that make an `HttpTarget`. */
export const HTTP_TARGET_OPTIONS = ["url", "method", "headers", "timeoutMs", "maxRetryAfterMs", "retry"] as const

/** The default of `timeoutMs`. */
const DEFAULT_TIMEOUT_MS = 15_000
/** The default of `maxRetryAfterMs`. */
const DEFAULT_MAX_RETRY_AFTER_MS = 600_000
const MAX_ATTEMPTS = 100
const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
const HEADER_VALUE = /^[\x20-\x7e\t]*$/
/** Headers that frame the message or name the host: whoever sets them can make a proxy see another request. */
const FRAMING_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
])

/**
 * Reads the options that `http` and `webhook` have in common.
 *
 * @throws FleetPromptError `dispatch_invalid`
 */
export function readHttpTarget(options: RawOptions): HttpTarget {
  return {
    url: readUrl(options),
    method: choiceOption(options, "method", ["POST", "PUT", "PATCH"], "POST"),
    headers: readHeaders(options),
    timeoutMs: integerOption(options, "timeoutMs", { min: 1, max: MAX_TIMER_MS, fallback: DEFAULT_TIMEOUT_MS }),
    maxRetryAfterMs: integerOption(options, "maxRetryAfterMs", {
      min: 0,
      max: MAX_TIMER_MS,
      fallback: DEFAULT_MAX_RETRY_AFTER_MS,
    }),
    retry: readRetryPolicy(objectOption(options, "retry")),
  }
}

function readUrl(options: RawOptions): string {
  const text = textOption(options, "url")
  // URL drops spaces at the ends, tabs and line breaks, so that what was checked would not be what was written.
  if (/[\s\p{Cc}]/u.test(text))
    throw invalidOption("url", "expected a url without spaces and control characters as url")
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw invalidOption("url", `expected an address that begins with "http://" or "https://" as url`)
  }
  if (url.username !== "" || url.password !== "") {
    throw invalidOption("url", "expected a url without credentials as url; send them in the header authorization")
  }
  return text
}

function readHeaders(options: RawOptions): HttpHeaders {
  const headers = new Map<string, string>()
  for (const [given, value] of Object.entries(objectOption(options, "headers"))) {
    const name = checkHeaderName(given, "headers")
    if (headers.has(name)) throw invalidOption(`headers.${name}`, `expected the header ${name} once, got it twice`)
    if (typeof value !== "string" || !isHeaderValue(value)) {
      throw invalidOption(`headers.${name}`, `expected a text of printable ASCII as the header ${name}`)
    }
    headers.set(name, value)
  }
  return Object.fromEntries(headers)
}

/**
 * A header's name in lower case, when it is one that a caller may set.
 *
 * @throws FleetPromptError `dispatch_invalid`
 */
export function checkHeaderName(given: string, path: string): string {
  const name = given.toLowerCase()
  if (!HEADER_NAME.test(name)) throw invalidOption(path, `expected names of HTTP headers in ${path}, got another text`)
  if (!FRAMING_HEADERS.has(name)) return name
  throw invalidOption(`${path}.${name}`, `expected no header ${name}: it belongs to the connection; leave it out`)
}

/** Whether a text may be a header's value: anything else could end the header and begin another. */
export function isHeaderValue(text: string): boolean {
  return HEADER_VALUE.test(text)
}

function readRetryPolicy(options: RawOptions): RetryPolicy {
  const prefix = "retry."
  refuseUnknownOptions(options, Object.keys(DEFAULT_RETRY), prefix)
  const duration = (name: keyof RetryPolicy, min: number) =>
    integerOption(options, name, { min, max: MAX_TIMER_MS, fallback: DEFAULT_RETRY[name], prefix })
  return {
    maxAttempts: integerOption(options, "maxAttempts", {
      min: 1,
      max: MAX_ATTEMPTS,
      fallback: DEFAULT_RETRY.maxAttempts,
      prefix,
    }),
    baseDelayMs: duration("baseDelayMs", 0),
    maxDelayMs: duration("maxDelayMs", 0),
    totalMs: duration("totalMs", 1),
  }
}
