import { redactText } from "../guard/redact.ts"
import type { JsonObject } from "../signal/json.ts"

/** Longest text of each part that is kept, UTF-16 units. */
const LIMITS = { name: 100, message: 2_000, stack: 4_000 }

/**
 * What is kept of a thrown value: bounded, without what looks like a secret, and made so that no
 * value, however hostile, makes this throw.
 */
export function attemptError(thrown: unknown): JsonObject {
  const code = read(thrown, "code")
  return {
    name: keep(read(thrown, "name") ?? typeof thrown, LIMITS.name),
    message: keep(read(thrown, "message") ?? printed(thrown), LIMITS.message),
    ...(code === undefined ? {} : { code: keep(code, LIMITS.name) }),
    stack: keep(read(thrown, "stack") ?? "", LIMITS.stack),
  }
}

/** A property as text; undefined when it is missing or its getter throws. */
function read(thrown: unknown, key: string): string | undefined {
  try {
    if (typeof thrown !== "object" || thrown === null) return undefined
    const value: unknown = Reflect.get(thrown, key)
    return typeof value === "string" ? value : undefined
  } catch {
    return undefined
  }
}

function printed(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return "a value that cannot be printed"
  }
}

/** How much more than what is kept is searched, so that a secret is whole when it stands where the text is cut. */
const OVERLAP = 1_000

/** Cut before it is searched for secrets, so that a text of any length costs the same. */
function keep(text: string, limit: number): string {
  const searched = redactText(text.slice(0, limit + OVERLAP)).slice(0, limit)
  return searched.toWellFormed().replaceAll("\u0000", "\uFFFD")
}
