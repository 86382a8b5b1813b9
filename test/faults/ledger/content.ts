import { createHash, randomBytes } from "node:crypto"
import canonicalize from "canonicalize"

/** What a caller sends of a signal, and what must come back. */
export interface Content {
  readonly type: string
  readonly subject?: string | null | undefined
  readonly data: unknown
}

/** SHA-256 of what a signal says, as canonical JSON (RFC 8785), in hexadecimal. */
export function hashOf({ type, subject, data }: Content): string {
  const text = canonicalize({ type, subject: subject ?? null, data: data ?? null }) ?? "null"
  return createHash("sha256").update(text).digest("hex")
}

/** A text that says whose it is: no other tenant may ever get to see it (I10). */
export function markerOf(tenant: string): string {
  return `mark.${tenant}.${randomBytes(4).toString("hex")}.`
}

/** Finds the tenants whose markers are in a text; for JavaScript and for Postgres. */
export const MARKER = "mark\\.([a-z][a-z0-9_]+)\\.[0-9a-f]{8}\\."
