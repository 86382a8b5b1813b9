import { announce, type Announcement } from "./announcements.ts"
import type { Queryable } from "./database.ts"

/** How long announcements gather before one statement tells them all. */
const GATHER_MS = 2

interface Pending {
  readonly stored: Set<string>
  readonly delivered: Set<string>
}

/**
 * Announces what this process commits, gathered over 2 ms and after the commit: a NOTIFY inside the
 * transaction would take a lock on the whole database at each commit.
 */
export class Announcer {
  readonly #database: Queryable
  readonly #onError: (error: unknown) => void
  readonly #pending = new Map<string, Pending>()
  #flushing: Promise<void> | undefined

  /** @param onError called when announcing failed; nothing is lost then, since listeners also poll. */
  constructor(database: Queryable, onError: (error: unknown) => void) {
    this.#database = database
    this.#onError = onError
  }

  /** A signal was stored. */
  stored(tenant: string, signalId: string): void {
    this.#of(tenant).stored.add(signalId)
    this.#schedule()
  }

  /** A delivery of a signal was claimed or settled. */
  delivered(tenant: string, signalId: string): void {
    this.#of(tenant).delivered.add(signalId)
    this.#schedule()
  }

  /** Resolves when all that was announced so far has been told. */
  async flushed(): Promise<void> {
    while (this.#flushing) await this.#flushing
  }

  #of(tenant: string): Pending {
    const pending = this.#pending.get(tenant) ?? { stored: new Set(), delivered: new Set() }
    this.#pending.set(tenant, pending)
    return pending
  }

  #schedule(): void {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined
      if (this.#pending.size > 0) this.#schedule()
    })
  }

  async #flush(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS))
    const announcements: Announcement[] = [...this.#pending].map(([tenant, { stored, delivered }]) => ({
      tenant,
      stored: [...stored],
      delivered: [...delivered],
    }))
    this.#pending.clear()
    await announce(this.#database, announcements).catch(this.#onError)
  }
}
