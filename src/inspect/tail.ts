import { FleetPromptError } from "../errors.ts"
import type { StoredSignal, Visibility } from "../signal/stored-signal.ts"
import type { Queryable } from "../store/database.ts"
import { type Cursor, type OrderPage, parseCursor, selectHorizon, selectInOrder } from "../store/signal-order.ts"
import type { TenantScope } from "../store/tenant-scope.ts"
import { isTransient } from "../store/transient.ts"
import { typeExpression } from "./type-expression.ts"

/** Where a tenant's rows are, and what reads them. */
export interface TailPlace {
  readonly database: Queryable
  readonly scope: TenantScope
  /** Which order its signals are in; see `TenantRecord`. Default 1. */
  readonly generation?: number
}

/** What `tail` works with. */
export interface TailDeps {
  readonly database: Queryable
  /** Calls the listener when the tenant may have new signals, until the returned function is called. */
  readonly onCommit: (listener: () => void) => () => void
  /** Where the tenant's rows are now, asked before each read: it may be moved meanwhile. Default: they stay. */
  readonly place?: () => Promise<TailPlace>
  /** Is told of a read that failed and is tried again. */
  readonly onError?: (error: unknown) => void
}

/** Which signals a tail shows, and from where. */
export interface TailOptions {
  /** Only types that fit this pattern. Default: all. */
  readonly pattern?: string
  /** `start`: the oldest signal, the default; `now`: what is committed after the first read; else the cursor of the last signal that was dealt with. */
  readonly from?: string
  /** What the reader may see. Default: everything, since code of the platform reads. */
  readonly visibilities?: readonly Visibility[]
  /** Ends the tail. */
  readonly signal?: AbortSignal
  /** Signals held in memory at most, 1 to 1,000. Default 100. */
  readonly pageSize?: number
}

/** A signal, and the place behind it. */
export interface TailedSignal {
  readonly signal: StoredSignal
  /** To be kept once the signal was dealt with: `from: cursor` goes on behind it. */
  readonly cursor: Cursor
}

const EVERYTHING: readonly Visibility[] = ["internal", "admin_only"]
const DEFAULT_PAGE_SIZE = 100
const MAX_PAGE_SIZE = 1_000
/** How often it is looked when no commit is heard of, milliseconds. */
const POLL_MS = 1_000
/** Between two looks when commits are heard of all the time, milliseconds. */
const GATHER_MS = 10

/**
 * A tenant's signals in the order of their commits, each once, first those that are there and then those to come.
 * It holds one page, and reads the next when that is consumed. It never ends by itself: leave the loop, call
 * `return`, or abort. While the database is away it tries again each second; any other error is thrown.
 *
 * @throws FleetPromptError `pattern_invalid`, `cursor_invalid`, `query_invalid`
 * @example
 * for await (const { signal, cursor } of tail(deps, scope, { pattern: "lead.**", from: await lastCursor(), visibilities })) {
 *   await index(signal)
 *   await keepCursor(cursor)
 * }
 */
export function tail(deps: TailDeps, scope: TenantScope, options: TailOptions): AsyncIterableIterator<TailedSignal> {
  const reader = new TailReader(deps, scope, checkOptions(options))
  const signals = reader.read()
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: () => signals.next(),
    // A generator that waits would hear of its return only when the next signal comes.
    return: () => {
      reader.end()
      return signals.return(undefined)
    },
  }
}

interface CheckedOptions {
  readonly typeExpression: string | null
  /** `start`, `now` or a cursor. */
  readonly from: string
  readonly visibilities: readonly Visibility[]
  readonly abort: AbortSignal | undefined
  readonly limit: number
}

function checkOptions(options: TailOptions): CheckedOptions {
  const {
    pattern,
    from = "start",
    visibilities = EVERYTHING,
    signal: abort,
    pageSize: limit = DEFAULT_PAGE_SIZE,
  } = options
  if (from !== "start" && from !== "now") parseCursor(from)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE_SIZE)
    throw new FleetPromptError(
      "query_invalid",
      `expected a whole number from 1 to ${MAX_PAGE_SIZE} as pageSize, got ${String(limit)}`,
    )
  return { typeExpression: pattern === undefined ? null : typeExpression(pattern), from, visibilities, abort, limit }
}

/** The tables are not where they were: the tenant was moved a moment ago. */
function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "42P01" || error.code === "3F000")
}

/** Reads until it is ended; waits for a hint or for the next poll where nothing is left to be read. */
class TailReader {
  readonly #deps: TailDeps
  readonly #scope: TenantScope
  readonly #options: CheckedOptions
  #ended = false
  /** A commit was heard of since the last read began. */
  #hinted = false
  #wake: () => void = () => {}

  constructor(deps: TailDeps, scope: TenantScope, options: CheckedOptions) {
    this.#deps = deps
    this.#scope = scope
    this.#options = options
  }

  readonly end = (): void => {
    this.#ended = true
    this.#wake()
  }

  async *read(): AsyncGenerator<TailedSignal, undefined> {
    const { from, abort } = this.#options
    const unlisten = this.#deps.onCommit(this.#hint)
    abort?.addEventListener("abort", this.end)
    if (abort?.aborted) this.end()
    try {
      let after = from === "start" ? null : from === "now" ? await this.#horizon() : from
      for (let page = await this.#page(after); page; page = await this.#page(after)) {
        for (const each of page.signals) if (!this.#ended) yield each
        after = page.next
        if (!page.more) await this.#wait()
      }
    } finally {
      unlisten()
      abort?.removeEventListener("abort", this.end)
    }
    return undefined
  }

  /** Undefined when it was ended. */
  #page(after: Cursor | null | undefined): Promise<OrderPage | undefined> {
    const { limit, typeExpression: expression, visibilities } = this.#options
    const query = { after: after ?? null, limit, typeExpression: expression, visibilities }
    this.#hinted = false
    return this.#try(async () => {
      const { database, scope, generation } = await this.#place()
      return selectInOrder(database, scope, { ...query, ...(generation !== undefined && { generation }) })
    })
  }

  /** A place in the order is good wherever the rows are, as long as they stay in one database. */
  #place(): Promise<TailPlace> {
    return this.#deps.place?.() ?? Promise.resolve({ database: this.#deps.database, scope: this.#scope })
  }

  #horizon(): Promise<Cursor | undefined> {
    return this.#try(async () => {
      const { database, generation } = await this.#place()
      return selectHorizon(database, generation)
    })
  }

  /** Reads, again and again while the database is away; undefined when it was ended. */
  async #try<Result>(read: () => Promise<Result>): Promise<Result | undefined> {
    while (!this.#ended) {
      try {
        return await read()
      } catch (error) {
        if (!isTransient(error) && !(this.#deps.place && isGone(error))) throw error
        this.#deps.onError?.(error)
        await this.#sleep(POLL_MS)
      }
    }
    return undefined
  }

  readonly #hint = (): void => {
    if (this.#hinted) return
    this.#hinted = true
    this.#wake()
  }

  /** The first hint ends the sleep; further ones until the next read are told by that read. */
  #wait(): Promise<void> {
    return this.#sleep(this.#hinted ? GATHER_MS : POLL_MS)
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#ended) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
