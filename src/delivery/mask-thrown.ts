import { redactText } from "../guard/redact.ts"
import type { RevealedSecrets } from "../guard/revealed.ts"
import { describeThrown } from "../telemetry/thrown.ts"

/** Longest part of a text that is looked at when nothing was revealed, UTF-16 units; more of it is kept nowhere. */
const MAX_SEARCHED = 5_000

/**
 * What may be told of a thrown value: the value itself when nothing secret was revealed to whoever threw it and nothing
 * in it looks like a secret. Otherwise an error with its name, message, code, stack and causes, in which secrets are
 * masked, and nothing else of it, since any other property may hold one.
 */
export function maskThrown(thrown: unknown, revealed: RevealedSecrets | undefined): unknown {
  if (revealed && !revealed.isEmpty) return errorOf(describeThrown(thrown, (text) => revealed.maskStart(text)))
  let looksSecret = false
  const described = describeThrown(thrown, (text) => {
    const searched = text.slice(0, MAX_SEARCHED)
    looksSecret ||= redactText(searched) !== searched
    return text
  })
  return looksSecret ? errorOf(described) : thrown
}

function errorOf({ name, message, code, stack, cause }: Readonly<Record<string, unknown>>): Error {
  const error = new Error(String(message), isDescribed(cause) ? { cause: errorOf(cause) } : undefined)
  const told = { name, ...(code !== undefined && { code }), stack: stack ?? "" }
  for (const [key, value] of Object.entries(told))
    // Not listed among the error's own, as those of any error.
    Object.defineProperty(error, key, { value, configurable: true, writable: true })
  return error
}

function isDescribed(cause: unknown): cause is Readonly<Record<string, unknown>> {
  return typeof cause === "object" && cause !== null
}
