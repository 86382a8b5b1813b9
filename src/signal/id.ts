/** Hex of every byte, so that formatting is a look-up for each. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))
/** Random bytes in one id: two for the counter's start, eight for the rest. */
const BYTES_PER_ID = 10
/** Ids for which random bytes are drawn at once, because each call for them costs more than an id. */
const IDS_PER_DRAW = 400

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
  const bytes = new Uint8Array(BYTES_PER_ID * IDS_PER_DRAW)
  let at = bytes.length
  let lastMs = 0
  let timeText = formatTime(0)
  let counter = 0

  return () => {
    if (at === bytes.length) {
      random(bytes)
      at = 0
    }
    const ms = now()
    if (ms > lastMs) {
      lastMs = ms
      timeText = formatTime(ms)
      counter = ((byteAt(bytes, at) << 8) | byteAt(bytes, at + 1)) & 0x7ff
    } else if (counter < 0xfff) {
      counter++
    } else {
      timeText = formatTime(++lastMs)
      counter = 0
    }
    const id = timeText + formatRest(counter, bytes, at + 2)
    at += BYTES_PER_ID
    return id
  }
}

/**
 * A new UUIDv7. All ids of one process come from this one generator, because only one counter can
 * keep them in order.
 */
export const newId: () => string = idGenerator()

/** The first 48 bits. */
function formatTime(ms: number): string {
  const hex = ms.toString(16).padStart(12, "0")
  return `${hex.slice(0, 8)}-${hex.slice(8)}-`
}

/** Version, counter, variant and 62 random bits. */
function formatRest(counter: number, random: Uint8Array, at: number): string {
  return (
    hex(0x70 | (counter >>> 8)) +
    hex(counter & 0xff) +
    "-" +
    hex(0x80 | (byteAt(random, at) & 0x3f)) +
    hex(byteAt(random, at + 1)) +
    "-" +
    hex(byteAt(random, at + 2)) +
    hex(byteAt(random, at + 3)) +
    hex(byteAt(random, at + 4)) +
    hex(byteAt(random, at + 5)) +
    hex(byteAt(random, at + 6)) +
    hex(byteAt(random, at + 7))
  )
}

function hex(byte: number): string {
  return HEX[byte] ?? ""
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether a text is a UUID of any version, in the form with dashes (RFC 9562 section 4). */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}
