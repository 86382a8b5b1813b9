import { FleetPromptError } from "../../errors.ts"

/** Bytes of the length that follows each head from 0xc0 to 0xdf. */
const LENGTH_WIDTH = [0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4]
/** Bytes of content that each of them has besides those its length counts. */
const CONTENT = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, 0, 0, 0, 0, 0, 0, 0]

/**
 * Refuses MessagePack that promises more values than there are bytes. A decoder makes room for an
 * array when it reads the array's length, so that a hundred kilobytes of nested promises would use up
 * all memory.
 *
 * @throws FleetPromptError `decode_failed`
 */
export function checkMsgpack(bytes: Uint8Array): void {
  let at = 0
  let promised = 1
  while (promised > 0) {
    if (promised > bytes.length - at) throw tooMuch(promised, at, bytes.length)
    const head = byteAt(bytes, at++)
    promised--
    if (head < 0x80 || head >= 0xe0) continue // a small integer
    if (head < 0x90) promised += (head & 0x0f) * 2 // a small map
    else if (head < 0xa0) promised += head & 0x0f // a small array
    else if (head < 0xc0) at += head & 0x1f // a short text
    else {
      const end = at + (LENGTH_WIDTH[head - 0xc0] ?? 0)
      let length = 0
      while (at < end) length = length * 256 + byteAt(bytes, at++)
      if (head >= 0xde) promised += length * 2
      else if (head >= 0xdc) promised += length
      else at += length + (CONTENT[head - 0xc0] ?? 0)
    }
  }
}

/** Zero behind the end, where the decoder will complain. */
function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}

function tooMuch(promised: number, at: number, size: number): FleetPromptError {
  return new FleetPromptError(
    "decode_failed",
    `expected MessagePack, got ${promised} values promised at byte ${at} of ${size}`,
  )
}
