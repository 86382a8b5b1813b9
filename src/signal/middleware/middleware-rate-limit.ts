import { FleetPromptError } from "../../errors.ts"
import { checkCount } from "../bus/bus-count.ts"
import { halt, type Middleware, type PublishContext } from "./middleware.ts"
import type { Signal } from "../signal.ts"

/** How many signals, per key and time. */
export interface RateLimitOptions {
  /** Most signals of one key within any `windowMs`. */
  readonly limit: number
  /** Milliseconds. */
  readonly windowMs: number
  /** What is counted together. Default the signal's source. */
  readonly key?: (signal: Signal, context: PublishContext) => string
  /**
   * Most keys that are remembered at once. Default 10,000. A key is forgotten when it has been quiet for
   * `windowMs`; while there is no room for another, new ones are refused, since they could not be counted.
   */
  readonly maxKeys?: number
  /** Milliseconds; only differences count. Default `Date.now`. */
  readonly now?: () => number
}

/** The default of `RateLimitOptions.maxKeys`. */
const DEFAULT_MAX_KEYS = 10_000

/**
 * Middleware that refuses to publish more than so many signals of one key within a time, with
 * `rate_limited`. The window slides: however it is laid, it never has more. Each key holds the times of
 * its last `limit` signals.
 *
 * @throws FleetPromptError `config_invalid`
 * @example
 * const bus = createBus({ middleware: [rateLimit({ limit: 100, windowMs: 1_000 })] })
 */
export function rateLimit(options: RateLimitOptions): Middleware {
  const limit = checkCount("limit", options.limit)
  const windowMs = checkCount("windowMs", options.windowMs)
  const maxKeys = checkCount("maxKeys", options.maxKeys ?? DEFAULT_MAX_KEYS)
  const { key = (signal: Signal) => signal.source, now = Date.now } = options
  const keys = new Map<string, RecentTimes>()
  let latest = -Infinity

  /** The times of a key, which from here on is the one used last; undefined when there is no room for it. */
  function timesOf(name: string): RecentTimes | undefined {
    const known = keys.get(name)
    if (!known && keys.size >= maxKeys && !forgetQuiet()) return undefined
    const times = known ?? new RecentTimes(limit)
    keys.delete(name)
    keys.set(name, times)
    return times
  }

  /** Keys stand in the order of use, so when the first is not quiet, none is. */
  function forgetQuiet(): boolean {
    const [first] = keys
    if (!first || first[1].newest > latest - windowMs) return false
    keys.delete(first[0])
    return true
  }

  return {
    name: "rate-limit",
    beforePublish: (signal, context) => {
      // A clock that is set back must not make room.
      latest = Math.max(latest, now())
      const times = timesOf(key(signal, context))
      if (!times) return halt(tooMany(`expected at most ${maxKeys} keys within ${windowMs} ms, got more`))
      if (times.add(latest, windowMs)) return undefined
      return halt(tooMany(`expected at most ${limit} signals of one key within ${windowMs} ms, got more`))
    },
  }
}

/** The times of the last so many signals that were let through: a ring that grows up to its limit. */
class RecentTimes {
  readonly #limit: number
  readonly #times: number[] = []
  #next = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get newest(): number {
    return this.#times[(this.#next + this.#limit - 1) % this.#limit] ?? -Infinity
  }

  /** Adds a time, unless the limit is reached within the window before it. */
  add(time: number, windowMs: number): boolean {
    const oldest = this.#times[this.#next] ?? -Infinity
    if (oldest > time - windowMs) return false
    this.#times[this.#next] = time
    this.#next = (this.#next + 1) % this.#limit
    return true
  }
}

function tooMany(what: string): FleetPromptError {
  return new FleetPromptError("rate_limited", `${what}; publish more slowly, or raise the limit`)
}
