import type { Fleet } from "../../src/fleet.ts"
import type { Ledger } from "./ledger/ledger.ts"

/** Whose signals a subscriber follows. */
export interface TailRequest {
  /** Names the subscriber; one that was there before goes on behind what it saw last. */
  readonly name: string
  readonly tenant: string
  /** Default: all types. */
  readonly pattern?: string
  readonly pageSize?: number
}

/** A subscriber that writes down what it sees. */
export interface RunningTail {
  /** Ends it. @throws what the tail threw */
  readonly stop: () => Promise<void>
}

/** Sightings that may wait for the ledger. */
const MAX_UNDER_WAY = 500

/** Follows a tenant's signals from the first one on, or from where this subscriber stood. */
export async function startTail(fleet: Fleet, ledger: Ledger, request: TailRequest): Promise<RunningTail> {
  const { name, tenant, pattern, pageSize } = request
  const cursor = await ledger.subscribe(name, tenant, pattern ?? null)
  const abort = new AbortController()
  const tail = fleet.tenant(tenant).signals.tail({
    from: cursor ?? "start",
    signal: abort.signal,
    ...(pattern !== undefined && { pattern }),
    ...(pageSize !== undefined && { pageSize }),
  })
  const following = follow(tail, name, ledger)
  // It is told when the tail is stopped.
  following.catch(() => {})
  return {
    stop: async () => {
      abort.abort()
      await following
    },
  }
}

/** The ledger keeps the order of what is written without waiting. */
async function follow(
  tail: AsyncIterable<{ readonly signal: { readonly id: string }; readonly cursor: string }>,
  subscriber: string,
  ledger: Ledger,
): Promise<void> {
  let underWay: Promise<void>[] = []
  for await (const { signal, cursor } of tail) {
    underWay.push(ledger.saw({ subscriber, signalId: signal.id, cursor }))
    if (underWay.length < MAX_UNDER_WAY) continue
    await Promise.all(underWay)
    underWay = []
  }
  await Promise.all(underWay)
}
