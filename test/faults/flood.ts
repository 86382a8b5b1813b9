import { randomUUID } from "node:crypto"
import { setTimeout as wait } from "node:timers/promises"
import { isFleetPromptError } from "../../src/errors.ts"
import type { Fleet } from "../../src/fleet.ts"
import { isTransient } from "../../src/store/transient.ts"
import { errorText } from "./ledger/recorded-emit.ts"
import type { Ledger } from "./ledger/ledger.ts"
import { noteStored, noteUnknown } from "./ledger/note-stored.ts"

/** Callers who do not wait for the answers to earlier calls. */
export interface Flood {
  readonly tenant: string
  /** Calls at once. */
  readonly burst: number
  /** How often, milliseconds. */
  readonly everyMs: number
  /** How many bursts. */
  readonly bursts: number
  /** Length of a filler in the data, characters. */
  readonly dataBytes: number
}

/** What became of the calls. */
export interface FloodCounts {
  readonly offered: number
  readonly stored: number
  /** Turned away with `emit_queue_full`. */
  readonly refused: number
  /** Told that the database was away, so that the signal may be stored or not. */
  readonly unknown: number
  /** Calls under way or in line at once, at most. */
  readonly mostUnderWay: number
  /** What else went wrong, a few of them. */
  readonly errors: readonly string[]
}

const MAX_ERRORS = 5
const TYPE = "order.created"

/**
 * Emits in bursts whatever becomes of it, and notes in the ledger what was stored, so that it costs no more than that.
 * Resolves when every call was answered and noted.
 */
export async function flood(
  fleet: Fleet,
  ledger: Ledger,
  { tenant, burst, everyMs, bursts, dataBytes }: Flood,
): Promise<FloodCounts> {
  const counts = { offered: 0, stored: 0, refused: 0, unknown: 0, mostUnderWay: 0, errors: [] as string[] }
  let underWay = 0
  const calls = new Set<Promise<void>>()
  const call = async (): Promise<void> => {
    const data = { n: counts.offered++, nonce: randomUUID(), filler: "x".repeat(dataBytes) }
    counts.mostUnderWay = Math.max(counts.mostUnderWay, ++underWay)
    const answer = fleet.tenant(tenant).emit(TYPE, data)
    try {
      const { signal } = await answer.finally(() => (underWay -= 1))
      counts.stored += 1
      await noteStored(ledger, { tenant, type: TYPE, data }, signal.id)
    } catch (error) {
      if (isFleetPromptError(error) && error.code === "emit_queue_full") counts.refused += 1
      else if (isTransient(error)) {
        counts.unknown += 1
        await noteUnknown(ledger, { tenant, type: TYPE, data })
      } else if (counts.errors.length < MAX_ERRORS) counts.errors.push(errorText(error))
    }
  }
  for (let left = bursts; left > 0; left--) {
    const next = wait(everyMs)
    for (let n = 0; n < burst; n++) {
      const ended = call().finally(() => calls.delete(ended))
      calls.add(ended)
    }
    await next
  }
  await Promise.all(calls)
  return counts
}
