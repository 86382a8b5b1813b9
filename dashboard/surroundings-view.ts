import { part, setText } from "./dom.ts"
import { firstSignalView, noMatchView } from "./empty-view.ts"
import type { ListState } from "./list-state.ts"
import { problemView } from "./problem-view.ts"
import type { LoadProblem } from "./signal-list.ts"

/** What the controls around the rows ask for. */
export interface SurroundingsActions {
  readonly showNew: () => void
  readonly togglePause: () => void
  readonly loadOlder: () => void
  readonly clearFilter: () => void
}

/** What they show. */
export interface Surroundings {
  readonly state: ListState
  readonly paused: boolean
  readonly problem: LoadProblem | undefined
  readonly loadingOlder: boolean
  readonly pattern: string | null
  readonly tenant: string | undefined
}

/** What stands around the rows: pause, what is new, problems, the empty state, older pages. */
export class SurroundingsView {
  readonly #actions: SurroundingsActions
  readonly #pause = part("pause", HTMLButtonElement)
  readonly #heldNote = part("held-note", HTMLElement)
  readonly #showNew = part("show-new", HTMLButtonElement)
  readonly #older = part("older", HTMLButtonElement)
  readonly #shown = part("shown", HTMLElement)
  readonly #problem = part("problem", HTMLElement)
  readonly #empty = part("empty", HTMLElement)
  #problemNow: LoadProblem | undefined
  #problemShown = ""
  #emptyShown = ""

  constructor(actions: SurroundingsActions) {
    this.#actions = actions
    this.#pause.addEventListener("click", actions.togglePause)
    this.#showNew.addEventListener("click", actions.showNew)
    this.#older.addEventListener("click", actions.loadOlder)
  }

  render(shown: Surroundings): void {
    this.#renderHold(shown)
    this.#renderProblem(shown.problem)
    this.#renderEmpty(shown)
    this.#renderOlder(shown)
  }

  #renderHold({ state, paused }: Surroundings): void {
    setText(this.#pause, paused ? "Resume" : "Pause")
    document.body.classList.toggle("paused", paused)
    setText(this.#heldNote, paused ? `paused, ${state.waiting.toLocaleString()} new` : "")
    this.#showNew.hidden = paused || (state.waiting === 0 && !state.torn)
    setText(this.#showNew, state.waiting === 0 ? "Show the newest" : `Show ${state.waiting.toLocaleString()} new`)
  }

  /** A problem that repeats stays as it is, so that it is read out once and its button keeps the focus. */
  #renderProblem(problem: LoadProblem | undefined): void {
    this.#problemNow = problem
    const key = problem ? `${problem.error.code} ${problem.error.message}` : ""
    if (key === this.#problemShown) return
    this.#problemShown = key
    const retry = (): void => this.#problemNow?.retry()
    this.#problem.replaceChildren(...(problem ? [problemView(problem.error, "signals", retry)] : []))
  }

  #renderEmpty({ state, pattern, tenant, problem }: Surroundings): void {
    const isEmpty = state.shown.length === 0 && !problem
    const kind = !isEmpty
      ? ""
      : !state.loaded
        ? "loading"
        : pattern === null
          ? `first ${tenant ?? ""}`
          : `none ${pattern}`
    if (kind === this.#emptyShown) return
    this.#emptyShown = kind
    this.#empty.replaceChildren(...(isEmpty ? [emptyView(kind, pattern, tenant, this.#actions.clearFilter)] : []))
  }

  #renderOlder({ state, loadingOlder }: Surroundings): void {
    this.#older.hidden = state.next === null
    this.#older.setAttribute("aria-disabled", String(loadingOlder))
    setText(this.#older, loadingOlder ? "Loading…" : "Load older")
    const count = state.shown.length.toLocaleString()
    setText(this.#shown, state.shown.length === 0 ? "" : state.next === null ? `all ${count} shown` : `${count} shown`)
  }
}

function emptyView(kind: string, pattern: string | null, tenant: string | undefined, clear: () => void): Node {
  if (kind === "loading") return document.createTextNode("Loading…")
  return pattern === null ? firstSignalView(tenant, location.origin) : noMatchView(pattern, clear)
}
