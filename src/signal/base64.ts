import { bytesToLatin1, latin1ToBytes } from "./codecs/charset.ts"

/** Bytes as base64 (RFC 4648 section 4), with padding. */
export function bytesToBase64(bytes: Uint8Array): string {
  return btoa(bytesToLatin1(bytes))
}

/** The bytes of base64 text that is known to be valid. */
export function base64ToBytes(base64: string): Uint8Array<ArrayBuffer> {
  return latin1ToBytes(atob(base64))
}
