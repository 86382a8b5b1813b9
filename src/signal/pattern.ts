import { FleetPromptError } from "../errors.ts"

/** A pattern of signal types, parsed once and matched often. */
export interface CompiledPattern {
  /** The text it was made from. */
  readonly pattern: string
  /** Whether a type fits. */
  readonly matches: (type: string) => boolean
}

const SEGMENT = /^[A-Za-z0-9_-]+$/

/**
 * Parses a pattern. Segments are divided by dots and made of letters, digits, `_` and `-`; `*`
 * stands for exactly one segment, `**` for any number, none included, and may stand anywhere.
 *
 * @throws FleetPromptError `pattern_invalid`, with the place of the fault
 * @example
 * compilePattern("github.**").matches("github.issues.opened") // true
 * compilePattern("github.*.opened").matches("github.issues.opened") // true
 */
export function compilePattern(pattern: string): CompiledPattern {
  const segments = parsePattern(pattern)
  return Object.freeze({ pattern, matches: (type: string) => matchSegments(segments, type.split(".")) })
}

/**
 * Whether a type fits a pattern. To ask often, keep the result of `compilePattern`.
 *
 * @throws FleetPromptError `pattern_invalid`
 * @example
 * matches("order.*", "order.created") // true
 */
export function matches(pattern: string, type: string): boolean {
  return compilePattern(pattern).matches(type)
}

function parsePattern(pattern: string): readonly string[] {
  const segments = pattern.split(".")
  segments.forEach((segment, index) => {
    const where = `segment ${index + 1} of "${pattern}"`
    if (segment === "")
      throw invalid(`expected a name, "*" or "**" at ${where}, got nothing; remove a dot or fill the gap`)
    if (segment === "**" && segments[index - 1] === "**")
      throw invalid(`expected one "**", got two in a row at ${where}; keep one of them`)
    if (segment !== "*" && segment !== "**" && !SEGMENT.test(segment)) {
      throw invalid(`expected letters, digits, "_" or "-" at ${where}, got "${segment}"; a wildcard is a whole segment`)
    }
  })
  return segments
}

/** Classic wildcard matching with one point of return: linear in practice, never exponential. */
function matchSegments(pattern: readonly string[], type: readonly string[]): boolean {
  let p = 0
  let t = 0
  let starAt = -1
  let resumeAt = 0
  while (t < type.length) {
    if (p < pattern.length && pattern[p] !== "**" && (pattern[p] === "*" || pattern[p] === type[t])) {
      p++
      t++
    } else if (pattern[p] === "**") {
      starAt = p++
      resumeAt = t
    } else if (starAt >= 0) {
      p = starAt + 1
      t = ++resumeAt
    } else {
      return false
    }
  }
  while (pattern[p] === "**") p++
  return p === pattern.length
}

function invalid(message: string): FleetPromptError {
  return new FleetPromptError("pattern_invalid", message)
}
