import type { SignalRow } from "./api.ts"
import { deliveryChips } from "./chips.ts"
import { element, hiddenText, timeElement } from "./dom.ts"
import { signalHash } from "./place.ts"
import { localTime } from "./time.ts"

/** A signal's row in the table. */
export interface RowView {
  readonly element: HTMLTableRowElement
  /** The row's one focusable place: the link that opens the signal. */
  readonly link: HTMLAnchorElement
  /** Shows a newer state of the same signal. */
  readonly update: (row: SignalRow) => void
}

/** Makes a row. The roles say again what the elements are, because the rows are laid out as grids, which loses it. */
export function rowView(row: SignalRow): RowView {
  const link = element(
    "a",
    { href: signalHash(row.id), class: "type outside", tabindex: "-1", title: row.type },
    row.type,
  )
  const chips = element("td", { role: "cell", class: "chips" }, ...deliveryChips(row.deliveries))
  const made = element(
    "tr",
    { role: "row", "data-id": row.id },
    element("td", { role: "cell", class: "time" }, timeElement(row.time, localTime(row.time))),
    element("td", { role: "cell", class: "what" }, ...causeMark(row), link, ...redactedMark(row)),
    element("td", { role: "cell", class: "subject outside", title: row.subject ?? undefined }, row.subject),
    chips,
  )
  let current = row
  const update = (newer: SignalRow): void => {
    if (newer.deliveries !== current.deliveries) chips.replaceChildren(...deliveryChips(newer.deliveries))
    current = newer
  }
  return { element: made, link, update }
}

function causeMark({ causationId }: SignalRow): readonly HTMLElement[] {
  if (causationId === null) return []
  const mark = element("span", { class: "effect-mark", "aria-hidden": "true", title: "caused by another signal" }, "↳")
  return [mark, hiddenText("effect: ")]
}

function redactedMark({ redacted }: SignalRow): readonly HTMLElement[] {
  if (!redacted) return []
  return [element("span", { class: "redacted", title: "Content was replaced before it was stored" }, "redacted")]
}
