import type { SignalRow } from "./api.ts"
import { type RowView, rowView } from "./row-view.ts"

/** The rows of the table. Exactly one row's link is in the tab order; the arrow keys move among them. */
export class ListView {
  readonly #body: HTMLTableSectionElement
  readonly #views = new Map<string, RowView>()
  #rows: readonly SignalRow[] = []
  #tabStop: HTMLAnchorElement | undefined
  #selected: string | null = null

  constructor(body: HTMLTableSectionElement) {
    this.#body = body
    body.addEventListener("focusin", ({ target }) => {
      if (target instanceof HTMLAnchorElement) this.#moveTabStop(target)
    })
    body.addEventListener("click", (event) => this.#openClicked(event))
  }

  /** Shows these rows. Rows that stay are not touched, so that focus, selection and scroll position stay. */
  render(rows: readonly SignalRow[]): void {
    if (rows === this.#rows) return
    const focusLost = this.#removeAllBut(rows)
    let next = this.#body.firstElementChild
    for (const row of rows) {
      const view = this.#viewOf(row)
      if (view.element === next) next = next.nextElementSibling
      else this.#body.insertBefore(view.element, next)
    }
    this.#rows = rows
    if (!this.#tabStop?.isConnected) this.#moveTabStop(this.#firstLink())
    if (focusLost) this.focusFirst()
  }

  /** Marks the row whose detail is open. */
  select(id: string | null): void {
    this.#mark(this.#selected, false)
    this.#selected = id
    this.#mark(id, true)
  }

  /** Moves the focus by so many rows from where it is, or was. */
  focusBy(step: number): void {
    const index = this.#rows.findIndex(({ id }) => this.#views.get(id)?.link === this.#tabStop)
    const from = this.hasFocus ? index + step : Math.max(0, index)
    this.#focusAt(Math.min(this.#rows.length - 1, Math.max(0, from)))
  }

  focusFirst(): void {
    this.#focusAt(0)
  }

  focusLast(): void {
    this.#focusAt(this.#rows.length - 1)
  }

  /** Focuses a signal's row, or the first when there is none; false when there are no rows. */
  focus(id: string): boolean {
    const link = this.#views.get(id)?.link ?? this.#firstLink()
    link?.focus()
    return link !== undefined
  }

  get hasFocus(): boolean {
    return this.#body.contains(document.activeElement)
  }

  #viewOf(row: SignalRow): RowView {
    const known = this.#views.get(row.id)
    if (known) {
      known.update(row)
      return known
    }
    const view = rowView(row)
    this.#views.set(row.id, view)
    if (row.id === this.#selected) mark(view, true)
    return view
  }

  /** Tells whether the row that had the focus was among those that went. */
  #removeAllBut(rows: readonly SignalRow[]): boolean {
    const hadFocus = this.hasFocus
    const staying = new Set(rows.map(({ id }) => id))
    for (const [id, view] of this.#views) {
      if (staying.has(id)) continue
      view.element.remove()
      this.#views.delete(id)
    }
    return hadFocus && !this.hasFocus
  }

  #mark(id: string | null, selected: boolean): void {
    const view = id === null ? undefined : this.#views.get(id)
    if (view) mark(view, selected)
  }

  #focusAt(index: number): void {
    const row = this.#rows[index]
    if (row) this.#views.get(row.id)?.link.focus()
  }

  #firstLink(): HTMLAnchorElement | undefined {
    const first = this.#rows[0]
    return first && this.#views.get(first.id)?.link
  }

  #moveTabStop(link: HTMLAnchorElement | undefined): void {
    if (this.#tabStop) this.#tabStop.tabIndex = -1
    this.#tabStop = link
    if (link) link.tabIndex = 0
  }

  /** The whole row opens its signal, except when the reader marks text or wants a new tab. */
  #openClicked(event: MouseEvent): void {
    const { target } = event
    if (!(target instanceof Element) || target.closest("a") || event.ctrlKey || event.metaKey || event.shiftKey) return
    if (getSelection()?.isCollapsed === false) return
    const link = target.closest("tr")?.querySelector("a")
    link?.click()
  }
}

function mark({ element, link }: RowView, selected: boolean): void {
  element.classList.toggle("selected", selected)
  if (selected) link.setAttribute("aria-current", "true")
  else link.removeAttribute("aria-current")
}
