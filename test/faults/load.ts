import { randomUUID } from "node:crypto"
import { setTimeout as wait } from "node:timers/promises"
import type { Fleet } from "../../src/fleet.ts"
import { markerOf } from "./ledger/content.ts"
import type { Ledger } from "./ledger/ledger.ts"
import { type EmitRequest, recordEmits } from "./ledger/recorded-emit.ts"

/** What is emitted: by so many callers, each of which awaits its call before its next. */
export interface Load {
  readonly tenants: readonly string[]
  /** Types in turn. Default: `order.created`. */
  readonly types?: readonly string[]
  /** Default 4. */
  readonly callers?: number
  /** Signals a second of all callers together. Default: as fast as they are answered. */
  readonly perSecond?: number
  /** Ends after so many signals. Default: goes on until it is stopped. */
  readonly count?: number
  /** Signals of one call, with emitMany beyond 1. Default 1. */
  readonly batch?: number
  /** Share of the signals with a dedupe key, 0 to 1. Default 0. */
  readonly keyed?: number
  /** Share of the calls that say an earlier keyed fact again, 0 to 1. Default 0. */
  readonly duplicates?: number
  /** Subjects `order:<n>` in turn. Default: no subject. */
  readonly subjects?: number
  /** Length of a filler in the data, characters. Default 0. */
  readonly dataBytes?: number
  /** Whether a keyed call whose outcome is unknown is tried again, after 200 ms, until it is answered. Default true. */
  readonly retry?: boolean
}

/** How many signals' calls ended how. */
export interface LoadCounts {
  readonly ok: number
  /** Of the ok ones, those that were there already. */
  readonly twins: number
  /** Calls that threw, further tries included. */
  readonly threw: number
  /** Longest time that a call took, milliseconds. */
  readonly slowestMs: number
}

/** Emits that go on by themselves. */
export interface RunningLoad {
  readonly counts: () => LoadCounts
  readonly pause: () => void
  readonly resume: () => void
  /** Ends it, once calls under way were answered. */
  readonly stop: () => Promise<LoadCounts>
  /** Resolves when `count` is reached or it was stopped. */
  readonly done: Promise<LoadCounts>
}

const RETRY_MS = 200
/** Keyed requests that are remembered, to be said again. */
const MAX_EARLIER = 100

/** Emits through a fleet, each call in the ledger. Errors of calls are counted, not thrown. */
export function startLoad(fleet: Fleet, ledger: Ledger, load: Load): RunningLoad {
  const source = new Source(load)
  const recorded = recordEmits(fleet, ledger)
  const counts = { ok: 0, twins: 0, threw: 0, slowestMs: 0 }
  const startedAt = performance.now()
  const stopped = new AbortController()
  let resumed: Promise<void> | undefined
  let resume = (): void => {}

  async function call(tenant: string, requests: readonly EmitRequest[]): Promise<void> {
    const callId = randomUUID()
    const [first] = requests
    for (;;) {
      const begunAt = performance.now()
      try {
        const results =
          requests.length === 1 && first
            ? [await recorded.emit(tenant, first, callId)]
            : await recorded.emitMany(tenant, requests)
        counts.ok += results.length
        counts.twins += results.filter(({ inserted }) => !inserted).length
        return
      } catch {
        counts.threw += requests.length
        const isRepeatable = requests.length === 1 && first?.options?.dedupeKey !== undefined
        if (stopped.signal.aborted || !isRepeatable || load.retry === false) return
        await wait(RETRY_MS)
      } finally {
        counts.slowestMs = Math.max(counts.slowestMs, Math.round(performance.now() - begunAt))
      }
    }
  }

  async function caller(): Promise<void> {
    while (!stopped.signal.aborted && source.made < (load.count ?? Infinity)) {
      await resumed
      const behindMs = performance.now() - startedAt - (source.made / (load.perSecond ?? Infinity)) * 1_000
      if (behindMs < 0) await wait(Math.min(100, -behindMs))
      else await call(...source.next())
    }
  }

  const done = Promise.all(Array.from({ length: load.callers ?? 4 }, caller)).then(() => counts)
  return {
    counts: () => ({ ...counts }),
    pause: () => {
      resumed ??= new Promise((resolve) => (resume = resolve))
    },
    resume: () => {
      resumed = undefined
      resume()
    },
    stop: () => {
      stopped.abort()
      resume()
      return done
    },
    done,
  }
}

/** Makes requests one after the other. Which are keyed or repeated goes by their number, not by chance. */
class Source {
  readonly #load: Load
  readonly #earlier: { readonly tenant: string; readonly request: EmitRequest }[] = []
  made = 0

  constructor(load: Load) {
    this.#load = load
  }

  next(): [tenant: string, requests: readonly EmitRequest[]] {
    const { tenants, batch = 1, count = Infinity, duplicates = 0 } = this.#load
    const tenant = tenants[this.made % tenants.length] ?? ""
    const again = isShare(this.made, duplicates) ? this.#earlier[this.made % this.#earlier.length] : undefined
    if (again && batch === 1) {
      this.made += 1
      return [again.tenant, [again.request]]
    }
    const size = Math.min(batch, count - this.made)
    return [tenant, Array.from({ length: size }, () => this.#make(tenant))]
  }

  #make(tenant: string): EmitRequest {
    const { types = ["order.created"], keyed = 0, subjects, dataBytes = 0 } = this.#load
    const n = this.made++
    const data = { n, nonce: randomUUID(), marker: markerOf(tenant), filler: "x".repeat(dataBytes) }
    const options = {
      ...(isShare(n * 7, keyed) && { dedupeKey: `key-${data.nonce}` }),
      ...(subjects !== undefined && { subject: `order:${n % subjects}` }),
    }
    const request = { type: types[n % types.length] ?? "", data, options }
    if (options.dedupeKey !== undefined) this.#earlier.push({ tenant, request })
    if (this.#earlier.length > MAX_EARLIER) this.#earlier.shift()
    return request
  }
}

/** Spreads a share evenly over numbers. */
function isShare(n: number, share: number): boolean {
  return (n * 37) % 100 < share * 100
}
