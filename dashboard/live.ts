import type { SignalRow, Summary } from "./api.ts"
import { liveAddress } from "./api.ts"
import { afterFailure, type Connection, retryDelay } from "./connection.ts"
import type { Moved } from "./list-state.ts"

/** What the feed tells. */
export interface LiveListener {
  readonly onConnection: (connection: Connection) => void
  /** The feed opened, for the first time or again: what happened before may have been missed. */
  readonly onOpen: () => void
  readonly onSignals: (rows: readonly SignalRow[]) => void
  readonly onMoved: (changes: readonly Moved[]) => void
  readonly onSummary: (summary: Summary) => void
  /** The server lost track: read the list again. */
  readonly onReset: () => void
}

/** A hidden tab closes its feed after this long: a browser opens only six connections to one HTTP/1.1 server. */
const HIDDEN_CLOSE_MS = 60_000

/**
 * The live feed of one pattern. While a connection breaks, the browser opens it again by itself and says
 * which signal it saw last; when the server refuses, the browser gives up, and this class tries again.
 */
export class LiveFeed {
  readonly #listener: LiveListener
  #source: EventSource | undefined
  #pattern: string | null = null
  #isWanted = false
  #failures = 0
  #everOpen = false
  #retry: ReturnType<typeof setTimeout> | undefined
  #hide: ReturnType<typeof setTimeout> | undefined

  constructor(listener: LiveListener) {
    this.#listener = listener
    addEventListener("online", () => this.#openUnlessOpen())
    document.addEventListener("visibilitychange", () => this.#onVisibility())
  }

  /** Listens to a pattern, and no more to the one before. */
  listen(pattern: string | null): void {
    this.#pattern = pattern
    this.#isWanted = true
    this.#open()
  }

  /** Listens to nothing until `listen` is called again. */
  stop(): void {
    this.#close()
    this.#isWanted = false
    this.#listener.onConnection("stopped")
  }

  #open(): void {
    this.#close()
    if (!this.#isWanted) return
    const source = new EventSource(liveAddress(this.#pattern))
    this.#source = source
    source.addEventListener("open", () => this.#onOpen())
    source.addEventListener("error", () => this.#onError(source))
    // What comes here was sent by the server of this same page, typed by the same contract.
    source.addEventListener("signals", ({ data }) => this.#listener.onSignals(JSON.parse(data) as SignalRow[]))
    source.addEventListener("deliveries", ({ data }) => this.#listener.onMoved(JSON.parse(data) as Moved[]))
    source.addEventListener("summary", ({ data }) => this.#listener.onSummary(JSON.parse(data) as Summary))
    source.addEventListener("reset", () => this.#listener.onReset())
  }

  #openUnlessOpen(): void {
    if (this.#source?.readyState !== EventSource.OPEN) this.#open()
  }

  #close(): void {
    clearTimeout(this.#retry)
    this.#source?.close()
    this.#source = undefined
  }

  #onOpen(): void {
    this.#failures = 0
    this.#everOpen = true
    this.#listener.onConnection("live")
    this.#listener.onOpen()
  }

  #onError(source: EventSource): void {
    this.#failures++
    this.#listener.onConnection(afterFailure(this.#failures, this.#everOpen))
    if (source.readyState !== EventSource.CLOSED) return
    this.#retry = setTimeout(() => this.#open(), retryDelay(this.#failures))
  }

  #onVisibility(): void {
    clearTimeout(this.#hide)
    if (document.hidden) this.#hide = setTimeout(() => this.#close(), HIDDEN_CLOSE_MS)
    else if (this.#source === undefined) this.#open()
  }
}
