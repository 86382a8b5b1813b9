/** One place in the trie: what stands here, and where each next segment of a pattern leads. */
interface Place<Value> {
  readonly values: Value[]
  names: Map<string, Place<Value>> | undefined
  star: Place<Value> | undefined
  doubleStar: Place<Value> | undefined
  /** The last search that came here, kept for places behind a `**`. */
  search: number
}

/** One step of the way to a place. */
interface Turn<Value> {
  readonly from: Place<Value>
  readonly segment: string
  readonly to: Place<Value>
}

/**
 * Values under patterns. To find those that fit a type takes time for its segments and for the places
 * that fit them so far, whatever else the trie holds. Patterns are expected to be valid.
 */
export class PatternTrie<Value> {
  readonly #root: Place<Value> = newPlace()
  #search = 0

  add(pattern: string, value: Value): void {
    let place = this.#root
    for (const segment of pattern.split(".")) place = placeAfter(place, segment) ?? addPlace(place, segment)
    place.values.push(value)
  }

  /** Takes the value out, with the places that hold nothing any more. */
  remove(pattern: string, value: Value): void {
    const way = wayTo(this.#root, pattern)
    const values = way.at(-1)?.to.values ?? []
    const at = values.indexOf(value)
    if (at < 0) return
    values.splice(at, 1)
    for (const { from, segment, to } of way.toReversed()) {
      if (!isEmpty(to)) return
      removePlace(from, segment)
    }
  }

  /** What stands under this very pattern, in the order it was added. */
  at(pattern: string): readonly Value[] {
    return wayTo(this.#root, pattern).at(-1)?.to.values ?? []
  }

  /** What stands under the patterns that fit the type, each once, in no order. */
  match(type: string): Value[] {
    const found: Value[] = []
    collect(this.#root, segmentsOf(type), 0, ++this.#search, found)
    return found
  }
}

/** Adds what stands under the patterns that begin with the way to `place` and go on to fit `segments` from `at`. */
function collect<Value>(
  place: Place<Value>,
  segments: readonly string[],
  at: number,
  search: number,
  found: Value[],
): void {
  const segment = segments[at]
  if (segment === undefined) {
    for (const value of place.values) found.push(value)
  } else {
    const named = place.names?.get(segment)
    if (named) collect(named, segments, at + 1, search, found)
    if (place.star) collect(place.star, segments, at + 1, search, found)
  }
  if (place.doubleStar) collectBehind(place.doubleStar, segments, at, search, found)
}

/**
 * A `**` takes up none of the segments, or one, and so on. A place behind two of them is come to again
 * and again, but first from the earliest segment, and that search has found all that a later one would.
 */
function collectBehind<Value>(
  place: Place<Value>,
  segments: readonly string[],
  at: number,
  search: number,
  found: Value[],
): void {
  if (place.search === search) return
  place.search = search
  for (let from = at; from <= segments.length; from++) collect(place, segments, from, search, found)
}

/** Like `split`, which takes longer. */
function segmentsOf(type: string): readonly string[] {
  const segments: string[] = []
  let start = 0
  for (let dot = type.indexOf("."); dot >= 0; dot = type.indexOf(".", start)) {
    segments.push(type.slice(start, dot))
    start = dot + 1
  }
  segments.push(type.slice(start))
  return segments
}

/** The turns from the root to a pattern's place; none when the trie has no such place. */
function wayTo<Value>(root: Place<Value>, pattern: string): readonly Turn<Value>[] {
  const way: Turn<Value>[] = []
  let from = root
  for (const segment of pattern.split(".")) {
    const to = placeAfter(from, segment)
    if (!to) return []
    way.push({ from, segment, to })
    from = to
  }
  return way
}

function newPlace<Value>(): Place<Value> {
  return { values: [], names: undefined, star: undefined, doubleStar: undefined, search: 0 }
}

function placeAfter<Value>(place: Place<Value>, segment: string): Place<Value> | undefined {
  if (segment === "*") return place.star
  if (segment === "**") return place.doubleStar
  return place.names?.get(segment)
}

function addPlace<Value>(place: Place<Value>, segment: string): Place<Value> {
  if (segment === "*") return (place.star = newPlace())
  if (segment === "**") return (place.doubleStar = newPlace())
  const added = newPlace<Value>()
  place.names ??= new Map()
  place.names.set(segment, added)
  return added
}

function removePlace<Value>(place: Place<Value>, segment: string): void {
  if (segment === "*") place.star = undefined
  else if (segment === "**") place.doubleStar = undefined
  else place.names?.delete(segment)
}

function isEmpty<Value>({ values, names, star, doubleStar }: Place<Value>): boolean {
  return values.length === 0 && (names?.size ?? 0) === 0 && !star && !doubleStar
}
