/** Where on the page the reader is; the whole of it stands in the address, so that it can be passed on. */
export interface Place {
  /** Pattern of the signal types shown; null for all. */
  readonly pattern: string | null
  /** Id of the signal whose detail is open, or null. */
  readonly selected: string | null
}

const SIGNAL_HASH = /^#\/signals\/([^/]+)$/

/** Reads the place from an address. */
export function placeOf(address: URL): Place {
  const pattern = address.searchParams.get("pattern")?.trim() ?? ""
  const selected = SIGNAL_HASH.exec(address.hash)?.[1]
  return { pattern: pattern === "" ? null : pattern, selected: selected === undefined ? null : decode(selected) }
}

/** The address of a place, relative to the origin. */
export function addressOf({ pattern, selected }: Place): string {
  // An asterisk may stand in a query as it is, and a pattern reads better with it.
  const query = pattern === null ? "" : `?pattern=${encodeURIComponent(pattern)}`
  return `/${query}${selected === null ? "" : signalHash(selected)}`
}

/** The link to a signal's detail, which keeps the filter. */
export function signalHash(id: string): string {
  return `#/signals/${encodeURIComponent(id)}`
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
