import type { ApiError, SignalDetail } from "./api.ts"
import { deliveriesView } from "./attempts-view.ts"
import { element, setText } from "./dom.ts"
import { factsView, identityView } from "./facts-view.ts"
import { jsonView, redactionNote } from "./payload-view.ts"
import { problemView } from "./problem-view.ts"
import { Section } from "./section.ts"
import { trailSummary, trailView } from "./trail-view.ts"

/** The panel beside the list that shows one signal. */
export class DetailView {
  readonly #panel: HTMLElement
  readonly #title: HTMLElement
  readonly #body: HTMLElement
  #sections: Sections | undefined

  constructor(panel: HTMLElement, title: HTMLElement, body: HTMLElement) {
    this.#panel = panel
    this.#title = title
    this.#body = body
  }

  /** Opens the panel for a signal that is still to be read; its type may be known from the list. */
  open(type: string | undefined): void {
    this.#panel.hidden = false
    document.body.classList.add("with-detail")
    this.#sections = undefined
    setText(this.#title, type ?? "Signal")
    this.#body.replaceChildren(element("p", { class: "muted" }, "Loading…"))
    this.#body.scrollTop = 0
    this.#title.focus()
  }

  close(): void {
    this.#panel.hidden = true
    document.body.classList.remove("with-detail")
    this.#sections = undefined
    this.#body.replaceChildren()
  }

  /** Shows a signal, or what has changed since it was shown: never its content, which is immutable. */
  show(detail: SignalDetail): void {
    setText(this.#title, detail.signal.type)
    const sections = this.#sections ?? this.#build()
    const { metadata, signal } = detail
    sections.facts.show(signal.id, () => [factsView(detail)])
    sections.deliveries.show(detail.deliveries, (deliveries) => [deliveriesView(deliveries)])
    sections.trail.show([detail.ancestors, detail.effects], () => [
      element("p", { class: "muted" }, trailSummary(detail)),
      trailView(detail),
    ])
    sections.payload.show(signal.id, () => [redactionNote(metadata.redactions), ...jsonView("payload", signal.data)])
    sections.metadata.show(signal.id, () => [identityView(detail), ...jsonView("metadata", metadata)])
  }

  /** Says why there is nothing to show. */
  fail(error: ApiError, retry: () => void): void {
    this.#sections = undefined
    const isMissing = error.status === 404
    const missing =
      "No signal with this id is kept for this tenant. It may be past its retention, or of another tenant."
    this.#body.replaceChildren(isMissing ? element("p", {}, missing) : problemView(error, "this signal", retry))
  }

  #build(): Sections {
    const sections = {
      facts: new Section("Signal"),
      deliveries: new Section("Deliveries"),
      trail: new Section("Cause and effects"),
      payload: new Section("Payload"),
      metadata: new Section("Metadata"),
    }
    this.#sections = sections
    this.#body.replaceChildren(...Object.values(sections).map((section) => section.element))
    return sections
  }
}

interface Sections {
  readonly facts: Section
  readonly deliveries: Section
  readonly trail: Section
  readonly payload: Section
  readonly metadata: Section
}
