/**
 * Which regular expressions of strangers are let in: those on which no text can keep the engine busy.
 *
 * The engine of JavaScript goes back where it has a choice, which may take time that grows with the square, the cube or
 * an exponent of the text's length. It never has a choice when, at each place of the expression, at most one of the
 * places that may come next matches any given character (a deterministic expression, Brüggemann-Klein and Wood 1998),
 * and when there is one way to leave out what may be left out. Such an expression is matched in time proportional to
 * the text. Without `^` the engine begins anew at each character, so what has no upper bound must begin with `^`.
 */
import { areDisjoint, type CodePoints } from "./code-points.ts"
import { type Expression, readExpression, UnreadPattern } from "./pattern-syntax.ts"

/** Longest pattern, characters. */
const MAX_LENGTH = 500
/** Places of an expression once its repetitions are written out, at most. */
const MAX_PLACES = 1_000

/**
 * Why a regular expression is not let in; undefined when it is.
 *
 * @example
 * patternFault("^[a-z]+(-[a-z]+)*$") // undefined
 * patternFault("^(a+)+$") // "…"
 */
export function patternFault(pattern: string): string | undefined {
  if (pattern.length > MAX_LENGTH) return `it is longer than ${MAX_LENGTH} characters`
  try {
    void new RegExp(pattern, "u")
  } catch {
    return "it is no regular expression of JavaScript (with the flag u)"
  }
  try {
    return ambiguity(pattern)
  } catch (error) {
    if (error instanceof UnreadPattern) return error.message
    throw error
  }
}

function ambiguity(pattern: string): string | undefined {
  const isBound = pattern.startsWith("^")
  const ends = /(?<!\\)(?:\\\\)*\$$/.test(pattern)
  const expression = readExpression(pattern.slice(isBound ? 1 : 0, ends ? -1 : undefined))
  if ((isBound || ends) && expression.kind === "either")
    return `its alternatives stand beside "^" or "$"; put them in ( )`
  if (!isBound && isUnbounded(expression)) return `it repeats without an upper bound and does not begin with "^"`
  const machine: Machine = { sets: [], follow: [] }
  const { first } = build(expression, machine)
  const nexts = [first, ...machine.follow]
  if (nexts.every((places) => areDisjoint(places.map((place) => machine.sets[place] ?? [])))) return undefined
  return "one character may be read in two ways, as in (a+)+ or a*a; make each repetition end where another character begins"
}

function isUnbounded(expression: Expression): boolean {
  switch (expression.kind) {
    case "set":
      return false
    case "sequence":
      return expression.parts.some(isUnbounded)
    case "either":
      return expression.of.some(isUnbounded)
    case "repeat":
      return expression.max === Number.POSITIVE_INFINITY || isUnbounded(expression.body)
  }
}

/** The places of an expression: what each matches, and which may come after it. One that comes twice is in the list twice. */
interface Machine {
  readonly sets: CodePoints[]
  readonly follow: number[][]
}

/** Where a part may begin and end, and whether it may match nothing. */
interface Part {
  readonly first: readonly number[]
  readonly last: readonly number[]
  readonly isEmpty: boolean
}

const NOTHING: Part = { first: [], last: [], isEmpty: true }

function build(expression: Expression, machine: Machine): Part {
  switch (expression.kind) {
    case "set":
      return addPlace(expression.set, machine)
    case "sequence":
      return expression.parts.reduce<Part>((before, part) => chain(before, build(part, machine), machine), NOTHING)
    case "either":
      return either(expression.of.map((part) => build(part, machine)))
    case "repeat":
      return repeat(expression, machine)
  }
}

function addPlace(set: CodePoints, { sets, follow }: Machine): Part {
  if (sets.length >= MAX_PLACES)
    throw new UnreadPattern(`with its repetitions written out it has more than ${MAX_PLACES} characters`)
  const place = sets.push(set) - 1
  follow.push([])
  return { first: [place], last: [place], isEmpty: false }
}

function chain(before: Part, after: Part, machine: Machine): Part {
  link(before.last, after.first, machine)
  return {
    first: before.isEmpty ? [...before.first, ...after.first] : before.first,
    last: after.isEmpty ? [...before.last, ...after.last] : after.last,
    isEmpty: before.isEmpty && after.isEmpty,
  }
}

function either(parts: readonly Part[]): Part {
  if (parts.filter(({ isEmpty }) => isEmpty).length > 1)
    throw new UnreadPattern("two of its alternatives may match nothing; keep one such")
  return {
    first: parts.flatMap(({ first }) => first),
    last: parts.flatMap(({ last }) => last),
    isEmpty: parts.some(({ isEmpty }) => isEmpty),
  }
}

/** Written out: `x{2,4}` is `xx(x(x)?)?`, and `x{2,}` is `xx+`. */
function repeat({ body, min, max }: Extract<Expression, { kind: "repeat" }>, machine: Machine): Part {
  if (max === 0) return NOTHING
  const isEndless = max === Number.POSITIVE_INFINITY
  let whole = NOTHING
  for (let count = 0; count < Math.max(min, isEndless ? 1 : 0); count++) {
    const copy = buildOnce(body, machine)
    if (isEndless && count >= min - 1) link(copy.last, copy.first, machine)
    whole = chain(whole, min === 0 ? { ...copy, isEmpty: true } : copy, machine)
  }
  return isEndless ? whole : chain(whole, optionalCopies(body, max - min, machine), machine)
}

/** `(x(x)?)?`: it may end after each copy. */
function optionalCopies(body: Expression, count: number, machine: Machine): Part {
  let whole = NOTHING
  let before: readonly number[] = []
  for (let copies = 0; copies < count; copies++) {
    const copy = buildOnce(body, machine)
    link(before, copy.first, machine)
    whole = {
      first: copies === 0 ? copy.first : whole.first,
      last: [...whole.last, ...copy.last],
      isEmpty: true,
    }
    before = copy.last
  }
  return whole
}

function buildOnce(body: Expression, machine: Machine): Part {
  const part = build(body, machine)
  if (part.isEmpty) throw new UnreadPattern("it repeats something that may match nothing, as in (a?)*")
  return part
}

function link(from: readonly number[], to: readonly number[], { follow }: Machine): void {
  for (const place of from) follow[place]?.push(...to)
}
