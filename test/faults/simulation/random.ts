/** Numbers that look random and are the same for the same seed. */
export class Random {
  readonly #seed: number
  #state: number

  /** @param seed any whole number. */
  constructor(seed: number) {
    this.#seed = seed >>> 0
    this.#state = this.#seed
  }

  /** From 0, below 1. The generator is mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** True so often: 0 for never, 1 for always. */
  chance(share: number): boolean {
    return this.next() < share
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least)
  }

  /** A whole number, both ends included. */
  whole(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1))
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    // The place is within the list, which is not empty.
    return items[this.whole(0, items.length - 1)] as Item
  }

  /** One of a list, or undefined when it is empty. */
  pickOf<Item>(items: readonly Item[]): Item | undefined {
    return items[this.whole(0, items.length - 1)]
  }

  /** The key of a table, as often as its number says beside the other numbers. */
  weighted<Key extends string>(table: Readonly<Record<Key, number>>): Key {
    // The keys of an object literal of this type are its names.
    const keys = Object.keys(table) as Key[]
    let left = this.next() * keys.reduce((sum, key) => sum + table[key], 0)
    const found = keys.find((key) => (left -= table[key]) < 0)
    return found ?? (keys[0] as Key)
  }

  /** A generator of its own, the same for the same name, however much was drawn from this one. */
  branch(name: string): Random {
    let hash = this.#seed
    for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193)
    return new Random(hash)
  }
}
