import { FleetPromptError } from "../errors.ts"
import { type CheckedApiKey, selectKeysToCheck } from "../store/api-key-checks.ts"
import type { Queryable } from "../store/database.ts"

/** Keys that one statement looks up at most. */
const BATCH = 500
/** Keys that wait to be looked up at most; beyond it, checks are refused, so that a flood of them takes no more. */
const MAX_WAITING = 10_000

interface Waiting {
  readonly found: Promise<CheckedApiKey | undefined>
  readonly resolve: (key: CheckedApiKey | undefined) => void
  readonly reject: (error: unknown) => void
}

/**
 * Looks keys up in the database, one statement at a time: what is asked for meanwhile gathers for the next, so that a
 * flood of unknown keys costs a statement for each 500 of them.
 */
export class ApiKeyLookups {
  readonly #engine: Queryable
  #waiting = new Map<string, Waiting>()
  #isRunning = false

  constructor(engine: Queryable) {
    this.#engine = engine
  }

  /** @throws FleetPromptError `database_busy`, and what the database throws */
  find(id: string): Promise<CheckedApiKey | undefined> {
    const known = this.#waiting.get(id)
    if (known) return known.found
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(tooMany())
    const waiting = promised()
    this.#waiting.set(id, waiting)
    if (!this.#isRunning) void this.#run()
    return waiting.found
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // What is asked for in the same turn of the loop goes along.
    await Promise.resolve()
    while (this.#waiting.size > 0) await this.#lookUp(this.#take())
    this.#isRunning = false
  }

  #take(): ReadonlyMap<string, Waiting> {
    const batch = new Map([...this.#waiting].slice(0, BATCH))
    for (const id of batch.keys()) this.#waiting.delete(id)
    return batch
  }

  async #lookUp(batch: ReadonlyMap<string, Waiting>): Promise<void> {
    try {
      const rows = await selectKeysToCheck(this.#engine, [...batch.keys()])
      const found = new Map(rows.map((row) => [row.id, row]))
      for (const [id, { resolve }] of batch) resolve(found.get(id))
    } catch (error) {
      for (const { reject } of batch.values()) reject(error)
    }
  }
}

function promised(): Waiting {
  let resolve!: Waiting["resolve"]
  let reject!: Waiting["reject"]
  const found = new Promise<CheckedApiKey | undefined>((...settle) => ([resolve, reject] = settle))
  return { found, resolve, reject }
}

function tooMany(): FleetPromptError {
  return new FleetPromptError(
    "database_busy",
    `expected fewer than ${MAX_WAITING} API keys that wait to be looked up, got more; try again in a moment`,
  )
}
