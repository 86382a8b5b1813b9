import type { Result, Scenario } from "./scenario.ts"

/** How often the live line is drawn again, milliseconds. */
const DRAW_MS = 1_000

/** Tells on stderr what begins and ends, and on a terminal what is under way. */
export class Progress {
  readonly #running = new Map<string, number>()
  readonly #total: number
  #ended = 0
  #ticker: NodeJS.Timeout | undefined

  constructor(total: number) {
    this.#total = total
    if (process.stderr.isTTY) this.#ticker = setInterval(() => this.#draw(), DRAW_MS).unref()
  }

  begins({ id, title }: Scenario): void {
    this.#running.set(id, performance.now())
    this.line(`${id} begins: ${title}`)
  }

  ended({ scenario, held, seconds, error }: Result): void {
    this.#running.delete(scenario)
    this.#ended += 1
    this.line(
      `${scenario} ${held ? "held" : "DID NOT HOLD"}, ${seconds.toFixed(1)} s${error === undefined ? "" : `: ${error}`}`,
    )
  }

  line(text: string): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001B[K")
    process.stderr.write(`${text}\n`)
  }

  close(): void {
    clearInterval(this.#ticker)
    if (process.stderr.isTTY) process.stderr.write("\r\u001B[K")
  }

  #draw(): void {
    const running = [...this.#running].map(
      ([id, since]) => `${id} ${Math.round((performance.now() - since) / 1_000)} s`,
    )
    const width = (process.stderr.columns || 80) - 1
    process.stderr.write(`\r\u001B[K${`${this.#ended}/${this.#total}  ${running.join("  ")}`.slice(0, width)}`)
  }
}
