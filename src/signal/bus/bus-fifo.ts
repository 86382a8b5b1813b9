/** Where the front is moved to the start of the array again; below it, moving costs more than the room is worth. */
const COMPACT_AT = 1_024

/** A first-in first-out queue whose steps cost the same however long it is. */
export class Fifo<Item> {
  #items: (Item | undefined)[] = []
  #front = 0

  get length(): number {
    return this.#items.length - this.#front
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  peek(): Item | undefined {
    return this.#items[this.#front]
  }

  shift(): Item | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#front]
    this.#items[this.#front++] = undefined
    if (this.length === 0) this.clear()
    else if (this.#front >= COMPACT_AT && this.#front * 2 >= this.#items.length) this.#compact()
    return item
  }

  *[Symbol.iterator](): Generator<Item> {
    for (let at = this.#front; at < this.#items.length; at++) {
      const item = this.#items[at]
      if (item !== undefined) yield item
    }
  }

  clear(): void {
    this.#items = []
    this.#front = 0
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#front)
    this.#front = 0
  }
}
