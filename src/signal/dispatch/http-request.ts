import type { Clock } from "../clock.ts"
import { deadline, orAborted } from "./deadline.ts"
import { DispatchError } from "./dispatch-error.ts"
import type { HttpHeaders } from "./http-options.ts"
import { retryAfterMs } from "./retry-after.ts"

/** The part of `fetch` that is used; the platform's own fits, and so does undici's. */
export type HttpFetch = (url: string, init: HttpFetchInit) => Promise<HttpFetchResponse>

/** What `fetch` is given. */
export interface HttpFetchInit {
  method: string
  headers: Record<string, string>
  body: string | Uint8Array<ArrayBuffer>
  redirect: "manual"
  signal: AbortSignal
}

/** What is read of its answer. */
export interface HttpFetchResponse {
  readonly status: number
  readonly type: string
  readonly headers: { readonly get: (name: string) => string | null }
  readonly body: HttpFetchBody | null
}

/** A body that is read piece by piece. */
export interface HttpFetchBody {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: { readonly byteLength: number } | undefined }>
    cancel(): Promise<void>
  }
}

/** One request, ready to go. */
export interface HttpRequest {
  readonly url: string
  readonly method: string
  readonly headers: HttpHeaders
  readonly body: string | Uint8Array<ArrayBuffer>
  /** Longest wait that a `Retry-After` is believed. */
  readonly maxRetryAfterMs: number
}

/** What sending needs from outside, and its limits. */
export interface HttpWire {
  readonly fetch: HttpFetch
  readonly clock: Clock
  /** Most bytes read of an answer's body. */
  readonly maxResponseBytes: number
  /** Longest time to read it. */
  readonly responseBodyMs: number
}

/** Too Early and Request Timeout, Too Many Requests: the ones below 500 that may pass. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 425, 429])

/**
 * Sends once. Resolves when the endpoint took it, with a 2xx.
 *
 * @throws DispatchError `dispatch_failed` when it may pass, `dispatch_refused` or `dispatch_gone` when not;
 * the reason of `abort` when that fires first
 */
export async function sendOnce(request: HttpRequest, wire: HttpWire, abort: AbortSignal): Promise<void> {
  const response = await ask(request, wire, abort)
  if (response.body) await discard(response.body, wire, abort)
  const error = errorOf(response, request, wire.clock.now())
  if (error) throw error
}

async function ask(request: HttpRequest, wire: HttpWire, abort: AbortSignal): Promise<HttpFetchResponse> {
  const answer = startFetch(request, wire, abort)
  try {
    return await orAborted(answer, abort)
  } catch (error) {
    // A fetch that does not heed its signal may still answer; nobody would read that body.
    answer.then(({ body }) => body?.getReader().cancel()).catch(() => {})
    if (abort.aborted) throw error
    // No cause: the messages of Deno's fetch and of node-fetch hold the whole url, which may hold a secret.
    throw new DispatchError(
      "dispatch_failed",
      `expected an answer from ${hostOf(request.url)}, but the connection failed: ${reasonOf(error)}`,
    )
  }
}

/** Async, so that a fetch which throws at once rejects. */
async function startFetch(request: HttpRequest, wire: HttpWire, signal: AbortSignal): Promise<HttpFetchResponse> {
  const { url, method, headers, body } = request
  return wire.fetch(url, { method, headers: { ...headers }, body, redirect: "manual", signal })
}

/**
 * Reads a little of the body, since a body read to its end lets the connection be used again, and
 * gives it up past the limits. Whatever happens here, the status has said how the request went.
 */
async function discard(body: HttpFetchBody, wire: HttpWire, outer: AbortSignal): Promise<void> {
  const reader = body.getReader()
  const expired = () => new Error("enough of the body")
  const time = deadline({ outer, ms: wire.responseBodyMs, clock: wire.clock, expired })
  try {
    let bytes = 0
    while (bytes < wire.maxResponseBytes) {
      const { done, value } = await orAborted(reader.read(), time.abort)
      if (done) return
      bytes += value?.byteLength ?? 0
    }
  } catch {
    // Cut off by us or by the other side, which no longer matters.
  } finally {
    time.end()
    reader.cancel().catch(() => {})
  }
}

function errorOf(response: HttpFetchResponse, request: HttpRequest, nowMs: number): DispatchError | undefined {
  const { status } = response
  const host = hostOf(request.url)
  if (status >= 200 && status < 300) return undefined
  if (response.type === "opaqueredirect" || (status >= 300 && status < 400)) return redirected(host, status)
  const answered = `expected ${host} to take the signal, but it answered ${status}`
  if (status === 410)
    return new DispatchError("dispatch_gone", `${answered}; send nothing more to this url`, { status })
  if (status < 500 && !PASSING_STATUSES.has(status)) return new DispatchError("dispatch_refused", answered, { status })
  const waitMs = retryAfterMs(response.headers.get("retry-after"), nowMs)
  const retryAtMs = waitMs === undefined ? undefined : nowMs + Math.min(waitMs, request.maxRetryAfterMs)
  return new DispatchError("dispatch_failed", answered, { status, retryAtMs })
}

/** Browsers hide the status of a redirect behind 0. */
function redirected(host: string, status: number): DispatchError {
  return new DispatchError(
    "dispatch_refused",
    `expected ${host} to take the signal, but it sent it elsewhere; redirects are not followed, so set the new url`,
    { status: status === 0 ? undefined : status },
  )
}

/** All that is shown of a url: the path and the query may hold secrets. */
export function hostOf(url: string): string {
  return new URL(url).origin
}

/** The platform's code, such as ECONNREFUSED, or else the error's name. */
function reasonOf(error: unknown): string {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth++) {
    if ("code" in each && typeof each.code === "string") return each.code
  }
  return error instanceof Error ? error.name : "no reason was given"
}
