/** Hex of every byte, so that formatting an id is sixteen look-ups. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** What an id generator reads from outside; injected so that tests can move the clock. */
export interface IdSources {
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number
  /** Fills the array with random bytes. Default `crypto.getRandomValues`. */
  readonly random?: (bytes: Uint8Array) => void
}

/**
 * Makes a generator of UUIDv7 (RFC 9562 section 5.7) whose ids rise strictly, also within one
 * millisecond and when the clock goes back: the twelve bits after the version are a counter
 * (RFC 9562 section 6.2, method 1) which starts in the lower half of its range in each new
 * millisecond; when it overflows, the timestamp is moved ahead by one.
 *
 * @example
 * const nextId = idGenerator()
 * nextId() < nextId() // true
 */
export function idGenerator(sources: IdSources = {}): () => string {
  const now = sources.now ?? Date.now
  const random = sources.random ?? ((bytes: Uint8Array) => void crypto.getRandomValues(bytes))
  const bytes = new Uint8Array(10)
  let lastMs = 0
  let counter = 0

  return () => {
    random(bytes)
    const ms = now()
    if (ms > lastMs) {
      lastMs = ms
      counter = ((byteAt(bytes, 0) << 8) | byteAt(bytes, 1)) & 0x7ff
    } else if (counter < 0xfff) {
      counter++
    } else {
      lastMs++
      counter = 0
    }
    return format(lastMs, counter, bytes)
  }
}

/**
 * A new UUIDv7. All ids of one process come from this one generator, because only one counter can
 * keep them in order.
 */
export const newId: () => string = idGenerator()

function format(ms: number, counter: number, random: Uint8Array): string {
  const high = Math.floor(ms / 0x10000)
  const low = ms & 0xffff
  return (
    hex((high >>> 24) & 0xff) +
    hex((high >>> 16) & 0xff) +
    hex((high >>> 8) & 0xff) +
    hex(high & 0xff) +
    "-" +
    hex(low >>> 8) +
    hex(low & 0xff) +
    "-" +
    hex(0x70 | (counter >>> 8)) +
    hex(counter & 0xff) +
    "-" +
    hex(0x80 | (byteAt(random, 2) & 0x3f)) +
    hex(byteAt(random, 3)) +
    "-" +
    hex(byteAt(random, 4)) +
    hex(byteAt(random, 5)) +
    hex(byteAt(random, 6)) +
    hex(byteAt(random, 7)) +
    hex(byteAt(random, 8)) +
    hex(byteAt(random, 9))
  )
}

function hex(byte: number): string {
  return HEX[byte] ?? ""
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0
}
