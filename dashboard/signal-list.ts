import { ApiError, isAborted, type PageRequest, type SignalPage } from "./api.ts"
import {
  emptyList,
  type ListState,
  LIVE_ROWS,
  type News,
  released,
  withNewest,
  withNews,
  withOlder,
} from "./list-state.ts"

/** What the list needs of the page, and tells it. */
export interface SignalListDeps {
  /** Whether the reader wants shown rows to stay. */
  readonly isHeld: () => boolean
  readonly onChange: () => void
  /** Reads a page. */
  readonly fetchPage: (request: PageRequest) => Promise<SignalPage>
}

/** A load that failed, and how to try it again. */
export interface LoadProblem {
  readonly error: ApiError
  readonly retry: () => void
}

/** Rows of a page. */
const PAGE_SIZE = 100
/** Two reads of the newest page are at least this far apart, milliseconds, however often one is asked for. */
const REFRESH_GAP_MS = 500
const FIRST_RETRY_MS = 2_000
const LAST_RETRY_MS = 30_000

/**
 * The list as it stands, kept up to date by pages and news. A page is a picture of the moment when the
 * server read it, so news that come while it is under way are taken in again after it.
 */
export class SignalList {
  readonly #deps: SignalListDeps
  readonly #underWay = new Set<News[]>()
  #state: ListState = emptyList
  #pattern: string | null = null
  #abort = new AbortController()
  #problem: LoadProblem | undefined
  #refreshing = false
  #refreshAgain = false
  #loadingOlder = false
  #replaceNext = false
  #retryMs = FIRST_RETRY_MS
  #retry: ReturnType<typeof setTimeout> | undefined

  constructor(deps: SignalListDeps) {
    this.#deps = deps
  }

  get state(): ListState {
    return this.#state
  }

  get problem(): LoadProblem | undefined {
    return this.#problem
  }

  get loadingOlder(): boolean {
    return this.#loadingOlder
  }

  /** Starts anew with the signals of a pattern. */
  reset(pattern: string | null): void {
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#pattern = pattern
    this.#underWay.clear()
    this.#refreshing = false
    this.#refreshAgain = false
    this.#loadingOlder = false
    this.#problem = undefined
    this.#set(emptyList)
    this.refresh()
  }

  take(news: News): void {
    for (const recorder of this.#underWay) recorder.push(news)
    this.#set(withNews(this.#state, news, this.#deps.isHeld()))
  }

  /** Shows what was held back. */
  release(): void {
    if (this.#state.torn) {
      this.#replaceNext = true
      this.refresh()
    } else this.#set(released(this.#state))
  }

  /** Reads the newest page again. */
  refresh(): void {
    clearTimeout(this.#retry)
    if (this.#refreshing) this.#refreshAgain = true
    else void this.#refresh(this.#abort.signal)
  }

  /** Reads the page after the oldest row. */
  async loadOlder(): Promise<void> {
    const { next } = this.#state
    if (next === null || this.#loadingOlder) return
    this.#loadingOlder = true
    this.#deps.onChange()
    await this.#load({ abort: this.#abort.signal, before: next, limit: PAGE_SIZE }, (page) => {
      // The list may have begun anew meanwhile, and this page no longer be the next one.
      return this.#state.next === next ? withOlder(this.#state, page) : this.#state
    })
    this.#loadingOlder = false
    this.#deps.onChange()
  }

  async #refresh(abort: AbortSignal): Promise<void> {
    this.#refreshing = true
    // As many as are shown, so that each of them is as the server has it now.
    const limit = Math.min(LIVE_ROWS, Math.max(PAGE_SIZE, this.#state.shown.length))
    await this.#load({ abort, limit }, (page) => {
      const isHeld = this.#deps.isHeld() && !this.#replaceNext
      this.#replaceNext = false
      return withNewest(this.#state, page, isHeld)
    })
    await new Promise((resolve) => setTimeout(resolve, REFRESH_GAP_MS))
    if (abort.aborted) return
    this.#refreshing = false
    if (this.#refreshAgain) {
      this.#refreshAgain = false
      this.refresh()
    }
  }

  async #load(request: Omit<PageRequest, "pattern">, apply: (page: SignalPage) => ListState): Promise<void> {
    const recorder: News[] = []
    this.#underWay.add(recorder)
    try {
      const page = await this.#deps.fetchPage({ pattern: this.#pattern, ...request })
      if (request.abort.aborted) return
      this.#problem = undefined
      this.#retryMs = FIRST_RETRY_MS
      const isHeld = this.#deps.isHeld()
      this.#set(recorder.reduce((state, news) => withNews(state, news, isHeld), apply(page)))
    } catch (error) {
      if (!isAborted(error)) this.#fail(error, request.before === undefined)
    } finally {
      this.#underWay.delete(recorder)
    }
  }

  #fail(error: unknown, isNewest: boolean): void {
    if (!(error instanceof ApiError)) throw error
    this.#problem = { error, retry: isNewest ? () => this.refresh() : () => void this.loadOlder() }
    const mayPass = error.status === 0 || error.status >= 500
    if (isNewest && mayPass) {
      this.#retry = setTimeout(() => this.refresh(), this.#retryMs)
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2)
    }
    this.#deps.onChange()
  }

  #set(state: ListState): void {
    if (state === this.#state && state.loaded) return
    this.#state = state
    this.#deps.onChange()
  }
}
