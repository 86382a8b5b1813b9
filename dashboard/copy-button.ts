import { element, setText } from "./dom.ts"

const SAID_FOR_MS = 2_000

/** A button that copies a text and says so. `name` is what is copied, for example `payload`. */
export function copyButton(name: string, text: () => string): HTMLButtonElement {
  const label = `Copy ${name}`
  const button = element("button", { type: "button", class: "small" }, label)
  let back: ReturnType<typeof setTimeout> | undefined
  const say = (copied: boolean): void => {
    setText(button, copied ? "Copied" : "Not copied: select the text instead")
    clearTimeout(back)
    back = setTimeout(() => setText(button, label), SAID_FOR_MS)
  }
  button.addEventListener("click", () => void copy(text()).then(say))
  return button
}

async function copy(text: string): Promise<boolean> {
  try {
    // Absent when the page is served without TLS from another machine.
    if (!navigator.clipboard) return copyBySelection(text)
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

/** The way of old, which needs no secure context. */
function copyBySelection(text: string): boolean {
  const focused = document.activeElement
  const area = element("textarea", { class: "hidden-text", "aria-hidden": "true", tabindex: "-1" })
  area.value = text
  document.body.append(area)
  area.select()
  const copied = document.execCommand("copy")
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return copied
}
