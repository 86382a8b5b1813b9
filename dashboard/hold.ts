/** Scrolled this far, in pixels, the reader is no longer at the top. */
const TOP_PX = 8

/**
 * Whether the reader wants the rows to stay where they are: because they paused, scrolled down, moved to
 * a row with the keyboard, or have the pointer down on one.
 */
export class Hold {
  readonly #pane: HTMLElement
  readonly #onEnd: () => void
  #paused = false
  #scrolled = false
  #focused = false
  #pressed = false

  /** `onEnd` is called when nothing holds the rows any more. */
  constructor(pane: HTMLElement, rows: HTMLElement, onEnd: () => void) {
    this.#pane = pane
    this.#onEnd = onEnd
    pane.addEventListener("scroll", () => this.#change(() => (this.#scrolled = pane.scrollTop > TOP_PX)), {
      passive: true,
    })
    rows.addEventListener("focusin", ({ target }) => this.#change(() => (this.#focused = isKeyboardFocus(target))))
    rows.addEventListener("focusout", () => this.#change(() => (this.#focused = false)))
    rows.addEventListener("pointerdown", () => this.#change(() => (this.#pressed = true)))
    for (const end of ["pointerup", "pointercancel"]) {
      // Later than the click that follows, which must find the row where it was.
      addEventListener(end, () => setTimeout(() => this.#change(() => (this.#pressed = false))))
    }
  }

  get holding(): boolean {
    return this.#paused || this.#scrolled || this.#focused || this.#pressed
  }

  get paused(): boolean {
    return this.#paused
  }

  pause(paused: boolean): void {
    this.#change(() => (this.#paused = paused))
  }

  /** Back to the top, where the rows follow what is new. */
  toTop(): void {
    this.#pane.scrollTop = 0
    this.#change(() => (this.#scrolled = false))
  }

  #change(apply: () => void): void {
    const before = this.holding
    apply()
    if (before && !this.holding) this.#onEnd()
  }
}

/** Focus that came back to a row after a click does not hold the rows. */
function isKeyboardFocus(target: EventTarget | null): boolean {
  return target instanceof Element && target.matches(":focus-visible") && !target.closest(".pointing")
}
