import { type ApiKeyUse, updateKeyUses } from "../store/api-key-checks.ts"
import type { Queryable } from "../store/database.ts"

/** How long uses gather before one statement notes them, milliseconds. */
const GATHER_MS = 5_000
/** Uses that wait to be noted at most; of what is beyond it, no use is noted. */
const MAX_WAITING = 10_000
/** Uses that one statement notes at most. */
const BATCH = 1_000

interface Waiting extends Pick<ApiKeyUse, "address" | "rehash"> {
  readonly at: number
}

/** What uses are noted with. */
export interface ApiKeyUsesDeps {
  readonly engine: Queryable
  /** Is told when uses could not be noted; they are lost then. */
  readonly onError: (error: unknown) => void
}

/** Notes when keys were last used, in batches: nobody who shows a key waits for it. */
export class ApiKeyUses {
  readonly #deps: ApiKeyUsesDeps
  #waiting = new Map<string, Waiting>()
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> = Promise.resolve()

  constructor(deps: ApiKeyUsesDeps) {
    this.#deps = deps
  }

  /** A key was used just now. */
  add(id: string, use: Pick<ApiKeyUse, "address" | "rehash">): void {
    if (this.#waiting.size >= MAX_WAITING) return
    const address = use.address ?? this.#waiting.get(id)?.address ?? null
    this.#waiting.set(id, { ...use, address, at: performance.now() })
    this.#timer ??= setTimeout(() => void this.flushed(), GATHER_MS).unref()
  }

  /** Resolves when all uses so far have been noted, or were lost. */
  flushed(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const waiting = [...this.#waiting]
    this.#waiting = new Map()
    this.#flushing = this.#flushing.then(() => this.#note(waiting)).catch(this.#deps.onError)
    return this.#flushing
  }

  async #note(waiting: readonly (readonly [string, Waiting])[]): Promise<void> {
    for (let from = 0; from < waiting.length; from += BATCH) {
      const uses = waiting.slice(from, from + BATCH).map(([id, { at, ...use }]) => ({
        id,
        ageMs: performance.now() - at,
        ...use,
      }))
      await updateKeyUses(this.#deps.engine, uses)
    }
  }
}
