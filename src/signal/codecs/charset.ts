/** Charsets whose bytes are code points, and the highest byte of each. */
const HIGHEST_BYTE: ReadonlyMap<string, number> = new Map([
  ["us-ascii", 0x7f],
  ["ascii", 0x7f],
  ["iso-8859-1", 0xff],
  ["latin1", 0xff],
])
/** How many bytes are turned into characters at once; an argument list has a limit. */
const CHUNK = 8_192

/**
 * The text that bytes spell in a charset; undefined when they spell none. Charsets are UTF-8, US-ASCII
 * and ISO-8859-1: those that `encodeText` can write too. The platform's decoders of others have no
 * counterpart, and differ between runtimes.
 */
export function decodeText(bytes: Uint8Array, charset: string): string | undefined {
  if (isUtf8(charset)) return decodeUtf8(bytes)
  const highest = HIGHEST_BYTE.get(charset.toLowerCase())
  return highest === undefined || bytes.some((byte) => byte > highest) ? undefined : bytesToLatin1(bytes)
}

/** The bytes of a text in a charset; undefined when the charset cannot spell it, or is none we know. */
export function encodeText(text: string, charset: string): Uint8Array<ArrayBuffer> | undefined {
  if (isUtf8(charset)) return new TextEncoder().encode(text)
  const highest = HIGHEST_BYTE.get(charset.toLowerCase())
  if (highest === undefined) return undefined
  const bytes = latin1ToBytes(text)
  return bytes.every((byte, at) => byte === text.charCodeAt(at) && byte <= highest) ? bytes : undefined
}

/** One character for each byte. */
export function bytesToLatin1(bytes: Uint8Array): string {
  let text = ""
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK))
  return text
}

/** The lower byte of each character. */
export function latin1ToBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length)
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at)
  return bytes
}

function isUtf8(charset: string): boolean {
  return /^utf-?8$/i.test(charset)
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
