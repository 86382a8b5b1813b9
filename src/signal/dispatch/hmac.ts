/** The bytes of a shared secret. */
export type HmacKey = Uint8Array<ArrayBuffer>

const encoder = new TextEncoder()

/** HMAC with SHA-256 of a text, by Web Crypto, which all platforms have. */
export async function hmacSha256(key: HmacKey, text: string): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"])
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(text)))
}

/** The bytes of a text. */
export function toBytes(text: string): HmacKey {
  return encoder.encode(text)
}

/** Bytes as lower-case hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
