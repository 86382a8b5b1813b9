import { createHash } from "node:crypto"
import canonicalize from "canonicalize"
import type { JsonValue } from "../signal/json.ts"

/** JSON as RFC 8785 writes it: the same text for the same value, whatever the order of its keys. */
export function canonicalText(value: JsonValue): string {
  // Only undefined has no text.
  return canonicalize(value) ?? "null"
}

/** `sha256:` and the hex digits of a value's canonical JSON. */
export function checksumOf(value: JsonValue): string {
  return `sha256:${createHash("sha256").update(canonicalText(value)).digest("hex")}`
}
