import type { FetchImplementation } from "jose"
import { FleetPromptError } from "../errors.ts"

/** Longest answer with keys, bytes. */
const MAX_BYTES = 524_288
/** How long after a failure it is not tried again, milliseconds, so that requests do not pile up on a service that is away. */
const FAILURE_PAUSE_MS = 5_000
const OK = 200

/**
 * Fetches an issuer's keys: follows no redirect, reads no endless answer, and leaves a service that failed alone for
 * five seconds.
 */
export function carefulFetch(fetchKeys: typeof fetch): FetchImplementation {
  let failedAt = Number.NEGATIVE_INFINITY
  return async (url, options) => {
    if (performance.now() - failedAt < FAILURE_PAUSE_MS) throw unreachable("it failed a moment ago")
    try {
      const response = await fetchKeys(url, { ...options, redirect: "error" })
      if (response.status !== OK) throw unreachable(`its answer was ${response.status}`)
      return Response.json(keysIn(await bodyOf(response)))
    } catch (cause) {
      failedAt = performance.now()
      throw cause instanceof FleetPromptError ? cause : unreachable("it could not be reached", cause)
    }
  }
}

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > MAX_BYTES) throw unreachable(`its answer has more than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

function keysIn(body: string): object {
  const parsed: unknown = JSON.parse(body)
  if (typeof parsed === "object" && parsed !== null && "keys" in parsed && Array.isArray(parsed.keys)) return parsed
  throw unreachable("its answer was no set of keys")
}

function unreachable(why: string, cause?: unknown): FleetPromptError {
  return new FleetPromptError(
    "issuer_unreachable",
    `expected the keys of the token's issuer, ${why}; try again in a few seconds`,
    cause === undefined ? {} : { cause },
  )
}
