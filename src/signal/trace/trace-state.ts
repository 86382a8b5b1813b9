import { FleetPromptError } from "../../errors.ts"

/** One vendor's part of a trace state. */
export interface TraceStateMember {
  /** Lower-case letters, digits and `_`, `-`, `*`, `/`, `@`, a letter or digit first; at most 256 characters. */
  readonly key: string
  /** Printable ASCII without `,` and `=`, no space at the end; 1 to 256 characters. */
  readonly value: string
}

/** Most members of a trace state. */
const MAX_MEMBERS = 32
/** Longest trace state that is written, in characters: the longest attribute of a signal. */
const MAX_LENGTH = 1_000
/** Members longer than this are the first to go. */
const LONG_MEMBER = 128
const MEMBER = /^([a-z0-9][a-z0-9_\-*/@]{0,255})=([ -+\--<>-~]{0,255}[!-+\--<>-~])$/

/**
 * Reads a `tracestate` (W3C Trace Context level 2). Undefined when it breaks the rules, and then all
 * of it is to be ignored. Of members with the same key the first stays, which is the latest.
 *
 * @example
 * parseTracestate("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
 * // [{ key: "rojo", value: "00f067aa0ba902b7" }, { key: "congo", value: "t61rcWkgMzE" }]
 */
export function parseTracestate(text: string): readonly TraceStateMember[] | undefined {
  const parts = text.split(",").map((part) => part.replaceAll(/^[ \t]+|[ \t]+$/g, ""))
  const members = parts.filter((part) => part !== "").map(parseMember)
  if (members.length > MAX_MEMBERS) return undefined
  const valid = members.filter((member) => member !== undefined)
  return valid.length === members.length ? firstOfEachKey(valid) : undefined
}

/**
 * Writes a `tracestate`. Of members with the same key the first is kept, so that a new one is put in
 * front of what came. Members beyond 32 are left out from the right; what makes the text longer
 * than 1,000 characters too, those of more than 128 characters first, as the standard advises.
 *
 * @throws FleetPromptError `trace_invalid`
 * @example
 * formatTracestate([{ key: "rojo", value: "2" }, { key: "congo", value: "3" }, { key: "rojo", value: "1" }])
 * // rojo=2,congo=3
 */
export function formatTracestate(members: readonly TraceStateMember[]): string {
  const parts = firstOfEachKey(members).map(({ key, value }) => `${key}=${value}`)
  for (const part of parts) if (!MEMBER.test(part)) throw malformed(part)
  const kept = parts.slice(0, MAX_MEMBERS)
  while (kept.join(",").length > MAX_LENGTH) {
    const long = kept.findLastIndex((part) => part.length > LONG_MEMBER)
    kept.splice(long === -1 ? kept.length - 1 : long, 1)
  }
  return kept.join(",")
}

function parseMember(part: string): TraceStateMember | undefined {
  const [, key, value] = MEMBER.exec(part) ?? []
  return key === undefined || value === undefined ? undefined : { key, value }
}

function firstOfEachKey(members: readonly TraceStateMember[]): readonly TraceStateMember[] {
  const byKey = new Map<string, TraceStateMember>()
  for (const member of members) if (!byKey.has(member.key)) byKey.set(member.key, member)
  return [...byKey.values()]
}

function malformed(part: string): FleetPromptError {
  return new FleetPromptError(
    "trace_invalid",
    `expected a key and a value as W3C Trace Context has them in tracestate, got ${JSON.stringify(part.slice(0, 60))}`,
    { path: "tracestate" },
  )
}
