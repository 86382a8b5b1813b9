const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** One thing that happened. */
interface Line {
  readonly elapsedMs: number
  readonly text: string
  /** Whether a reader who looks for the cause of a violation wants it. */
  readonly isNotable: boolean
}

/** What happened, in order. The same seed gives the same trace. */
export class Trace {
  readonly #lines: Line[] = []
  readonly #now: () => number

  /** @param now milliseconds since the simulation began. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Something that happens all the time. */
  note(text: string): void {
    this.#lines.push({ elapsedMs: this.#now(), text, isNotable: false })
  }

  /** Something that the script did, or that went wrong. */
  stress(text: string): void {
    this.#lines.push({ elapsedMs: this.#now(), text, isNotable: true })
  }

  /** Every line, with ids as numbers in the order in which they came up. */
  all(): readonly string[] {
    const name = namer()
    return this.#lines.map((line) => format(line, name))
  }

  /** The lines that are notable, and those that speak of one of these ids. */
  about(ids: readonly string[]): readonly string[] {
    const name = namer()
    return this.#lines.flatMap((line) => {
      const text = format(line, name)
      return line.isNotable || ids.some((id) => line.text.includes(id)) ? [text] : []
    })
  }

  /** A text with its ids as the trace shows them. */
  named(text: string): string {
    const name = namer()
    for (const line of this.#lines) format(line, name)
    return text.replaceAll(UUID, name)
  }
}

function format({ elapsedMs, text }: Line, name: (id: string) => string): string {
  return `${(elapsedMs / 1000).toFixed(4).padStart(9)} ${text.replaceAll(UUID, name)}`
}

function namer(): (id: string) => string {
  const names = new Map<string, string>()
  return (id) => {
    const known = names.get(id) ?? `#${names.size + 1}`
    names.set(id, known)
    return known
  }
}
