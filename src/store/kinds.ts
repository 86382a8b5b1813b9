/** What many rows of a statement have in common is sent once; each row names it by its place, which is 1 for the first. */
export class Kinds<Kind> {
  readonly #places = new Map<string, number>()
  readonly #all: Kind[] = []

  /** All kinds, in the order of their places. */
  get all(): readonly Kind[] {
    return this.#all
  }

  /** The place of the kind with this key, which is `kind` when it is new. */
  placeOf(key: string, kind: Kind): number {
    const known = this.#places.get(key)
    if (known !== undefined) return known
    this.#places.set(key, this.#all.push(kind))
    return this.#all.length
  }
}
