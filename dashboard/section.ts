import { element } from "./dom.ts"

/** A part of a panel that is built anew only when what it shows has changed. */
export class Section {
  readonly element: HTMLElement
  readonly #content = element("div", {})
  #shown = ""

  constructor(title: string) {
    this.element = element("section", {}, element("h3", {}, title), this.#content)
  }

  /** Shows what `build` makes of a value, if it is another value than before. Focus on a link stays on that link. */
  show<Value>(value: Value, build: (value: Value) => readonly (Node | null)[]): void {
    const key = JSON.stringify(value)
    if (key === this.#shown) return
    this.#shown = key
    const focused = this.#focusedAddress()
    this.#content.replaceChildren(...build(value).filter((node) => node !== null))
    if (focused !== null) this.#linkTo(focused)?.focus()
  }

  #focusedAddress(): string | null {
    const { activeElement } = document
    if (!this.#content.contains(activeElement)) return null
    return activeElement?.getAttribute("href") ?? null
  }

  #linkTo(address: string): HTMLElement | undefined {
    return [...this.#content.querySelectorAll("a")].find((link) => link.getAttribute("href") === address)
  }
}
