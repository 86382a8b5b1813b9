import { FleetPromptError } from "../errors.ts"

/** A pattern of signal types, checked once and matched often. */
export interface CompiledPattern {
  /** The text it was made from. */
  readonly pattern: string
  /** Whether a type fits. */
  readonly matches: (type: string) => boolean
}

const PATTERN = /^(?:[\w-]+|\*\*(?!\.\*\*)|\*)(?:\.(?:[\w-]+|\*\*(?!\.\*\*)|\*))*$/
const SEGMENT = /^[\w-]+$/
const DOT = ".".charCodeAt(0)
const STAR = "*".charCodeAt(0)

/**
 * Checks a pattern and returns it with its matcher. Segments are divided by dots and made of letters,
 * digits, `_` and `-`; `*` stands for exactly one segment, `**` for any number, none included, and may
 * stand anywhere, though not twice in a row.
 *
 * @throws FleetPromptError `pattern_invalid`, with the place of the fault
 * @example
 * compilePattern("github.**").matches("github.issues.opened") // true
 * compilePattern("github.*.opened").matches("github.issues.opened") // true
 */
export function compilePattern(pattern: string): CompiledPattern {
  checkPattern(pattern)
  const isExact = !pattern.includes("*")
  return Object.freeze({
    pattern,
    matches: isExact ? (type: string) => type === pattern : (type: string) => fits(pattern, type),
  })
}

/**
 * Whether a type fits a pattern. To ask often, keep the result of `compilePattern`.
 *
 * @throws FleetPromptError `pattern_invalid`
 * @example
 * matches("order.*", "order.created") // true
 */
export function matches(pattern: string, type: string): boolean {
  checkPattern(pattern)
  return fits(pattern, type)
}

/**
 * Refuses what is no pattern.
 *
 * @throws FleetPromptError `pattern_invalid`, with the place of the fault
 */
export function checkPattern(pattern: string): void {
  if (typeof pattern !== "string") throw invalid(`expected a text such as "order.*", got ${typeof pattern}`)
  if (PATTERN.test(pattern)) return
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
}

/**
 * Walks both texts at once, so that neither is split; `p` and `t` stand where a segment starts. Only the
 * last `**` is ever taken up again, which keeps the time within the product of the two lengths.
 */
function fits(pattern: string, type: string): boolean {
  let p = 0
  let t = 0
  let retryPattern = -1
  let retryType = 0
  while (t <= type.length) {
    if (isDoubleStar(pattern, p)) {
      p = retryPattern = p + 3
      retryType = t
      if (p > pattern.length) return true
    } else if (p < pattern.length && segmentFits(pattern, p, type, t)) {
      p = afterSegment(pattern, p)
      t = afterSegment(type, t)
    } else if (retryPattern >= 0) {
      p = retryPattern
      t = retryType = afterSegment(type, retryType)
    } else {
      return false
    }
  }
  return p > pattern.length || (isDoubleStar(pattern, p) && p + 2 === pattern.length)
}

function isDoubleStar(pattern: string, p: number): boolean {
  return pattern.charCodeAt(p) === STAR && pattern.charCodeAt(p + 1) === STAR
}

function segmentFits(pattern: string, p: number, type: string, t: number): boolean {
  if (pattern.charCodeAt(p) === STAR) return true
  for (let at = 0; ; at++) {
    const expected = codeOrDot(pattern, p + at)
    if (expected !== codeOrDot(type, t + at)) return false
    if (expected === DOT) return true
  }
}

/** Where the next segment starts, which after the last one is one past the end. */
function afterSegment(text: string, at: number): number {
  const dot = text.indexOf(".", at)
  return dot < 0 ? text.length + 1 : dot + 1
}

/** The end of a text reads as a dot, so that each segment ends with one. */
function codeOrDot(text: string, at: number): number {
  return at < text.length ? text.charCodeAt(at) : DOT
}

function invalid(message: string): FleetPromptError {
  return new FleetPromptError("pattern_invalid", message)
}
