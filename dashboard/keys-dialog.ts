import { part } from "./dom.ts"
import { singleKeys } from "./keyboard.ts"

/** The list of keys, and the switch for those of a single letter. */
export class KeysDialog {
  readonly #dialog = part("keys", HTMLDialogElement)
  readonly #switch = part("single-keys", HTMLInputElement)

  constructor() {
    part("help", HTMLButtonElement).addEventListener("click", () => this.open())
    this.#switch.addEventListener("change", () => (singleKeys.on = this.#switch.checked))
  }

  open(): void {
    this.#switch.checked = singleKeys.on
    this.#dialog.showModal()
  }
}
