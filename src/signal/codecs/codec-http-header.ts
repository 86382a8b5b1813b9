import { FleetPromptError } from "../../errors.ts"

/** Headers as servers have them: a `Headers` object, pairs, or an object, names in any case. */
export type HttpHeaders =
  | Iterable<readonly [string, string]>
  | Readonly<Record<string, string | readonly string[] | undefined>>

/** Space, `"`, `%` and all that is no printable ASCII: section 3.1.3.2 of the CloudEvents HTTP binding. */
const MUST_ENCODE = /[^\u0021-\u007E]|["%]/gu
const ENCODED = /(?:%[0-9a-f]{2})+/gi
const QUOTED = /^"(?:[^"\\]|\\.)*"$/s

/** An attribute's text as a header value. */
export function encodeHeaderValue(text: string): string {
  return text.replaceAll(MUST_ENCODE, encodeURIComponent)
}

/**
 * The text of a header value: quotes are taken off, then `%xy` is decoded once. A `%` without two hex
 * digits stands for itself, because some senders do not encode.
 *
 * @throws FleetPromptError `decode_failed` for bytes that are no UTF-8
 */
export function decodeHeaderValue(value: string, name: string): string {
  if (!value.includes("%") && !value.startsWith('"')) return value
  const text = QUOTED.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/gs, "$1") : value
  try {
    return text.replaceAll(ENCODED, decodeURIComponent)
  } catch (cause) {
    throw new FleetPromptError(
      "decode_failed",
      `expected UTF-8 behind the % signs of header ${name}, got other bytes`,
      {
        path: name,
        cause,
      },
    )
  }
}

/** Headers by lower-case name. Several of one name are joined by a comma, as HTTP has it. */
export function readHeaders(headers: HttpHeaders): ReadonlyMap<string, string> {
  const read = new Map<string, string>()
  for (const [given, value] of isIterable(headers) ? headers : Object.entries(headers)) {
    if (value === undefined) continue
    const name = given.toLowerCase()
    const text = typeof value === "string" ? value : value.join(", ")
    const before = read.get(name)
    read.set(name, before === undefined ? text : `${before}, ${text}`)
  }
  return read
}

function isIterable(headers: HttpHeaders): headers is Iterable<readonly [string, string]> {
  return Symbol.iterator in headers
}
