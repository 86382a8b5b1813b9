import { createHash } from "node:crypto"
import canonicalize from "canonicalize"
import type { Signal } from "../signal/signal.ts"

/** What two signals under one key must agree in to be one fact. Time, cause and trace may differ. */
interface Content extends Pick<Signal, "type" | "source" | "data"> {
  readonly subject?: string | undefined
  readonly dataschema?: string | undefined
}

/**
 * SHA-256 of what a signal says: type, source, subject, dataschema and data as canonical JSON (RFC 8785), so
 * that the order of keys and the way a number is written make no difference.
 *
 * @example
 * contentHash(one).equals(contentHash(other))
 */
export function contentHash({ type, source, subject, dataschema, data }: Content): Buffer {
  return createHash("sha256")
    .update(canonical({ type, source, subject, dataschema, data: data ?? null }))
    .digest()
}

/** Whether two signals say the same. */
export function sameContent(one: Content, other: Content): boolean {
  return (
    one.type === other.type &&
    one.source === other.source &&
    one.subject === other.subject &&
    one.dataschema === other.dataschema &&
    (one.data === other.data || canonical(one.data) === canonical(other.data))
  )
}

function canonical(value: unknown): string {
  // Data of a signal is JSON, or is absent beside bytes.
  return canonicalize(value ?? null) ?? "null"
}
