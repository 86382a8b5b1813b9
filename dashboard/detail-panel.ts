import { ApiError, type EffectNode, fetchSignal, isAborted, type SignalDetail } from "./api.ts"
import type { DetailView } from "./detail-view.ts"
import type { News } from "./list-state.ts"

/** News of an open signal are gathered this long before it is read again, milliseconds. */
const GATHER_MS = 250

/** Reads the signal whose detail is open, and reads it again when it or one of its effects moved. */
export class DetailPanel {
  readonly #view: DetailView
  #id: string | null = null
  #family: ReadonlySet<string> = new Set()
  #abort = new AbortController()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(view: DetailView) {
    this.#view = view
  }

  get openId(): string | null {
    return this.#id
  }

  /** Opens a signal, or closes the panel with null. `type` is what the list knows. */
  open(id: string | null, type?: string): void {
    if (id === this.#id) return
    this.#abort.abort()
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#id = id
    this.#family = new Set(id === null ? [] : [id])
    if (id === null) return this.#view.close()
    this.#view.open(type)
    this.#load(id)
  }

  /** Reads the open signal again, if the news concern it or its effects. */
  take(news: News): void {
    const concerns =
      news.kind === "arrived"
        ? news.rows.some(({ causationId }) => causationId !== null && this.#family.has(causationId))
        : news.changes.some(({ signalId }) => this.#family.has(signalId))
    if (concerns) this.refresh()
  }

  refresh(): void {
    if (this.#id === null) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      if (this.#id !== null) this.#load(this.#id)
    }, GATHER_MS)
  }

  #load(id: string): void {
    this.#abort.abort()
    this.#abort = new AbortController()
    void this.#read(id, this.#abort.signal)
  }

  async #read(id: string, abort: AbortSignal): Promise<void> {
    try {
      const detail = await fetchSignal(id, abort)
      if (abort.aborted) return
      this.#family = new Set(familyOf(detail))
      this.#view.show(detail)
    } catch (error) {
      if (isAborted(error) || abort.aborted) return
      if (!(error instanceof ApiError)) throw error
      this.#view.fail(error, () => this.#load(id))
    }
  }
}

/** The signal and all it caused. */
function familyOf({ signal, effects }: SignalDetail): readonly string[] {
  const ids = (nodes: readonly EffectNode[]): readonly string[] =>
    nodes.flatMap((node) => [node.id, ...ids(node.effects)])
  return [signal.id, ...ids(effects)]
}
