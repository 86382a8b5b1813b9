import { createHmac } from "node:crypto"
import { setTimeout } from "node:timers/promises"
import { excerpt } from "./payload.ts"

/** What is posted: an event of GitHub. */
export interface Delivery {
  readonly event: string
  readonly deliveryId: string
  readonly body: Uint8Array
}

/** Time, injected so that tests can move it. */
export interface Clock {
  /** Milliseconds since any fixed moment. */
  readonly now: () => number
  /** Resolves after so many milliseconds, at once when there are none left, early when aborted. Never rejects. */
  readonly sleep: (ms: number, abort: AbortSignal) => Promise<void>
}

/** What posting works with. */
export interface PostDeps {
  readonly url: string
  readonly secret: string
  readonly fetch: typeof globalThis.fetch
  readonly clock: Clock
  readonly abort: AbortSignal
}

/** What came of posting an event, after all tries. `unreachable` with status 0: nothing answered. */
export type Answer =
  | { readonly kind: "stored" }
  | { readonly kind: "duplicate" }
  | { readonly kind: "refused"; readonly status: number; readonly detail: string }
  | { readonly kind: "unreachable"; readonly status: number; readonly detail: string }
  | { readonly kind: "aborted" }

/** One try: an answer for good, or one to hope for better than. */
type Try = { readonly answer: Answer; readonly isFinal: boolean; readonly retryAfterMs?: number | undefined }

/** GitHub gives up on an answer after so long. */
const TIMEOUT_MS = 10_000
const RETRY_FOR_MS = 60_000
const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 2_000
/** A server may ask for more patience than that, up to this. */
const MAX_RETRY_AFTER_MS = 30_000
const MAX_DETAIL = 500
/** Statuses that speak of the server, not of the event. */
const DOWN: ReadonlySet<number> = new Set([502, 503, 504])
/** setTimeout fires at once beyond this. */
const MAX_TIMER_MS = 2_147_483_647

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: async (ms, abort) => {
    if (ms <= 0 || abort.aborted) return
    // Rejects only when aborted, which the caller sees by itself.
    await setTimeout(Math.min(ms, MAX_TIMER_MS), undefined, { signal: abort }).catch(() => undefined)
  },
}

/** Posts an event as GitHub does, again and again for a minute while the server has passing trouble. */
export async function postExample(delivery: Delivery, deps: PostDeps): Promise<Answer> {
  const { clock, abort } = deps
  const init = requestOf(delivery, deps.secret)
  const giveUpAt = clock.now() + RETRY_FOR_MS
  for (let backoffMs = FIRST_WAIT_MS; !abort.aborted; backoffMs = Math.min(backoffMs * 2, LONGEST_WAIT_MS)) {
    const { answer, isFinal, retryAfterMs = 0 } = await tryOnce(init, deps)
    const waitMs = Math.max(backoffMs, retryAfterMs)
    if (isFinal || clock.now() + waitMs > giveUpAt) return answer
    await clock.sleep(waitMs, abort)
  }
  return { kind: "aborted" }
}

function requestOf({ event, deliveryId, body }: Delivery, secret: string): RequestInit {
  return {
    method: "POST",
    // As GitHub does; and a redirect would not be the webhook route.
    redirect: "manual",
    headers: {
      accept: "*/*",
      "content-type": "application/json",
      "user-agent": "GitHub-Hookshot/fleetprompt",
      "x-github-event": event,
      "x-github-delivery": deliveryId,
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    },
    // TypeScript asks for an ArrayBuffer beneath; a SharedArrayBuffer is sent just the same.
    body: body as Uint8Array<ArrayBuffer>,
  }
}

async function tryOnce(init: RequestInit, { url, fetch, abort }: PostDeps): Promise<Try> {
  const giveUp = new AbortController()
  const onAbort = (): void => giveUp.abort()
  const timer = globalThis.setTimeout(onAbort, TIMEOUT_MS)
  // By hand: AbortSignal.any would leave a trace on the long-lived signal for every request.
  abort.addEventListener("abort", onAbort, { once: true })
  try {
    const response = await fetch(url, { ...init, signal: giveUp.signal })
    return readAnswer(response, await response.text())
  } catch (error) {
    if (abort.aborted) return { answer: { kind: "aborted" }, isFinal: true }
    return {
      answer: { kind: "unreachable", status: 0, detail: `no answer from ${url}: ${reasonOf(error)}` },
      isFinal: false,
    }
  } finally {
    globalThis.clearTimeout(timer)
    abort.removeEventListener("abort", onAbort)
  }
}

function readAnswer({ status, headers }: Response, text: string): Try {
  const content = parseJson(text)
  if (status >= 200 && status < 300 && typeof content["inserted"] === "boolean") {
    return { answer: { kind: content["inserted"] ? "stored" : "duplicate" }, isFinal: true }
  }
  const detail = typeof content["detail"] === "string" ? content["detail"] : text
  const kind = DOWN.has(status) ? "unreachable" : "refused"
  const answer: Answer = { kind, status, detail: excerpt(detail, MAX_DETAIL) }
  const isPassing = status === 429 || status >= 500
  return { answer, isFinal: !isPassing, retryAfterMs: isPassing ? retryAfterMs(headers) : undefined }
}

/** Seconds, or a date: that is compared with the server's own clock. Undefined when there is none or it is odd. */
function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get("retry-after")
  if (value === null) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.parse(headers.get("date") ?? "")
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}

/** The answer's JSON object; an empty one for anything else. */
function parseJson(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** fetch says only "fetch failed"; what happened is in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (cause instanceof Error) return ("code" in cause && String(cause.code)) || cause.message
  return error.name === "AbortError" ? `nothing came within ${TIMEOUT_MS} ms` : error.message
}
