import { setText } from "./dom.ts"

/** How often a count of new signals is read out, at most. */
const TALLY_MS = 20_000

/** Tells screen readers what changed, seldom: states at once, arrivals as a count every twenty seconds. */
export class Announcer {
  readonly #region: HTMLElement
  #arrived = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(region: HTMLElement) {
    this.#region = region
  }

  say(text: string): void {
    setText(this.#region, text)
  }

  /** Counts new signals, and says the sum when enough time has gone by. */
  count(arrived: number): void {
    this.#arrived += arrived
    if (this.#timer === undefined && this.#arrived > 0) this.#timer = setTimeout(() => this.#tally(), TALLY_MS)
  }

  #tally(): void {
    this.#timer = undefined
    this.say(`${this.#arrived} new ${this.#arrived === 1 ? "signal" : "signals"}`)
    this.#arrived = 0
  }
}
