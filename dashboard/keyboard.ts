/** What keys do. */
export interface KeyActions {
  readonly moveBy: (step: number) => void
  readonly first: () => void
  readonly last: () => void
  readonly focusFilter: () => void
  readonly togglePause: () => void
  readonly showHelp: () => void
  /** Leaves what is innermost: the filter box, the detail, the rows. */
  readonly escape: () => void
  /** Whether the rows have the focus; arrow keys belong to them only then. */
  readonly inRows: () => boolean
}

const STORED_AS = "fleetprompt.singleKeys"

/** Whether keys without Ctrl, Alt or Meta act; a reader who dictates or whose keys slip can turn them off (WCAG 2.1.4). */
export const singleKeys = {
  get on(): boolean {
    return read() !== "off"
  },
  set on(on: boolean) {
    write(on ? "on" : "off")
  },
}

/** Binds the keys for as long as the page lives. */
export function bindKeys(actions: KeyActions): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isInDialog(event.target)) return
    const act = actionOf(event, actions)
    if (!act) return
    event.preventDefault()
    act()
  })
}

function actionOf(event: KeyboardEvent, actions: KeyActions): (() => void) | undefined {
  if (event.key === "Escape") return actions.escape
  if (isTyping(event.target)) return undefined
  return (
    (actions.inRows() ? rowKeys(event.key, actions) : undefined) ??
    (singleKeys.on ? letterKeys(event.key, actions) : undefined)
  )
}

function rowKeys(key: string, { moveBy, first, last }: KeyActions): (() => void) | undefined {
  switch (key) {
    case "ArrowDown":
      return () => moveBy(1)
    case "ArrowUp":
      return () => moveBy(-1)
    case "Home":
      return first
    case "End":
      return last
    default:
      return undefined
  }
}

function letterKeys(key: string, actions: KeyActions): (() => void) | undefined {
  switch (key) {
    case "j":
      return () => actions.moveBy(1)
    case "k":
      return () => actions.moveBy(-1)
    case "/":
      return actions.focusFilter
    case "p":
      return actions.togglePause
    case "?":
      return actions.showHelp
    default:
      return undefined
  }
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement
}

/** A dialog has keys of its own. */
function isInDialog(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("dialog") !== null
}

/** Storage may be refused to a page; then the keys act, and the choice holds for this visit. */
let fallback: string | null = null

function read(): string | null {
  try {
    return localStorage.getItem(STORED_AS)
  } catch {
    return fallback
  }
}

function write(value: string): void {
  fallback = value
  try {
    localStorage.setItem(STORED_AS, value)
  } catch {
    // Kept in `fallback`.
  }
}
