/** A sleep that others can end. A ring while nobody sleeps is kept for the next one, so none is missed. */
export class Alarm {
  #rung = false
  #wake: (() => void) | undefined

  /** Ends the sleep under way, or the next one before it begins. */
  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Resolves at the next ring, or after `ms` milliseconds. */
  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#rung = false
    this.#wake = undefined
  }
}
