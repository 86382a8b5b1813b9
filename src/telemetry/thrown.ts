import { type ErrorCode, errorTable, isFleetPromptError } from "../errors.ts"
import { redactText } from "../guard/redact.ts"
import type { JsonObject } from "../signal/json.ts"

/** Longest text of each part that is kept, UTF-16 units. */
const LIMITS = { name: 100, message: 2_000, stack: 4_000 }

/** How many errors beneath are told. */
const MAX_CAUSES = 3

/**
 * What is told of a thrown value: name, message, code, stack, and the errors beneath it without their
 * stacks. Bounded, without what looks like a secret, and made so that no value, however hostile, makes
 * this throw.
 *
 * @param mask takes out what the caller knows to be secret besides.
 */
export function describeThrown(thrown: unknown, mask: Mask = asItIs): JsonObject {
  return { ...describe(thrown, MAX_CAUSES, mask), stack: keep(readText(thrown, "stack") ?? "", LIMITS.stack, mask) }
}

/** Takes what is known to be secret out of a text, and may cut it behind 20,000 characters. */
type Mask = (text: string) => string

function asItIs(text: string): string {
  return text
}

/** The code of an error of FleetPrompt's; undefined of any other, and of a code that this version does not know. */
export function knownCode(thrown: unknown): ErrorCode | undefined {
  return isFleetPromptError(thrown) && Object.hasOwn(errorTable, thrown.code) ? thrown.code : undefined
}

function describe(thrown: unknown, causes: number, mask: Mask): JsonObject {
  const code = readText(thrown, "code")
  const cause = causes > 0 ? read(thrown, "cause") : undefined
  return {
    name: keep(readText(thrown, "name") ?? typeof thrown, LIMITS.name, mask),
    message: keep(readText(thrown, "message") ?? printed(thrown), LIMITS.message, mask),
    ...(code !== undefined && { code: keep(code, LIMITS.name, mask) }),
    ...(cause !== undefined && { cause: describe(cause, causes - 1, mask) }),
  }
}

function readText(thrown: unknown, key: string): string | undefined {
  const value = read(thrown, key)
  return typeof value === "string" ? value : undefined
}

/** A property; undefined when it is missing or its getter throws. */
function read(thrown: unknown, key: string): unknown {
  try {
    return typeof thrown === "object" && thrown !== null ? Reflect.get(thrown, key) : undefined
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
function keep(text: string, limit: number, mask: Mask): string {
  const searched = redactText(mask(text).slice(0, limit + OVERLAP)).slice(0, limit)
  return searched.toWellFormed().replaceAll("\u0000", "\uFFFD")
}
