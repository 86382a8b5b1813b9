/** What an element holds: nodes, and text that is inserted as text. Null and undefined are left out. */
export type Child = Node | string | null | undefined

/** Makes an element. Attributes that are undefined are left out; text can never become markup. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value)
  for (const child of children) if (child !== null && child !== undefined) made.append(child)
  return made
}

/** The element of the page's own markup with this id. @throws Error when the markup and the code do not belong together */
export function part<Kind extends HTMLElement>(id: string, kind: abstract new () => Kind): Kind {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`expected an element #${id} in index.html, got none; serve page and script of one release`)
}

/** Changes an element's text only when it differs, so that nothing is laid out or announced anew. */
export function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text
}

/** Text for screen readers alone. */
export function hiddenText(text: string): HTMLElement {
  return element("span", { class: "hidden-text" }, text)
}

/** A time in the reader's zone with the exact one in its tooltip. */
export function timeElement(iso: string, text: string): HTMLTimeElement {
  return element("time", { datetime: iso, title: iso }, text)
}
