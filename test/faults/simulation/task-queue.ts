import type { Machine } from "./machine.ts"

/** Something to be run at a moment. */
export interface Task {
  /** When, milliseconds since 1970. */
  at: number
  /** Among those of one moment, the order in which they were asked for. */
  readonly order: number
  readonly machine: Machine
  readonly run: () => void
  isCancelled: boolean
}

/** Tasks by their moment: a binary heap. */
export class TaskQueue {
  readonly #heap: Task[] = []

  /** How many wait of those that fit. */
  count(fits: (task: Task) => boolean): number {
    return this.#heap.filter(fits).length
  }

  peek(): Task | undefined {
    return this.#heap[0]
  }

  push(task: Task): void {
    let at = this.#heap.push(task) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  pop(): Task | undefined {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (!first || !last || this.#heap.length === 0) return first
    this.#heap[0] = last
    this.#sink(0)
    return first
  }

  #sink(start: number): void {
    for (let at = start; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      let first = at
      if (this.#isBefore(left, first)) first = left
      if (this.#isBefore(right, first)) first = right
      if (first === at) return
      this.#swap(at, first)
      at = first
    }
  }

  #isBefore(one: number, other: number): boolean {
    const [a, b] = [this.#heap[one], this.#heap[other]]
    if (!a || !b) return false
    return a.at < b.at || (a.at === b.at && a.order < b.order)
  }

  #swap(one: number, other: number): void {
    const [a, b] = [this.#heap[one], this.#heap[other]]
    if (!a || !b) return
    this.#heap[one] = b
    this.#heap[other] = a
  }
}
