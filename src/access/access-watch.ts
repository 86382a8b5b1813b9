import { selectAccessChanges } from "../store/api-key-checks.ts"
import type { Queryable } from "../store/database.ts"
import { RepeatedLook } from "../store/repeated-look.ts"

/** What is watched with. */
export interface AccessWatchDeps {
  readonly engine: Queryable
  /** Callers of these tenants changed. */
  readonly onChange: (tenants: ReadonlySet<string>) => void
  /** Is told when a look failed; the next one comes by itself. */
  readonly onError: (error: unknown) => void
}

/** How often it is looked, milliseconds. */
const LOOK_MS = 500
/** How long what was read counts, when no look says that it still holds, milliseconds. */
const TRUST_MS = 1_000
/** How long it is looked on after nobody asked any more, milliseconds. */
const QUIET_MS = 10_000

/**
 * Watches for changes in what callers may, by a cheap look each half second. Each look asks for the changes of all
 * transactions that the one before cannot have seen, so none is missed. It looks only while somebody asks.
 */
export class AccessWatch {
  readonly #deps: AccessWatchDeps
  #horizon: string | undefined
  /** Tenants and versions that the last look told. */
  #told: ReadonlyMap<string, number> = new Map()
  /** When the first look had ended; what was read before is not covered by the looks. */
  #coveredFrom = Number.POSITIVE_INFINITY
  /** When the last look that succeeded began. */
  #lookedAt = Number.NEGATIVE_INFINITY
  #askedAt = Number.NEGATIVE_INFINITY
  #round = 0
  readonly #looks: RepeatedLook

  constructor(deps: AccessWatchDeps) {
    this.#deps = deps
    this.#looks = new RepeatedLook({
      look: () => this.#look(),
      onError: deps.onError,
      restMs: () => (performance.now() - this.#askedAt < QUIET_MS ? LOOK_MS : undefined),
    })
  }

  /** Grows with each look that found a change. */
  get round(): number {
    return this.#round
  }

  /** Whether what was read then still holds. Times are of `performance.now()`. */
  isTrusted(readAt: number): boolean {
    const now = performance.now()
    this.#askedAt = now
    this.#looks.later()
    const knownAt = readAt >= this.#coveredFrom ? Math.max(readAt, this.#lookedAt) : readAt
    return now - knownAt <= TRUST_MS
  }

  /** Takes the first look. */
  async start(): Promise<void> {
    await this.#look()
    this.#coveredFrom = performance.now()
  }

  /** Looks now, for something may have changed. */
  look(): void {
    this.#looks.now()
  }

  /** Ends the look under way; there is none after it. */
  stop(): Promise<void> {
    return this.#looks.stop()
  }

  async #look(): Promise<void> {
    const startedAt = performance.now()
    const { horizon, tenants } = await selectAccessChanges(this.#deps.engine, this.#horizon)
    const changed = new Set(tenants.filter(([name, version]) => this.#told.get(name) !== version).map(([name]) => name))
    this.#horizon = horizon
    this.#told = new Map(tenants)
    if (changed.size > 0) {
      this.#round++
      this.#deps.onChange(changed)
    }
    this.#lookedAt = startedAt
  }
}
