import type { DeadLetter } from "./subscription-checkpoint.ts"
import type { Message } from "./subscription-window.ts"

interface Buried {
  readonly message: Message
  readonly letter: DeadLetter
}

/** The signals that a persistent subscription gave up on, the first given up at the front. */
export class DeadLetters {
  readonly #max: number
  #buried: Buried[] = []

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#buried.length
  }

  /** Adds one, and returns the oldest when that has to go for it. */
  add(message: Message, letter: DeadLetter): DeadLetter | undefined {
    this.#buried.push({ message, letter })
    return this.#buried.length > this.#max ? this.#buried.shift()?.letter : undefined
  }

  list(): readonly DeadLetter[] {
    return this.#buried.map(({ letter }) => letter)
  }

  /** Takes out those of these signals, or all. */
  take(ids?: readonly string[]): readonly Message[] {
    const wanted = ids && new Set(ids)
    const isTaken = ({ letter }: Buried) => wanted === undefined || wanted.has(letter.signal.id)
    const taken = this.#buried.filter(isTaken)
    this.#buried = this.#buried.filter((each) => !isTaken(each))
    return taken.map(({ message }) => message)
  }
}
