import type { Database } from "../store/database.ts"
import { type DirectiveRun, type HeldDirective, saveDirectiveProgress } from "../store/directive-steps.ts"
import type { DirectiveProgress } from "../store/directives.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { withinTenant } from "../store/within-tenant.ts"
import { redactText } from "../guard/redact.ts"

/** How often progress is written down at most, milliseconds. */
const EVERY_MS = 250
const MAX_TEXT = 200
/** As much of it is looked at, so that a secret which the end cuts off is found. */
const MAX_SEARCHED = 2_000

/** Writes down how far a run is: the latest word, a few times a second. What cannot be written is left out. */
export class Progress {
  readonly #save: (progress: DirectiveProgress) => Promise<void>
  #latest: DirectiveProgress | undefined
  #writing: Promise<void> | undefined
  #writtenAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(
    database: Database,
    scope: TenantScope,
    run: DirectiveRun,
    learn: (held: HeldDirective | undefined) => void,
  ) {
    this.#save = async (progress) =>
      learn(await withinTenant(database, scope, (tx) => saveDirectiveProgress(tx, scope, run, progress)))
  }

  /** A run says how far it is. */
  report(done: number, total: number, text?: string): void {
    if (this.#isOver || !Number.isFinite(done) || !Number.isFinite(total)) return
    this.#latest = { done, total, text: text === undefined ? null : shortOf(text) }
    this.#writeSoon()
  }

  /** Resolves when the latest word is written down. */
  async flushed(): Promise<void> {
    const last = this.#latest
    this.end()
    await this.#writing
    if (last) await this.#save(last).catch(() => undefined)
  }

  /** Nothing more is written down. */
  end(): void {
    this.#isOver = true
    this.#latest = undefined
    clearTimeout(this.#timer)
  }

  #writeSoon(): void {
    if (this.#writing || this.#timer) return
    const waitMs = this.#writtenAt + EVERY_MS - performance.now()
    if (waitMs <= 0) void this.#write()
    else
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        void this.#write()
      }, waitMs)
  }

  async #write(): Promise<void> {
    const progress = this.#latest
    if (!progress) return
    this.#latest = undefined
    this.#writtenAt = performance.now()
    this.#writing = this.#save(progress).catch(() => undefined)
    await this.#writing
    this.#writing = undefined
    if (this.#latest) this.#writeSoon()
  }
}

function shortOf(text: string): string {
  return redactText(text.slice(0, MAX_SEARCHED)).slice(0, MAX_TEXT)
}
