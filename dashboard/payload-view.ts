import type { Redaction } from "./api.ts"
import { copyButton } from "./copy-button.ts"
import { element } from "./dom.ts"

/** Longer text is shown in part at first, so that a payload of a megabyte does not hold up the page. */
const SHOWN_CHARACTERS = 50_000

/** A JSON value as indented text, with a button that copies all of it. */
export function jsonView(name: string, value: unknown): readonly HTMLElement[] {
  const text = JSON.stringify(value, null, 2) ?? "null"
  const block = element("pre", { tabindex: "0", class: "outside", "aria-label": name, role: "region" })
  block.textContent = text.slice(0, SHOWN_CHARACTERS)
  const actions = element(
    "div",
    { class: "actions" },
    copyButton(name, () => text),
  )
  if (text.length > SHOWN_CHARACTERS) actions.append(showAllButton(block, text))
  return [actions, block]
}

/** Which values of the payload are markers. */
export function redactionNote(redactions: readonly Redaction[] | undefined): HTMLElement | null {
  if (!redactions || redactions.length === 0) return null
  const items = redactions.map(({ path, rule }) =>
    element("li", {}, element("code", { class: "outside" }, path), ` by rule ${rule}`),
  )
  return element("div", { class: "note" }, "Replaced before it was stored:", element("ul", {}, ...items))
}

function showAllButton(block: HTMLElement, text: string): HTMLButtonElement {
  const label = `Show all ${text.length.toLocaleString()} characters`
  const button = element("button", { type: "button", class: "small" }, label)
  button.addEventListener("click", () => {
    block.textContent = text
    block.focus()
    button.remove()
  })
  return button
}
