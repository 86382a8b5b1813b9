import { isTransient } from "../store/transient.ts"

/** How often each open stream is looked at, milliseconds: half of the time in which a revoked key is to be out. */
const EVERY_MS = 900
/** Streams that are looked at together. */
const BATCH = 100

/** One open stream. */
export interface LiveCheck {
  /** Whether its caller may still read. */
  readonly mayStay: () => Promise<boolean>
  /** Ends it. */
  readonly end: () => void
}

/** Ends streams whose callers may no longer read: a stream outlives the request that was let through. */
export class LiveChecks {
  readonly #checks = new Set<LiveCheck>()
  #timer: NodeJS.Timeout | undefined
  #isLooking = false

  /** Looks at a stream again and again, until the returned function is called. */
  add(check: LiveCheck): () => void {
    this.#checks.add(check)
    this.#schedule()
    return () => this.#remove(check)
  }

  #remove(check: LiveCheck): void {
    this.#checks.delete(check)
    if (this.#checks.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #schedule(): void {
    if (this.#timer || this.#isLooking || this.#checks.size === 0) return
    this.#timer = setTimeout(() => void this.#look(), EVERY_MS)
  }

  async #look(): Promise<void> {
    this.#timer = undefined
    this.#isLooking = true
    const checks = [...this.#checks]
    for (let from = 0; from < checks.length; from += BATCH)
      await Promise.all(checks.slice(from, from + BATCH).map(look))
    this.#isLooking = false
    this.#schedule()
  }
}

async function look({ mayStay, end }: LiveCheck): Promise<void> {
  try {
    if (!(await mayStay())) end()
  } catch (error) {
    // While the database does not answer, the stream tells nothing new either.
    if (!isTransient(error)) end()
  }
}
