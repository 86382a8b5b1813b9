import { onTestFinished } from "vitest"
import type { Principal } from "../../src/access/principal.ts"
import type { Fleet } from "../../src/fleet.ts"
import { createFetchHandler, type FetchHandlerOptions } from "../../src/server/fetch-handler.ts"

/** An answer, read. */
export interface Answer {
  readonly status: number
  /** Whatever a test expects of it; empty when there is none. */
  readonly body: Readonly<Record<string, unknown>>
}

/** Sends a request in somebody's name. */
export type SendAs = (principal: Principal | undefined, method: string, path: string, body?: unknown) => Promise<Answer>

const HEADER = "x-test-principal"

/** A fetch handler that believes who the test says is calling. */
export function sendAs(fleet: Fleet, options: Partial<FetchHandlerOptions> = {}): SendAs {
  const handler = createFetchHandler(fleet, { authenticate: principalOfTest, ...options })
  onTestFinished(() => handler.close())
  return async (principal, method, path, body) => {
    const headers = { [HEADER]: JSON.stringify(principal ?? null), "content-type": "application/json" }
    const request = new Request(`http://localhost:4400${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const response = await handler.fetch(request)
    if (response.headers.get("content-type")?.includes("event-stream")) {
      await response.body?.cancel()
      return { status: response.status, body: {} }
    }
    return { status: response.status, body: objectOf(await response.text()) }
  }
}

/** Finds out who the test says is calling. */
export function principalOfTest({ headers }: Request): Principal | undefined {
  // The test wrote it.
  return (JSON.parse(headers.get(HEADER) ?? "null") as Principal | null) ?? undefined
}

function objectOf(text: string): Answer["body"] {
  try {
    // Our answers in JSON are objects.
    return JSON.parse(text) as Answer["body"]
  } catch {
    return {}
  }
}
