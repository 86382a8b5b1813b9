import type { JsonValue } from "fleetprompt"
import { OutsideError } from "./outside-error.ts"

/** Longest answer that is read, bytes. */
const MAX_ANSWER_BYTES = 1_048_576
/** Longest wait that a system may ask for, milliseconds: a day. */
const MAX_RETRY_AFTER_MS = 86_400_000

/** One call of a system outside. */
export interface OutsideCall {
  /** For people: `GitHub`. */
  readonly system: string
  /** The platform's setting with a path; never what a tenant wrote. */
  readonly url: string
  /** Sent as JSON with POST; without it the call is a GET. */
  readonly body?: JsonValue
  /** Sent as a bearer token. */
  readonly token?: string
  readonly abort: AbortSignal
}

/**
 * Calls a system that talks JSON, follows no redirects and reads a bounded answer.
 *
 * @throws OutsideError for any status but 2xx, for an answer that is no JSON, and when none comes
 */
export async function requestJson(call: OutsideCall): Promise<JsonValue> {
  const response = await send(call)
  if (response.ok) return readJson(call, response)
  await response.body?.cancel()
  throw refused(call.system, response)
}

async function send({ system, url, body, token, abort }: OutsideCall): Promise<Response> {
  const headers = { accept: "application/json", ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  const asked = body === undefined ? { headers } : posted(headers, body)
  try {
    return await fetch(url, { ...asked, redirect: "error", signal: abort })
  } catch (cause) {
    abort.throwIfAborted()
    throw unanswered(system, cause)
  }
}

function posted(headers: Readonly<Record<string, string>>, body: JsonValue): RequestInit {
  return { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) }
}

async function readJson({ system, abort }: OutsideCall, response: Response): Promise<JsonValue> {
  const text = await readText(system, response, abort)
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    // No cause: the parser's message quotes the answer.
    throw new OutsideError(`expected JSON from ${system}, got something else`, {
      system,
      status: response.status,
      retryAfterMs: null,
      isPassing: false,
    })
  }
}

async function readText(system: string, response: Response, abort: AbortSignal): Promise<string> {
  const decoder = new TextDecoder()
  let [text, bytes] = ["", 0]
  try {
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength
      if (bytes > MAX_ANSWER_BYTES) break
      text += decoder.decode(chunk, { stream: true })
    }
  } catch (cause) {
    abort.throwIfAborted()
    throw unanswered(system, cause)
  }
  if (bytes <= MAX_ANSWER_BYTES) return text + decoder.decode()
  throw new OutsideError(`expected at most ${MAX_ANSWER_BYTES} bytes from ${system}, got more; ask for less`, {
    system,
    status: response.status,
    retryAfterMs: null,
    isPassing: false,
  })
}

function unanswered(system: string, cause: unknown): OutsideError {
  const failure = { system, status: null, retryAfterMs: null, isPassing: true }
  return new OutsideError(`expected an answer of ${system}, got none; it may be asked again`, failure, { cause })
}

function refused(system: string, { status, headers }: Response): OutsideError {
  const retryAfterMs = readRetryAfter(headers.get("retry-after"))
  const isPassing = status === 429 || status >= 500 || retryAfterMs !== null
  const advice = isPassing ? "it may be asked again" : "look at the credential and at what was asked for"
  return new OutsideError(`expected ${system} to do as asked, got status ${status}; ${advice}`, {
    system,
    status,
    retryAfterMs,
    isPassing,
  })
}

/** Seconds, or a date, as milliseconds from now; null when it is neither. */
export function readRetryAfter(value: string | null, now: number = Date.now()): number | null {
  if (value === null) return null
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}
